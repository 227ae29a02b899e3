// The provider's controls of the recording, in the panel beside the pictures.

import type { PageParts } from "../scripts.ts";
import type { Key } from "../text.ts";

export interface RecordingActions {
  start(): void;
  pause(): void;
  resume(): void;
  stop(): void;
}

/** The contents of the panel. */
export interface RecordingView {
  text: Key;
  /** What the first button does. */
  action: "start" | "pause" | "resume";
  /** Whether there is a recording to stop. */
  open: boolean;
  /** A request is under way. */
  busy: boolean;
}

export class RecordingPanel {
  readonly #page: PageParts;
  readonly #state: HTMLElement;
  readonly #words: HTMLElement;
  readonly #first: HTMLButtonElement;
  readonly #stop: HTMLButtonElement;
  readonly root: HTMLElement;
  #view: RecordingView = { text: "recording.off", action: "start", open: false, busy: false };

  constructor(page: PageParts, actions: RecordingActions) {
    const { button, h } = page;
    this.#page = page;
    this.#state = h("p", { t: "recording.off", attributes: { "data-recording": true } });
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
      "section",
      { class: "settings" },
      h("h3", { t: "recording.heading" }),
      this.#state,
      h("div", { class: "actions" }, this.#first, this.#stop),
      h("p", { class: "small", t: "recording.consent" }),
    );
    this.show(this.#view);
  }

  show(view: RecordingView): void {
    this.#view = view;
    const { put } = this.#page;
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
