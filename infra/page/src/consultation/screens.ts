// The screens of a consultation that have one message. The call screen is `call-screen/`.

import type { Feature } from "../answers.ts";
import type { Bridge } from "../bridge.ts";
import { type Action, message, type Screen } from "../screen.ts";
import type { CallContext } from "./context.ts";
import type { Stopped } from "./phase.ts";

export function joiningScreen(): Screen {
  return message({
    name: "joining",
    icon: "link",
    body: ["loading.body"],
    busy: true,
  });
}

/** The person waits for the start of the call, or in the waiting room. */
export function waitingScreen(name: "not-started" | "waiting", leave: () => void): Screen {
  return message({
    name,
    icon: "clock",
    hints: name === "waiting" ? ["not-started.hint", "waiting.hint"] : ["not-started.hint"],
    actions: [{ text: "leave.waiting", press: leave, quiet: true }],
    busy: true,
  });
}

/** The question of consent to one purpose, before the server gives a place. */
export function consentScreen(purpose: Feature, answer: (granted: boolean) => void, leave: () => void): Screen {
  return message({
    name: "consent",
    icon: "shield",
    title: `consent.${purpose}.title`,
    body: [`consent.${purpose}.what`, "consent.free"],
    actions: [
      { text: "consent.yes", press: () => answer(true) },
      { text: "consent.no", press: () => answer(false) },
      { text: "leave", press: leave, quiet: true },
    ],
  });
}

interface StoppedActions {
  enter(checked: boolean): void;
  leave(): void;
}

export function stoppedScreen(
  reason: Stopped["reason"],
  context: Pick<CallContext, "bridge">,
  { enter, leave }: StoppedActions,
): Screen {
  switch (reason) {
    case "elsewhere":
      return message({
        name: "elsewhere",
        icon: "screen",
        actions: [{ text: "elsewhere.here", press: () => enter(false) }, ...closing(context, true)],
      });
    case "full":
      return message({
        name: "full",
        icon: "people",
        actions: [
          { text: "again", press: () => enter(false) },
          { text: "leave", press: leave, quiet: true },
        ],
        wrong: true,
      });
    case "unreachable":
      return message({
        name: "media",
        icon: "offline",
        hints: ["media.hint.1", "media.hint.2", "media.hint.3", "media.hint.4"],
        actions: [
          { text: "again", press: () => enter(true) },
          { text: "leave", press: leave, quiet: true },
        ],
        wrong: true,
      });
  }
}

/** The person has left and may come back. */
export function leftScreen(context: Pick<CallContext, "restart" | "bridge">, provider: boolean): Screen {
  return message({
    name: "left",
    icon: "leave",
    body: [provider ? "left.body.provider" : "left.body"],
    actions: [{ text: "left.rejoin", press: () => context.restart() }, ...closing(context, true)],
  });
}

/** The call is over. If it starts again, this screen leads there. */
export function endedScreen(context: Pick<CallContext, "restart" | "bridge">, provider: boolean): Screen {
  return message({
    name: "ended",
    icon: "check",
    body: [provider ? "ended.body.provider" : "ended.body"],
    actions: [
      ...closing(context),
      { text: provider ? "ended.again.provider" : "ended.again", press: () => context.restart(), quiet: true },
    ],
  });
}

/** The button that leads back to the app, where there is one. */
export function closing({ bridge }: { bridge: Bridge }, quiet = false): Action[] {
  return bridge.hosted ? [{ text: "close", press: () => bridge.emit("CLOSE_REQUESTED", {}), quiet }] : [];
}
