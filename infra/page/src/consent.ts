// Being asked whether one may be recorded and written down; saying yes, no, and otherwise later.

import type { Consent, Feature } from "./answers.ts";
import { announce, button, drawn, h, hide } from "./dom.ts";
import { dialog } from "./screen.ts";
import type { Key } from "./text.ts";

export type Choice = Partial<Record<Feature, boolean>>;

const FEATURES = ["recording", "transcription"] as const;

/** Which of them somebody wants and I have not answered. */
export function unanswered(consent: Consent | undefined, wanted: Record<Feature, boolean>): Feature[] {
  return FEATURES.filter((feature) => wanted[feature] && consent?.[feature].granted === null);
}

/** Asks. No is an answer; `later` is none. */
export function askConsent(
  features: Feature[],
  answer: (choice: Choice) => void,
  later: () => void,
): HTMLDialogElement {
  const both = features.length === 2;
  const of = (feature: Feature): Key => `consent.${feature}.what`;
  const all = (granted: boolean) => () => answer(Object.fromEntries(features.map((feature) => [feature, granted])));
  return dialog(
    "consent",
    "consent.title",
    [
      h("ul", { class: "hints" }, ...features.map((feature) => h("li", { t: of(feature) }))),
      h("p", { t: "consent.free" }),
    ],
    [
      { text: both ? "consent.yes.both" : "consent.yes", press: all(true) },
      { text: both ? "consent.no.both" : "consent.no", press: all(false), quiet: true },
    ],
    later,
  );
}

/** Above the stage, as long as somebody has put off the answer. */
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

  /** Asks when one is ready for it; nothing when there is nothing to ask. */
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

/** Two switches to say otherwise at any time. */
export class ConsentSettings {
  readonly root = h("fieldset", { class: "wishes" }, h("legend", { t: "consent.title" }));
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
        h("div", { class: "wish" }, input, h("label", { t: `consent.${feature}.agree`, attributes: { for: id } })),
      );
      return input;
    };
    this.#boxes = { recording: box("recording"), transcription: box("transcription") };
    this.root.append(h("p", { class: "small", t: "consent.change" }));
  }

  show(consent: Consent | undefined): void {
    this.root.hidden = consent === undefined;
    for (const feature of FEATURES) this.#boxes[feature].checked = consent?.[feature].granted === true;
  }
}
