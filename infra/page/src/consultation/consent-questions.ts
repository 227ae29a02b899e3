// When the person is asked for consent, and what becomes of the answer.

import type { Consent, Feature, Joined, Status } from "../answers.ts";
import type { Api } from "../api.ts";
import { askConsent, type Choice, unanswered } from "../consent.ts";
import { announce } from "../dom.ts";

interface ConsentView {
  showConsent(consent: Consent): void;
  /** Shows that a question is open, with the way to it; nothing when none is. */
  remind(ask: (() => void) | undefined): void;
}

export class ConsentQuestions {
  readonly #api: Api;
  readonly #view: ConsentView;
  readonly #asked = new Set<Feature>();
  /** Grows with each answer of the person. */
  #consentVersion = 0;

  constructor(api: Api, view: ConsentView) {
    this.#api = api;
    this.#view = view;
  }

  /** A status in which each answer of the person is contained: one that was requested before an answer is requested again. */
  async readStatus(signal: AbortSignal): Promise<Status> {
    for (;;) {
      const version = this.#consentVersion;
      const status = await this.#api.status();
      signal.throwIfAborted();
      if (version === this.#consentVersion) return status;
    }
  }

  /** Asks for what somebody wants and this person has not answered: once in a dialog, then by a notice. */
  askIfOpen(status: Status, joined: Joined): void {
    const wanted = {
      recording: joined.recordingEnabled || status.recording.state !== "off",
      transcription: joined.transcriptionEnabled || status.transcription.state !== "off",
    };
    const features = unanswered(status.consent, wanted);
    if (document.querySelector("dialog")) return;
    const remind = () => this.#view.remind(features.length > 0 ? ask : undefined);
    const ask = () => {
      askConsent(features, (choice) => void this.answer(choice), remind);
    };
    if (features.every((feature) => this.#asked.has(feature))) {
      remind();
      return;
    }
    for (const feature of features) this.#asked.add(feature);
    ask();
  }

  async answer(choice: Choice): Promise<void> {
    try {
      this.#view.showConsent(await this.#api.consent(choice));
      this.#consentVersion += 1;
      // If another question is still open, the next status says so.
      this.#view.remind(undefined);
      announce("consent.noted");
    } catch {
      // An answer that was not stored is not given: the person is asked again.
      for (const feature of Object.keys(choice) as Feature[]) this.#asked.delete(feature);
      announce("consent.failed", true);
    }
  }
}
