// The question of consent to recording and transcript, and the settings in which the answer can be changed.

import type { Consent, Feature } from "./answers.ts";
import { announce, button, drawn, h, hide } from "./dom.ts";
import { dialog } from "./screen.ts";

export type Choice = Partial<Record<Feature, boolean>>;

const FEATURES = ["recording", "transcription"] as const;

/** The features that somebody has requested and this person has not answered. */
export function unanswered(consent: Consent, wanted: Record<Feature, boolean>): Feature[] {
  return FEATURES.filter((feature) => wanted[feature] && consent[feature].granted === null);
}

/** Asks for consent to one purpose. Refusing is an answer; with `later` the question stays open. */
export function askConsent(feature: Feature, answer: (granted: boolean) => void, later: () => void): HTMLDialogElement {
  return dialog(
    "consent",
    `consent.${feature}.title`,
    [h("p", { t: `consent.${feature}.what` }), h("p", { t: "consent.free" })],
    [
      { text: "consent.yes", press: () => answer(true) },
      { text: "consent.no", press: () => answer(false), quiet: true },
    ],
    later,
  );
}

/** The notice above the pictures while the question is put off. */
export class ConsentNotice {
  readonly root = h("div", { class: "notice", attributes: { hidden: true, "data-notice": "consent" } });
  #ask: () => void = () => undefined;

  constructor() {
    this.root.append(
      drawn("shield"),
      h("p", { t: "consent.open" }),
      button("button small", "consent.answer", () => this.#ask()),
    );
  }

  /** Shows the notice, whose button asks; hides it when there is no question. */
  show(ask: (() => void) | undefined): void {
    if (!ask) {
      hide(this.root);
      return;
    }
    this.#ask = ask;
    if (this.root.hidden) announce("consent.open");
    this.root.hidden = false;
  }
}

/** Two switches that change the answer at any time. */
export class ConsentSettings {
  readonly root = h("fieldset", { class: "options" }, h("legend", { t: "consent.title" }));
  readonly #boxes: Record<Feature, HTMLInputElement>;

  constructor(change: (choice: Choice) => void) {
    const box = (feature: Feature) => {
      const id = `consent-${feature}`;
      const input = h("input", {
        id,
        attributes: { type: "checkbox" },
        on: { change: () => change({ [feature]: input.checked }) },
      });
      this.root.append(
        h("div", { class: "option" }, input, h("label", { t: `consent.${feature}.agree`, attributes: { for: id } })),
      );
      return input;
    };
    this.#boxes = { recording: box("recording"), transcription: box("transcription") };
    this.root.append(h("p", { class: "small", t: "consent.change" }));
  }

  show(consent: Consent): void {
    for (const feature of FEATURES) this.#boxes[feature].checked = consent[feature].granted === true;
  }
}
