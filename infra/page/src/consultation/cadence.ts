// When the status of a call is read again: at an interval, and soon after a sign that it has changed.

import { wait } from "../wait.ts";

/** Signs that come together, such as those of everyone who is present, lead to one request. */
const TOGETHER_MS = 500;
/** Any participant can send the others a sign: they cannot make a page ask more often than this. */
const MIN_GAP_MS = 2_000;

export class Cadence {
  #signed = false;
  #wake: (() => void) | undefined;
  #last = Number.NEGATIVE_INFINITY;

  /** There is a sign that the status has changed. */
  soon(): void {
    this.#signed = true;
    this.#wake?.();
  }

  /** The status is read now. Signs that come from now on lead to another request. */
  begin(): void {
    this.#signed = false;
    this.#last = Date.now();
  }

  /** Waits until the status is to be read again: `intervalMs`, or less after a sign. Rejects when the signal is aborted. */
  async pause(intervalMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = () => over.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      signal.throwIfAborted();
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (this.#signed) resolve();
      });
      await Promise.race([wait(intervalMs, over.signal), woken]);
      if (this.#signed) await wait(Math.max(TOGETHER_MS, this.#last + MIN_GAP_MS - Date.now()), over.signal);
    } finally {
      this.#wake = undefined;
      signal.removeEventListener("abort", stop);
      over.abort(new DOMException("the pause is over", "AbortError"));
    }
  }
}
