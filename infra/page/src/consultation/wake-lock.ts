import { permitted } from "../permitted.ts";

/** Keeps the device's screen on during a call, where the browser can. */
export class WakeLock {
  #lock: WakeLockSentinel | undefined;
  #released = false;

  /** The browser releases the lock while the page is hidden; then it is requested again. */
  async request(): Promise<void> {
    if ((this.#lock && !this.#lock.released) || !permitted("screen-wake-lock")) return;
    // Without a lock the screen goes dark as usual, which ends nothing.
    this.#lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
    if (this.#released) await this.#release();
  }

  async release(): Promise<void> {
    this.#released = true;
    await this.#release();
  }

  async #release(): Promise<void> {
    await this.#lock?.release().catch(() => undefined);
  }
}
