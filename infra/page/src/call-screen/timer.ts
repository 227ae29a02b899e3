import { h } from "../dom.ts";

/** How long this person has been in the call, in minutes and seconds. */
export class CallTimer {
  readonly root = h("span", { class: "timer", attributes: { "data-name": true, "aria-hidden": "true" } });
  #interval: ReturnType<typeof setInterval> | undefined;

  /** Starts once; a connection that is restored does not start it again. */
  start(now: () => number): void {
    if (this.#interval !== undefined) return;
    const began = now();
    const tick = () => {
      const seconds = Math.floor((now() - began) / 1000);
      const minutes = Math.floor(seconds / 60);
      this.root.textContent = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
    };
    this.#interval = setInterval(tick, 1000);
    tick();
  }

  stop(): void {
    clearInterval(this.#interval);
  }
}
