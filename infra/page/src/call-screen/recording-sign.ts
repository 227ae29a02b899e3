// The sign that the call is being recorded. Chime's recorder is in the call as an attendee of its own, also where it captures for a
// transcript only: the sign follows its presence, once a status has said that it records.

import type { FeatureStatus, Status } from "../answers.ts";
import { announce, drawn, h, redraw } from "../dom.ts";
import { put } from "../text.ts";

/** What is done now, and not what was requested. */
export type RecordingState = "off" | "recording" | "paused";

interface RecordingSignHooks {
  changed(state: RecordingState): void;
  /** The status is to be read again: at once if the recorder has come or gone, else soon, because it differs from the presence. */
  stale(atOnce: boolean): void;
}

/** How often in a row the status is read again soon because it differs from the presence. Afterwards its own interval is enough. */
const MAX_DOUBTS = 5;

export class RecordingSign {
  readonly #icon = drawn("record");
  readonly #text = h("span");
  readonly root = h("span", { class: "sign-on recording-sign", attributes: { hidden: true } }, this.#icon, this.#text);
  readonly #hooks: RecordingSignHooks;
  readonly #recorders = new Set<string>();
  /** Those who record, as a status has said: what a recorder captures for never changes. */
  readonly #confirmed = new Set<string>();
  /** Whether this connection has reported who is in the call. */
  #present = false;
  #status: FeatureStatus["state"] = "off";
  /** Grows when a recorder comes or goes: a status that was requested before says nothing about it. */
  #version = 0;
  /** How often in a row the status and the presence have differed. */
  #doubts = 0;
  #shown: RecordingState = "off";
  #announced: RecordingState = "off";

  constructor(hooks: RecordingSignHooks) {
    this.#hooks = hooks;
  }

  get version(): number {
    return this.#version;
  }

  get #captured(): boolean {
    return [...this.#recorders].some((recorder) => this.#confirmed.has(recorder));
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
    this.#version += 1;
    this.#doubts = 0;
    this.#show();
    this.#hooks.stale(true);
  }

  /** `version` is that of the time when the status was requested. */
  status({ recording, transcription }: Pick<Status, "recording" | "transcription">, version: number): void {
    this.#status = recording.state;
    if (recording.recorder && version === this.#version)
      for (const recorder of this.#recorders) this.#confirmed.add(recorder);
    const differs = this.#differs(recording, transcription);
    this.#doubts = differs ? this.#doubts + 1 : 0;
    if (differs && this.#doubts <= MAX_DOUBTS) this.#hooks.stale(false);
    this.#show();
  }

  #differs(recording: FeatureStatus, transcription: Status["transcription"]): boolean {
    // The server learns a moment later that Chime captures.
    if (this.#captured) return recording.state === "starting";
    if (this.#recorders.size > 0) return !transcription.recorder;
    return this.#present && recording.state === "active";
  }

  #show(): void {
    const state = this.#state();
    if (state !== this.#shown) this.#paint(state);
    // Without a recorder a recording that goes on is paused, stopped or between two captures: the next status says which.
    if (state === this.#announced || (state === "off" && (this.#status === "starting" || this.#status === "active")))
      return;
    this.#announced = state;
    announce(`sign.recording.${state}`);
    this.#hooks.changed(state);
  }

  #paint(state: RecordingState): void {
    this.#shown = state;
    this.root.hidden = state === "off";
    this.root.dataset["state"] = state;
    redraw(this.#icon, state === "paused" ? "pause" : "record");
    put(this.#text, state === "paused" ? "sign.paused" : "sign.recording");
  }

  /** Nobody is recorded without a sign: a status that says twice that Chime captures is believed, recorder or not. */
  #state(): RecordingState {
    const active = this.#status === "active";
    const byStatus = this.#present ? active && this.#doubts > 1 : active || this.#shown === "recording";
    if (this.#captured || byStatus) return "recording";
    return this.#status === "paused" ? "paused" : "off";
  }
}
