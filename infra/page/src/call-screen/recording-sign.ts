// The sign that the call is being recorded. It follows Chime's recorder, which is in the call as an attendee of its own; the status
// confirms it.

import type { FeatureStatus } from "../answers.ts";
import { announce, drawn, h, redraw } from "../dom.ts";
import { put } from "../text.ts";

/** What is done now, and not what was requested. */
export type RecordingState = "off" | "recording" | "paused";

interface RecordingSignHooks {
  changed(state: RecordingState): void;
  /** The status is to be read again soon: the recorder has come or gone, or the status says otherwise. */
  stale(): void;
}

/** How often in a row the status is read again soon because it differs from the presence. Afterwards its own interval is enough. */
const MAX_DOUBTS = 5;

export class RecordingSign {
  readonly #icon = drawn("record");
  readonly #text = h("span");
  readonly root = h("span", { class: "sign-on recording-sign", attributes: { hidden: true } }, this.#icon, this.#text);
  readonly #hooks: RecordingSignHooks;
  readonly #recorders = new Set<string>();
  /** Whether this connection has reported who is in the call. */
  #present = false;
  #status: FeatureStatus["state"] = "off";
  /** How often in a row the status has said that Chime captures while no recorder was there. */
  #doubts = 0;
  #shown: RecordingState = "off";
  #announced: RecordingState = "off";

  constructor(hooks: RecordingSignHooks) {
    this.#hooks = hooks;
  }

  get captured(): boolean {
    return this.#recorders.size > 0;
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
    this.#doubts = 0;
    this.#show();
    this.#hooks.stale();
  }

  status({ state }: FeatureStatus): void {
    this.#status = state;
    const differs = state === "active" && this.#present && !this.captured;
    this.#doubts = differs ? this.#doubts + 1 : 0;
    if (differs && this.#doubts <= MAX_DOUBTS) this.#hooks.stale();
    this.#show();
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
    const byStatus = this.#present ? this.#doubts > 1 : this.#status === "active" || this.#shown === "recording";
    if (this.captured || byStatus) return "recording";
    return this.#status === "paused" ? "paused" : "off";
  }
}
