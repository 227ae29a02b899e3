// The server's view of this person's presence, so that it always learns when they leave.

import { type Api, ApiError } from "../api.ts";

export class Presence {
  readonly #api: Api;
  /** The server may think that this person is in the call or in its waiting room. */
  #serverThinksPresent = false;
  #pending: Promise<unknown> = Promise.resolve();

  constructor(api: Api) {
    this.#api = api;
  }

  /** Sends a request for a place. The server may have taken in a request that got no answer. */
  join<T>(request: () => Promise<T>): Promise<T> {
    const before = this.#serverThinksPresent;
    this.#serverThinksPresent = true;
    const pending = request();
    this.#pending = pending.catch((error: unknown) => {
      if (error instanceof ApiError && error.kind !== "offline") this.#serverThinksPresent = before;
    });
    return pending;
  }

  /** The server knows that this person is not in the call, or another device is in it for them. */
  forget(): void {
    this.#serverThinksPresent = false;
  }

  /** Tells the server, after the answer to a pending join: in the other order it would think that the person has come. */
  leave(): void {
    void this.#pending
      .then(() => {
        if (!this.#serverThinksPresent) return undefined;
        this.#serverThinksPresent = false;
        return this.#api.leave();
      })
      // The server notices by itself, through the media service, that the person is gone.
      .catch(() => undefined);
  }

  /** Tells the server while the page is being closed: nobody waits for the answer. */
  leaveNow(): void {
    if (this.#serverThinksPresent) this.#api.leaveNow();
  }
}
