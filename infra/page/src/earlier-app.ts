// The messages that apps of the earlier system understand: strings on `FlutterChannel`, and on `ChimeHandler` the events `ready`,
// `error` and `ended` with a string each. README.md has both tables.

import type { OutgoingMessages } from "./bridge.ts";

export type EarlierMessage =
  | { event: "ready"; data: "MEETING_INITIALIZED" }
  | { event: "error"; data: "SDK_LOAD_FAILED" | "SDK_TIMEOUT" | `INIT_FAILED: ${string}` }
  | { event: "ended"; data: "MEETING_STOPPED" | "USER_LEFT" };

/** The strings that the earlier app knows. It receives no others. */
export function flutterText<E extends keyof OutgoingMessages>(event: E, data: OutgoingMessages[E]): string | undefined {
  switch (event) {
    case "SDK_READY":
    case "MEETING_JOINED":
    case "MEETING_LEFT":
      return event;
    case "MEETING_ERROR":
      return `MEETING_ERROR:${(data as OutgoingMessages["MEETING_ERROR"]).code}`;
    case "MEETING_ENDED_BY_PROVIDER":
      return `MEETING_ENDED_BY_PROVIDER:${(data as OutgoingMessages["MEETING_ENDED_BY_PROVIDER"]).sessionId}`;
    default:
      return undefined;
  }
}

/** Translates the page's messages, in order, into those that the earlier app expects on `ChimeHandler`. */
export class EarlierMessages {
  /** Whether `ready` was sent, and nothing that takes it back. */
  #ready = false;

  of<E extends keyof OutgoingMessages>(event: E, data: OutgoingMessages[E]): EarlierMessage | undefined {
    switch (event) {
      case "MEETING_JOINED":
        this.#ready = true;
        return { event: "ready", data: "MEETING_INITIALIZED" };
      case "MEETING_LEFT":
        this.#ready = false;
        return { event: "ended", data: "USER_LEFT" };
      case "MEETING_ENDED_BY_PROVIDER":
        this.#ready = false;
        return { event: "ended", data: "MEETING_STOPPED" };
      case "MEETING_ERROR":
        return this.#failed(data as OutgoingMessages["MEETING_ERROR"]);
      default:
        return undefined;
    }
  }

  /** To the earlier app, what ends a meeting that has begun is no failure to begin. */
  #failed({ code, cause }: OutgoingMessages["MEETING_ERROR"]): EarlierMessage {
    if (this.#ready) {
      this.#ready = false;
      return { event: "ended", data: "MEETING_STOPPED" };
    }
    if (code === "SDK_LOAD_FAILED")
      return { event: "error", data: cause === "timeout" ? "SDK_TIMEOUT" : "SDK_LOAD_FAILED" };
    return { event: "error", data: `INIT_FAILED: ${code}` };
  }
}
