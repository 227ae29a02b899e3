// When the person is asked for consent, and what becomes of the answer.

import type { Consent, Feature, Joined, Status } from "../answers.ts";
import type { Api } from "../api.ts";
import { askConsent, type Choice, unanswered } from "../consent.ts";
import { announce } from "../dom.ts";
import { closeDialog } from "../screen.ts";

interface ConsentView {
  showConsent(consent: Consent): void;
  /** Shows that a question is open, with the way to it; nothing when none is. */
  remind(ask: (() => void) | undefined): void;
  /** The server knows another answer of the person. */
  answered(): void;
}

export class ConsentQuestions {
  readonly #api: Api;
  readonly #view: ConsentView;
  readonly #asked = new Set<Feature>();
  #open: Feature[] = [];
  /** The question that is shown, or was shown last. */
  #shown: { feature: Feature; box: HTMLDialogElement } | undefined;
  #sending: Promise<unknown> = Promise.resolve();
  /** Grows when an answer of the person is sent, and when it is stored. */
  #consentVersion = 0;

  constructor(api: Api, view: ConsentView) {
    this.#api = api;
    this.#view = view;
  }

  /** A status in which each answer of the person is contained: one that was requested before an answer is requested again. */
  async readStatus(signal: AbortSignal): Promise<Status> {
    for (;;) {
      await this.#sending;
      const version = this.#consentVersion;
      const status = await this.#api.status();
      signal.throwIfAborted();
      if (version === this.#consentVersion) return status;
    }
  }

  /**
   * Asks for what somebody wants and this person has not answered: for each purpose once in a dialog, then by a notice. Closes a question
   * that has been answered elsewhere, or that nobody asks any more.
   */
  askIfOpen(status: Status, joined: Joined): void {
    this.#open = unanswered(status.consent, {
      recording: joined.recordingEnabled || !["off", "unavailable"].includes(status.recording.state),
      transcription: joined.transcriptionEnabled || isWanted(status.transcription),
    });
    if (this.#shown && !this.#open.includes(this.#shown.feature)) closeDialog(this.#shown.box);
    this.#askNext();
  }

  /** Asks one question at a time: consent to one purpose is none to another. */
  #askNext(): void {
    if (document.querySelector("dialog")) return;
    const feature = this.#open.find((one) => !this.#asked.has(one));
    if (!feature) {
      this.#remind();
      return;
    }
    this.#asked.add(feature);
    const box = askConsent(
      feature,
      (granted) => void this.answer({ [feature]: granted }),
      () => this.#askNext(),
    );
    this.#shown = { feature, box };
  }

  /** Shows the notice of the questions that were put off, if there are any. */
  #remind(): void {
    const askAgain = () => {
      this.#asked.clear();
      this.#askNext();
    };
    this.#view.remind(this.#open.length > 0 ? askAgain : undefined);
  }

  async answer(choice: Choice): Promise<void> {
    const answered = Object.keys(choice) as Feature[];
    // Until it is stored, a status would show the answer before.
    this.#consentVersion += 1;
    const request = this.#api.consent(choice);
    this.#sending = request.catch(() => undefined);
    try {
      this.#view.showConsent(await request);
      this.#consentVersion += 1;
      this.#open = this.#open.filter((feature) => !answered.includes(feature));
      announce("consent.noted");
      this.#view.answered();
    } catch {
      // An answer that was not stored is not given: the person is asked again.
      for (const feature of answered) this.#asked.delete(feature);
      announce("consent.failed", true);
      this.#remind();
      return;
    }
    this.#askNext();
  }
}

function isWanted(transcription: Status["transcription"]): boolean {
  return ["requested", "starting", "active"].includes(transcription.state);
}
