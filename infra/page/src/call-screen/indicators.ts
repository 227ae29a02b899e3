import type { Status, TranscriptionStatus } from "../answers.ts";
import { announce, h } from "../dom.ts";
import type { Text } from "../text.ts";
import { RecordingSign, type RecordingState } from "./recording-sign.ts";

interface IndicatorHooks {
  transcription(running: boolean): void;
  /** Shows why the transcript has ended, until it runs again. */
  transcriptEnded(text: Text | undefined): void;
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
  /** The state of the transcript in the last status. */
  #state: string | undefined;

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
    const { transcription } = status;
    const before = this.#state;
    this.#state = transcription.state;
    this.#show(this.#transcribed ?? isRunning(this.#state));
    // A person who joins later need not know why an earlier one has ended.
    if (isOpen(this.#state)) this.#hooks.transcriptEnded(undefined);
    else if (isOpen(before)) this.#hooks.transcriptEnded(endOf(transcription));
  }

  #show(running: boolean): void {
    this.#hooks.transcription(running);
    if (this.transcribing === running) return;
    this.#transcription.hidden = !running;
    announce(running ? "sign.transcription.began" : "sign.transcription.stopped");
  }
}

function isRunning(state: string | undefined): boolean {
  return state === "active";
}

function isOpen(state: string | undefined): boolean {
  return isRunning(state) || state === "starting";
}

/** Why a transcript has ended, if nobody has asked for that. */
function endOf({ state, reason }: TranscriptionStatus): Text | undefined {
  if (state === "failed") return "sign.transcription.failed";
  if (reason === "consent_revoked") return "sign.transcription.revoked";
  return reason === "limit_reached" ? "sign.transcription.limit" : undefined;
}
