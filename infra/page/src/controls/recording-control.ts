// The recording as the provider controls it: the requests, and the state that follows from their answers and from the status.

import type { Body, ErrorCode, FeatureStatus, Recording } from "../answers.ts";
import type { Api, ApiError } from "../api.ts";
import type { ControlHooks, PageParts } from "../scripts.ts";
import type { Key, Text } from "../text.ts";
import { type RecordingActions, RecordingPanel } from "./recording-panel.ts";

/** What is known of a recording: all of it, or what the status says. */
type Known = Pick<Recording, "recordingId" | "state" | "capturing" | "pauseReason" | "endReason"> & {
  captured: boolean;
};

export class RecordingControl implements RecordingActions {
  readonly #api: Api;
  readonly #hooks: ControlHooks;
  readonly #panel: RecordingPanel;
  #known: Known | undefined;
  #busy: "start" | "other" | undefined;
  /** Grows with each request and each answer to one: a status that was requested before is older than the answer. */
  #version = 0;
  /** The number of the last recording that was read because a status differed. */
  #reading = 0;

  constructor(page: PageParts, api: Api, hooks: ControlHooks) {
    this.#api = api;
    this.#hooks = hooks;
    this.#panel = new RecordingPanel(page, this);
  }

  get root(): HTMLElement {
    return this.#panel.root;
  }

  get version(): number {
    return this.#version;
  }

  start(): void {
    void this.#request("start", () => this.#api.startRecording());
  }

  pause(): void {
    this.#change("pause");
  }

  resume(): void {
    this.#change("resume");
  }

  stop(): void {
    this.#change("stop");
  }

  /** Takes over what a status says. `version` is that of the time when it was requested. */
  async status(status: FeatureStatus, version: number): Promise<void> {
    const before = this.#known;
    const id = status.recordingId ?? (before && (isOpen(before) || before.capturing) ? before.recordingId : undefined);
    if (version !== this.#version || id === undefined || same(before, status)) return;
    this.#reading += 1;
    const reading = this.#reading;
    const read = await this.#api.recording(id).catch(() => undefined);
    if (version !== this.#version || reading !== this.#reading) return;
    if (read) this.#learn(read);
    else this.#known = knownOf(status);
    const text = this.#known && changeOf(this.#known);
    // Else the notice is the answer to the provider's request, which still holds.
    if (text || this.#known?.state === "recording") this.#hooks.notice("recording", text);
    this.#show();
  }

  #change(change: "pause" | "resume" | "stop"): void {
    const id = this.#known?.recordingId;
    if (id !== undefined) void this.#request("other", () => this.#api.changeRecording(id, change));
  }

  async #request(kind: "start" | "other", ask: () => Promise<Recording>): Promise<void> {
    this.#busy = kind;
    this.#version += 1;
    this.#hooks.notice("recording", undefined);
    this.#show();
    try {
      this.#learn(await ask());
    } catch (error) {
      this.#hooks.notice("recording", await this.#textOf(error));
    }
    this.#busy = undefined;
    this.#version += 1;
    this.#show();
    // The call's own loop reads the status again.
    await this.#hooks.refresh().catch(() => undefined);
  }

  #learn({ recordingId, state, capturing, pauseReason, endReason, segments }: Recording): void {
    const captured = segments.length > 0;
    this.#known = { recordingId, state, capturing, pauseReason, endReason, captured };
  }

  async #textOf(error: unknown): Promise<Text> {
    // By its fields: this script has a class of its own.
    const { kind, code, details } = error as Partial<ApiError>;
    switch (code as ErrorCode) {
      case "CONSENT_REQUIRED":
        return ["recording.missing", { names: await this.#hooks.namesOf(missingOf(details)) }];
      case "RECORDING_PAUSED":
        return "recording.isPaused";
      case "RECORDING_CAPACITY":
        return "recording.capacity";
      case "RECORDING_ENDED":
      case "RECORDING_NOT_FOUND":
        return "recording.ended";
    }
    if (kind === "busy") return "recording.busy";
    if (kind === "forbidden") return "recording.forbidden";
    return kind === "down" || kind === "offline" ? "recording.down" : "people.failed";
  }

  #show(): void {
    const known = this.#known;
    const open = known !== undefined && isOpen(known);
    this.#panel.show({
      text: this.#busy === "start" ? "recording.starting" : textOf(known),
      action: !open ? "start" : known.state === "paused" ? "resume" : "pause",
      open,
      busy: this.#busy !== undefined,
    });
  }
}

function isOpen({ state }: Known): boolean {
  return state === "recording" || state === "paused";
}

function same(known: Known | undefined, { recordingId, state }: FeatureStatus): boolean {
  if (known?.recordingId !== recordingId) return false;
  return state === (known?.state === "paused" ? "paused" : known?.capturing ? "active" : "starting");
}

/** What the status says of a recording of which the server says no more. */
function knownOf({ recordingId, state, reason }: FeatureStatus): Known | undefined {
  if (recordingId === null) return undefined;
  const capturing = state === "active";
  const pauseReason = reason === "consent_missing" ? reason : null;
  const open = state === "paused" ? state : "recording";
  return { recordingId, state: open, capturing, pauseReason, endReason: null, captured: capturing };
}

/** The state in words. */
function textOf(known: Known | undefined): Key {
  if (!known) return "recording.off";
  switch (known.state) {
    case "recording":
      return known.capturing ? "sign.recording.recording" : "recording.starting";
    case "paused":
      return known.pauseReason === "consent_missing" ? "recording.pausedConsent" : "recording.paused";
    default:
      return known.capturing ? "recording.stopping" : (changeOf(known) ?? "sign.recording.off");
  }
}

/** Why the recording does not go on, if nobody has asked for that. */
function changeOf({ state, pauseReason, endReason, captured }: Known): Key | undefined {
  if (state === "paused") return pauseReason === "consent_missing" ? "recording.pausedConsent" : undefined;
  switch (endReason) {
    case "consent_revoked":
      return "recording.revoked";
    case "everyone_left":
      return "recording.everyoneLeft";
    case "capacity":
      return "recording.capacity";
    case "capture_failed":
      return captured ? "recording.broken" : "recording.failed";
    default:
      return undefined;
  }
}

/** The users whose consent is missing, of an answer `CONSENT_REQUIRED`. */
export function missingOf(details: Body | undefined): string[] {
  const missing = details?.["missing"];
  return Array.isArray(missing) ? missing.filter((one) => typeof one === "string") : [];
}
