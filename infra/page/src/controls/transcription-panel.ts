// The provider's controls of the transcript, in the panel beside the pictures.

import type { PageParts } from "../scripts.ts";
import type { Key, Text } from "../text.ts";
import { type Language, nameOf } from "./languages.ts";

export interface TranscriptionActions {
  /** `language`: nothing is the one of the call. */
  start(language: string | undefined, options: string[]): void;
  stop(): void;
}

/** The contents of the panel. */
export interface TranscriptionView {
  text: Text;
  /** The service's reason for a failure. */
  message: string | undefined;
  /** Whether there is a transcript to stop. */
  running: boolean;
  /** A request is under way. */
  busy: boolean;
}

/** The language is recognised, among those that are chosen. */
export const IDENTIFY = "identify";

export class TranscriptionPanel {
  readonly root: HTMLElement;
  readonly #page: PageParts;
  readonly #state: HTMLElement;
  readonly #message: HTMLElement;
  readonly #words: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #language: HTMLSelectElement;
  readonly #among: HTMLSelectElement;
  readonly #amongField: HTMLElement;
  readonly #fields: HTMLElement;
  #languages: Language[] = [];
  #view: TranscriptionView = { text: "transcription.off", message: undefined, running: false, busy: false };

  constructor(page: PageParts, actions: TranscriptionActions) {
    const { button, h } = page;
    this.#page = page;
    this.#state = h("p", { t: "transcription.off", attributes: { "data-transcription": true } });
    this.#message = h("p", { class: "small", attributes: { hidden: true } });
    const field = (id: string, text: Key, more: Record<string, boolean | string>, change: () => void) => {
      const select = h("select", { id, attributes: more, on: { change } });
      return { select, root: h("div", { class: "field" }, h("label", { t: text, attributes: { for: id } }), select) };
    };
    const language = field("transcription-language", "transcription.language", {}, () => this.#paint());
    const among = field("transcription-among", "transcription.among", { multiple: true, size: "6" }, () => undefined);
    this.#language = language.select;
    this.#among = among.select;
    this.#amongField = among.root;
    this.#fields = h("div", { class: "fields" }, language.root, among.root);
    // A button that is busy keeps the focus and does nothing.
    this.#button = button("button", "transcription.start", () => {
      if (this.#view.busy) return;
      if (this.#view.running) actions.stop();
      else actions.start(this.#language.value || undefined, this.#options());
    });
    this.#words = this.#button.firstElementChild as HTMLElement;
    this.root = h(
      "section",
      { class: "settings", attributes: { hidden: true } },
      h("h3", { t: "transcription.heading" }),
      this.#state,
      this.#message,
      this.#fields,
      h("div", { class: "actions" }, this.#button),
      h("p", { class: "small", t: "transcription.consent" }),
    );
    this.#paint();
  }

  /** The section appears once it is known which languages there are. */
  showLanguages(languages: Language[]): void {
    this.#languages = languages;
    const { h } = this.#page;
    this.#language.replaceChildren(
      h("option", { t: "transcription.ofCall", attributes: { value: "" } }),
      h("option", { t: "transcription.identify", attributes: { value: IDENTIFY } }),
      ...languages.map((language) => this.#option(language, false)),
    );
    this.#among.replaceChildren(
      ...languages.filter(({ live }) => live).map((language) => this.#option(language, true)),
    );
    this.root.hidden = false;
    this.#paint();
  }

  show(view: TranscriptionView): void {
    this.#view = view;
    this.#paint();
  }

  nameOf(code: string): string {
    const known = this.#languages.find((language) => language.code === code);
    return nameOf(known ?? { code, name: code });
  }

  #option(language: Language, among: boolean): HTMLOptionElement {
    const { h, put } = this.#page;
    const option = h("option", { attributes: { value: language.code } });
    const name = nameOf(language);
    const how = restrictionOf(language);
    if (how) put(option, [how, { language: name }]);
    else {
      option.textContent = name;
      option.dataset["name"] = "";
    }
    // Impossible choices are shown too, with their reason.
    option.disabled = !among && !language.live && !language.batch;
    return option;
  }

  #options(): string[] {
    if (this.#language.value !== IDENTIFY) return [];
    return [...this.#among.selectedOptions].map(({ value }) => value);
  }

  #paint(): void {
    const { text, message, running, busy } = this.#view;
    const { put } = this.#page;
    put(this.#state, text);
    this.#message.hidden = message === undefined;
    if (message !== undefined) put(this.#message, ["transcription.message", { message }]);
    put(this.#words, running ? "transcription.stop" : "transcription.start");
    this.#fields.hidden = running;
    this.#amongField.hidden = this.#language.value !== IDENTIFY;
    if (busy) this.#button.setAttribute("aria-disabled", "true");
    else this.#button.removeAttribute("aria-disabled");
  }
}

/** How a language differs from one that is transcribed during the call. */
function restrictionOf({ live, batch }: Language): Key | undefined {
  if (live) return live.unconfirmed ? "transcription.unconfirmed" : undefined;
  return batch ? "transcription.later" : "transcription.unsupported";
}
