import type { Status } from "../answers.ts";
import { announce, h } from "../dom.ts";
import { RecordingSign, type RecordingState } from "./recording-sign.ts";

interface IndicatorHooks {
  transcription(running: boolean): void;
  recording(state: RecordingState): void;
  /** The status is to be read again soon. */
  stale(atOnce: boolean): void;
}

/** The signs that the call is being recorded and transcribed. */
export class Indicators {
  readonly recording: RecordingSign;
  readonly #transcription = h(
    "span",
    { class: "sign-on transcription-sign", attributes: { hidden: true } },
    h("i"),
    h("span", { t: "sign.transcription" }),
  );
  readonly #hooks: IndicatorHooks;
  #transcribed: boolean | undefined;

  constructor(hooks: IndicatorHooks) {
    this.#hooks = hooks;
    this.recording = new RecordingSign({
      changed: (state) => hooks.recording(state),
      stale: (atOnce) => hooks.stale(atOnce),
    });
  }

  get roots(): HTMLElement[] {
    return [this.recording.root, this.#transcription];
  }

  get transcribing(): boolean {
    return !this.#transcription.hidden;
  }

  transcription(running: boolean): void {
    this.#transcribed = running;
    this.#show(running);
  }

  /** The connection reports both before the status does. `version` is that of the recording's sign when the status was requested. */
  status(status: Status, version: number): void {
    this.recording.status(status, version);
    this.#show(this.#transcribed ?? status.transcription.state === "active");
  }

  #show(running: boolean): void {
    this.#hooks.transcription(running);
    if (this.transcribing === running) return;
    this.#transcription.hidden = !running;
    announce(running ? "sign.transcription.began" : "sign.transcription.stopped");
  }
}
