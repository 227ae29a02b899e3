// When the status of a call is read again: at an interval, and soon after a sign that it has changed.

import { wait } from "../wait.ts";

/** Signs that come together, such as those of everyone who is present, lead to one request. */
const TOGETHER_MS = 500;
/** Any participant can send the others a sign: they cannot make a page ask more often than this. */
const MIN_GAP_MS = 2_000;

export class Cadence {
  /** When the status is to be read because of a sign. */
  #due = Number.POSITIVE_INFINITY;
  #wake: (() => void) | undefined;
  #last = Number.NEGATIVE_INFINITY;

  /** There is a sign that the status has changed. `atOnce`: it is Chime's own, so that it need not wait for the gap. */
  soon(atOnce = false): void {
    const together = Date.now() + TOGETHER_MS;
    this.#due = Math.min(this.#due, atOnce ? together : Math.max(together, this.#last + MIN_GAP_MS));
    this.#wake?.();
  }

  /** The status is read now. Signs that come from now on lead to another request. */
  begin(): void {
    this.#due = Number.POSITIVE_INFINITY;
    this.#last = Date.now();
  }

  /** Waits until the status is to be read again: `intervalMs`, or less after a sign. Rejects when the signal is aborted. */
  async pause(intervalMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = () => over.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const after = (milliseconds: number) => wait(milliseconds, over.signal).then(() => true);
    try {
      signal.throwIfAborted();
      const interval = after(intervalMs);
      for (;;) {
        const woken = new Promise<boolean>((resolve) => {
          this.#wake = () => resolve(false);
        });
        const due = Number.isFinite(this.#due) ? [after(Math.max(0, this.#due - Date.now()))] : [];
        if (await Promise.race([interval, woken, ...due])) return;
      }
    } finally {
      this.#wake = undefined;
      signal.removeEventListener("abort", stop);
      over.abort(new DOMException("the pause is over", "AbortError"));
    }
  }
}
