// The provider's controls of the recording, in the panel beside the pictures.

import { button, h } from "../dom.ts";
import { type Key, put } from "../text.ts";

export interface RecordingActions {
  start(): void;
  pause(): void;
  resume(): void;
  stop(): void;
}

/** What the panel shows. */
export interface RecordingView {
  text: Key;
  /** What the first button does. */
  action: "start" | "pause" | "resume";
  /** Whether there is a recording to stop. */
  open: boolean;
  /** A request is under way. */
  busy: boolean;
}

export class RecordingControls {
  // Read again by a screen reader when the state changes while the panel is open; the others hear it from the sign.
  readonly #state = h("p", { t: "recording.off", attributes: { "data-recording": true } });
  readonly #words: HTMLElement;
  readonly #first: HTMLButtonElement;
  readonly #stop: HTMLButtonElement;
  readonly root: HTMLElement;
  #view: RecordingView = { text: "recording.off", action: "start", open: false, busy: false };

  constructor(actions: RecordingActions) {
    // A button that is busy keeps the focus and does nothing.
    const press = (act: () => void) => () => {
      if (!this.#view.busy) act();
    };
    // One button for start, pause and resume: the focus stays on it while the state changes.
    this.#first = button(
      "button",
      "recording.start",
      press(() => actions[this.#view.action]()),
    );
    this.#words = this.#first.firstElementChild as HTMLElement;
    this.#stop = button(
      "button quiet",
      "recording.stop",
      press(() => actions.stop()),
    );
    this.root = h(
      "div",
      { class: "settings" },
      this.#state,
      h("div", { class: "actions" }, this.#first, this.#stop),
      h("p", { class: "small", t: "recording.consent" }),
    );
    this.show(this.#view);
  }

  show(view: RecordingView): void {
    this.#view = view;
    put(this.#state, view.text);
    put(this.#words, `recording.${view.action}`);
    if (!view.open && document.activeElement === this.#stop) this.#first.focus();
    this.#stop.hidden = !view.open;
    for (const one of [this.#first, this.#stop]) {
      if (view.busy) one.setAttribute("aria-disabled", "true");
      else one.removeAttribute("aria-disabled");
    }
  }
}
