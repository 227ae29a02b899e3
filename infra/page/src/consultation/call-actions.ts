// The things that a person can do to the call and to others in it, with the questions before each.

import type { Joined } from "../answers.ts";
import type { Api } from "../api.ts";
import { announce, h } from "../dom.ts";
import type { PeopleActions } from "../people.ts";
import { dialog } from "../screen.ts";
import type { Key } from "../text.ts";

interface CallActionHooks {
  joined(): Joined;
  /** Whether the call is not shown any more. */
  closed(): boolean;
  leave(): void;
  /** The server has confirmed the end of this session. */
  endConfirmed(sessionId: string): void;
  /** Shows that the end is being requested, or no longer. */
  showEnding(ending: boolean): void;
  /** Reads status and roster again. */
  refresh(): Promise<void>;
}

export class CallActions implements PeopleActions {
  readonly #api: Api;
  readonly #hooks: CallActionHooks;

  constructor(api: Api, hooks: CallActionHooks) {
    this.#api = api;
    this.#hooks = hooks;
  }

  admit(userId: string): void {
    this.#act(() => this.#api.change(userId, { admitted: true }), "people.admitted");
  }

  turnAway(userId: string): void {
    this.#act(() => this.#api.change(userId, { admitted: false }), "people.turnedAway");
  }

  allow(userId: string, kind: "audio" | "video", allowed: boolean): void {
    const capability = allowed ? "SendReceive" : "Receive";
    this.#act(() => this.#api.change(userId, { capabilities: { [kind]: capability } }), "people.changed");
  }

  remove(userId: string, name: string | null): void {
    dialog(
      "remove",
      name ? ["remove.title", { name }] : "remove.titleUnknown",
      [h("p", { t: "remove.body" })],
      [
        {
          text: "people.remove",
          press: () => this.#act(() => this.#api.remove(userId), "people.removed"),
          danger: true,
        },
        { text: "cancel", press: () => undefined, quiet: true },
      ],
      () => undefined,
    );
  }

  /** The call ends by itself, because the person has been alone in it for long: asks whether they are still there. */
  askToStay(): void {
    if (document.querySelector("dialog")) return;
    dialog(
      "still-there",
      "stillThere.title",
      [h("p", { t: "stillThere.body" })],
      [
        // If it fails, the next status asks again.
        { text: "leave.stay", press: () => void this.#api.stay().catch(() => undefined) },
        { text: "leave", press: () => this.leave(), quiet: true },
      ],
      () => undefined,
    );
  }

  /** Leaves. A provider is asked whether the call is to end. */
  leave(): void {
    if (this.#hooks.joined().role === "provider") this.#askToEnd("leave", "leave.title", "leave.body", "leave.end");
    else this.#hooks.leave();
  }

  #askToEnd(
    name: string,
    title: "leave.title" | "leave.failed",
    body: "leave.body" | "leave.failed.body",
    end: Key,
  ): void {
    dialog(
      name,
      title,
      [h("p", { t: body })],
      [
        { text: end, press: () => void this.#end(), danger: true, icon: "leave" },
        { text: "leave.only", press: () => this.#hooks.leave(), quiet: true },
        { text: "leave.stay", press: () => undefined, quiet: true },
      ],
      () => undefined,
    );
  }

  async #end(): Promise<void> {
    const { sessionId } = this.#hooks.joined();
    this.#hooks.showEnding(true);
    try {
      await this.#api.end(sessionId);
    } catch {
      if (this.#hooks.closed()) return;
      // The call goes on, and this person is still seen and heard in it: they are asked again.
      this.#hooks.showEnding(false);
      this.#askToEnd("end-failed", "leave.failed", "leave.failed.body", "again");
      return;
    }
    if (!this.#hooks.closed()) this.#hooks.endConfirmed(sessionId);
  }

  #act(action: () => Promise<void>, done: Key): void {
    action()
      .then(() => announce(done))
      .catch(() => announce("people.failed", true))
      .then(() => this.#hooks.refresh())
      // The call's own loop reads the status again.
      .catch(() => undefined);
  }
}
