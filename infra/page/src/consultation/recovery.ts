// Coming back into a call whose media connection was lost for good: asks the server whether the call goes on, then for a
// new place. As long as the server cannot be reached either, that is no reason to give up.

import type { Place } from "../answers.ts";
import { wait } from "../wait.ts";
import { isAbort, isTransient, isUnauthorized, retryDelay } from "./errors.ts";
import type { ConsultationEvent, Recovering } from "./phase.ts";
import { placeEvent } from "./place.ts";

/** How many new places in a row are taken, without media that lasts, before the person is asked. */
const MAX_RETURNS = 3;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 15_000;
/** Without media and without a token: how often the app is asked for a token before the person is. */
const MAX_TOKEN_REQUESTS = 3;

export interface RecoveryHooks {
  /** The phase as it is now. */
  phase(): Recovering;
  /** Asks for the status of the call and shows it. */
  checkCall(signal: AbortSignal): Promise<void>;
  join(): Promise<Place>;
  /** Says that the app has to sign in again. */
  showUnauthorized(): void;
  dispatch(event: ConsultationEvent): void;
}

export class Recovery {
  readonly #hooks: RecoveryHooks;
  readonly #signal: AbortSignal;
  #endPause: (() => void) | undefined;

  /** The signal ends it: media runs again, or another phase has begun. */
  constructor(hooks: RecoveryHooks, signal: AbortSignal) {
    this.#hooks = hooks;
    this.#signal = signal;
  }

  /** The browser says that there is a network again. */
  hurry(): void {
    this.#endPause?.();
  }

  async run(): Promise<void> {
    const { attempt, returns } = this.#hooks.phase();
    let [misses, tokenRequests] = [0, 0];
    // The server asks Chime for one call at most every ten seconds: a later attempt has better chances.
    let pause = returns < MAX_RETURNS ? FIRST_PAUSE_MS * 4 ** returns : FIRST_PAUSE_MS;
    try {
      for (;;) {
        await this.#pause(pause);
        try {
          await this.#takeNewPlace(attempt, misses);
          return;
        } catch (error) {
          const unauthorized = isUnauthorized(error);
          if (unauthorized) {
            this.#hooks.showUnauthorized();
            tokenRequests += 1;
          }
          if (!isTransient(error) && !(unauthorized && tokenRequests < MAX_TOKEN_REQUESTS)) throw error;
          misses += 1;
          pause = Math.max(Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** misses), retryDelay(error));
        }
      }
    } catch (error) {
      if (!isAbort(error)) this.#hooks.dispatch({ type: "recoveryFailed", attempt, error });
    }
  }

  async #takeNewPlace(attempt: number, misses: number): Promise<void> {
    await this.#hooks.checkCall(this.#signal);
    // The status may have ended the call.
    this.#signal.throwIfAborted();
    if (this.#hooks.phase().returns >= allowedReturns(this.#hooks.phase(), misses)) {
      this.#hooks.dispatch({ type: "recoveryExhausted", attempt });
      return;
    }
    const answer = await this.#hooks.join();
    this.#signal.throwIfAborted();
    this.#hooks.dispatch(placeEvent(attempt, answer));
  }

  async #pause(milliseconds: number): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#endPause = resolve;
    });
    await Promise.race([wait(milliseconds, this.#signal), ended]).finally(() => {
      this.#endPause = undefined;
    });
  }
}

/** Media that has never run is not waited for twice, unless there was no network at all, or another place may help. */
function allowedReturns({ established, reason }: Recovering, misses: number): number {
  if (established || misses > 0) return MAX_RETURNS;
  return reason === "refused" ? 1 : 0;
}
