import type { Feature, FeatureStatus, Status } from "../answers.ts";
import { announce, h } from "../dom.ts";
import type { Key } from "../text.ts";

/** Whether a feature runs, by the state in the status. A request is known to the status, and so far no more. */
const RUNS: Record<FeatureStatus["state"], boolean> = { off: false, requested: false };

/** The signs that the call is being recorded and transcribed. */
export class Indicators {
  readonly #recording = sign("recording-sign", "sign.recording");
  readonly #transcription = sign("transcription-sign", "sign.transcription");
  readonly #transcriptionChanged: (running: boolean) => void;
  /** Chime's recorders, which join as attendees. */
  readonly #recorders = new Set<string>();
  /** Whether this connection has reported who is in the call. */
  #present = false;
  #transcribed: boolean | undefined;

  constructor(transcriptionChanged: (running: boolean) => void) {
    this.#transcriptionChanged = transcriptionChanged;
  }

  get roots(): HTMLElement[] {
    return [this.#recording, this.#transcription];
  }

  get transcribing(): boolean {
    return !this.#transcription.hidden;
  }

  /** Another connection reports again who is in the call. */
  attach(): void {
    this.#recorders.clear();
    this.#present = false;
  }

  ownPresence(present: boolean): void {
    this.#present = present;
  }

  recorder(attendeeId: string, present: boolean): void {
    if (present) this.#recorders.add(attendeeId);
    else this.#recorders.delete(attendeeId);
    this.#show("recording", this.#recorders.size > 0);
  }

  transcription(running: boolean): void {
    this.#transcribed = running;
    this.#show("transcription", running);
  }

  /** The connection reports both before the status does. Until a new one has reported who is there, what was known holds. */
  status({ recording, transcription }: Status): void {
    const recorded = this.#present ? this.#recorders.size > 0 : !this.#recording.hidden;
    this.#show("recording", recorded || RUNS[recording.state]);
    this.#show("transcription", this.#transcribed ?? RUNS[transcription.state]);
  }

  #show(feature: Feature, running: boolean): void {
    const shown = feature === "recording" ? this.#recording : this.#transcription;
    if (feature === "transcription") this.#transcriptionChanged(running);
    if (shown.hidden === !running) return;
    shown.hidden = !running;
    announce(running ? `sign.${feature}.began` : `sign.${feature}.stopped`);
  }
}

function sign(css: string, text: Key): HTMLElement {
  return h("span", { class: `sign-on ${css}`, attributes: { hidden: true } }, h("i"), h("span", { t: text }));
}
