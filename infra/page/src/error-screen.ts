import { type ApiError, hasCode } from "./api.ts";
import type { Bridge } from "./bridge.ts";
import { closing } from "./consultation/screens.ts";
import { message, type Screen } from "./screen.ts";

/** The screen for an error. Each says what the person can do. */
export function errorScreen(error: ApiError, again: () => void, bridge: Bridge): Screen {
  const retry = { text: "again", press: again } as const;
  if (hasCode(error, "REMOVED_FROM_CALL"))
    return message({
      name: "removed",
      icon: "hand",
      title: "removed.title",
      body: ["removed.body"],
      actions: closing({ bridge }),
      wrong: true,
    });
  if (hasCode(error, "TURNED_AWAY"))
    return message({
      name: "turned-away",
      icon: "hand",
      title: "turnedAway.title",
      body: ["turnedAway.body"],
      actions: closing({ bridge }),
      wrong: true,
    });
  const { kind } = error;
  switch (kind) {
    case "gone":
      return message({
        name: "expired",
        icon: "clock",
        title: "expired.title",
        body: ["expired.body"],
        actions: [retry],
        wrong: true,
      });
    case "unauthorized":
      return message({
        name: "session",
        icon: "shield",
        title: "session.title",
        body: ["session.body"],
        actions: [retry],
        wrong: true,
      });
    case "forbidden":
      return message({
        name: "forbidden",
        icon: "hand",
        title: "forbidden.title",
        body: ["forbidden.body"],
        actions: [retry],
        wrong: true,
      });
    case "missing":
      return message({
        name: "missing",
        icon: "link",
        title: "missing.title",
        body: ["missing.body"],
        actions: [retry],
        wrong: true,
      });
    case "busy":
    case "down":
      return message({
        name: kind,
        icon: "clock",
        title: `${kind}.title`,
        body: [`${kind}.body`],
        actions: [retry],
        busy: true,
      });
    case "offline":
      return message({
        name: "offline",
        icon: "offline",
        title: "offline.title",
        body: ["offline.body"],
        hints: ["offline.hint.1", "offline.hint.2"],
        actions: [retry],
        wrong: true,
      });
    case "conflict":
    case "broken":
      return message({
        name: "failed",
        icon: "alert",
        title: "failed.title",
        body: ["failed.body"],
        actions: [retry],
        wrong: true,
      });
  }
}
