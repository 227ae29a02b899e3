// The SDK's meeting session: audio, video and captions of one connection. It does not know whether the call has ended: it only
// reports that it stopped, and the page asks the server.

import type * as Chime from "amazon-chime-sdk-js";
import type { Joined } from "./answers.ts";
import type { Choices } from "./devices.ts";
import { MediaDevices } from "./media-devices.ts";
import type { Sdk } from "./sdk.ts";
import { MicrophoneLevel } from "./silence.ts";
import { type StopReason, stopReasonOf } from "./stop-reason.ts";
import { wait } from "./wait.ts";

/** A video tile: a person's camera or a shared screen. */
export interface Tile {
  id: number;
  attendeeId: string;
  userId: string;
  content: boolean;
  /** Whether the tile has video at present. */
  seen: boolean;
  paused: boolean;
}

export interface Caption {
  id: string;
  attendeeId: string;
  userId: string;
  text: string;
  partial: boolean;
}

export interface Voice {
  volume: number | null;
  muted: boolean | null;
  signal: number | null;
}

/** The reports of a connection. */
export interface MediaListener {
  connecting(again: boolean): void;
  started(): void;
  /** The connection has stopped, which says nothing about the end of the call. */
  stopped(why: StopReason): void;
  presence(attendeeId: string, userId: string, present: boolean): void;
  recorder(attendeeId: string, present: boolean): void;
  voice(attendeeId: string, voice: Voice): void;
  tile(tile: Tile): void;
  tileGone(id: number): void;
  caption(caption: Caption): void;
  transcription(running: boolean): void;
  muted(muted: boolean): void;
  /** A device that should be on could not be opened, or has disappeared. */
  lost(kind: "microphone" | "camera"): void;
  /** The operating system uses the microphone for something else, or no longer does. */
  held(held: boolean): void;
  sharing(on: boolean): void;
  /** Another page says that the state of the call has changed. */
  refresh(): void;
  stats(report: RTCStatsReport): void;
  /** How loud the own microphone has been since the last report, from 0 to 1. */
  level(level: number): void;
  line(poor: boolean): void;
}

/** The topic of the message by which a page announces to the others that the state of the call has changed. It has no content. */
const REFRESH_TOPIC = "medzen-refresh";
/** How long joining waits for the microphone: a browser that asks the person, or a device that does not answer, delays no call. */
const MICROPHONE_WAIT_MS = 5_000;
/** How long the SDK tries to restore a lost connection, before the page asks the server for a new place. */
const RECONNECT_MS = 30_000;

function isRecorder(...ids: (string | null | undefined)[]): boolean {
  return ids.some((id) => id?.startsWith("aws:MediaPipeline"));
}

export class Media {
  readonly attendeeId: string;
  readonly #session: Chime.DefaultMeetingSession;
  readonly #controller: Chime.DefaultDeviceController;
  readonly #codes: Sdk["MeetingSessionStatusCode"];
  readonly #listener: MediaListener;
  readonly #audio: HTMLAudioElement;
  readonly devices: MediaDevices;
  readonly #level = new MicrophoneLevel();
  #stopped = false;
  #began = false;

  constructor(sdk: Sdk, joined: Joined, audio: HTMLAudioElement, listener: MediaListener) {
    // The SDK's logger would write ids and addresses of the call to the console.
    const logger = new sdk.NoOpLogger(sdk.LogLevel.OFF);
    const configuration = new sdk.MeetingSessionConfiguration(joined.meeting, joined.attendee);
    configuration.reconnectTimeoutMs = RECONNECT_MS;
    configuration.videoDownlinkBandwidthPolicy = new sdk.VideoPriorityBasedPolicy(logger);
    this.#controller = new sdk.DefaultDeviceController(logger, { enableWebAudio: false });
    this.#session = new sdk.DefaultMeetingSession(configuration, logger, this.#controller);
    this.devices = new MediaDevices(this.#session.audioVideo, this.#controller);
    this.#codes = sdk.MeetingSessionStatusCode;
    this.#listener = listener;
    this.#audio = audio;
    this.attendeeId = configuration.credentials?.attendeeId ?? "";
    this.#observe();
  }

  /** Whether audio and video have run. */
  get began(): boolean {
    return this.#began;
  }

  /** Begins to connect; the listener receives the result. */
  async start(choices: Choices): Promise<void> {
    const av = this.#session.audioVideo;
    const wanted = choices.microphone && choices.audioInput !== undefined;
    // A device that fails does not prevent joining: the person listens, and can choose another one. One that is off is not opened.
    const microphone = wanted ? this.#openMicrophone(choices.audioInput ?? "") : Promise.resolve();
    await Promise.race([microphone, wait(MICROPHONE_WAIT_MS)]);
    if (this.#stopped) return;
    // The SDK knows no speaker and reports no new device before it was asked for a list. It must not ask the person for
    // permission in order to read the labels.
    this.#controller.setDeviceLabelTrigger(async () => new MediaStream());
    await av.listAudioOutputDevices().catch(() => undefined);
    await av.chooseAudioOutput(choices.audioOutput || null).catch(() => undefined);
    await av.bindAudioElement(this.#audio).catch(() => undefined);
    if (!wanted) this.devices.mute(true);
    if (this.#stopped) return;
    av.start();
    if (choices.camera && choices.videoInput !== undefined)
      await this.devices.openCamera(choices.videoInput).catch(() => this.#lost("camera"));
  }

  /** A failure is reported once the call screen can show it. */
  async #openMicrophone(id: string): Promise<void> {
    await this.devices.openMicrophone(id).catch(() => this.#lost("microphone"));
  }

  /** Closes the connection. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    const av = this.#session.audioVideo;
    // Each step runs whatever becomes of the others: camera and microphone are switched off in any case.
    const steps = [
      () => av.stopContentShare(),
      () => av.stopLocalVideoTile(),
      () => av.stop(),
      () => av.stopVideoInput(),
      () => av.stopAudioInput(),
      () => av.unbindAudioElement(),
      () => this.devices.close(),
    ];
    await Promise.allSettled(steps.map(async (step) => step()));
    // Without `destroy`: tasks that the SDK still runs after `stop` would fail on what it removes.
  }

  async speaker(id: string): Promise<void> {
    await this.#session.audioVideo.chooseAudioOutput(id || null);
  }

  async share(): Promise<void> {
    await this.#session.audioVideo.startContentShareFromScreenCapture();
  }

  unshare(): void {
    this.#session.audioVideo.stopContentShare();
  }

  /** Announces to the other pages that the state of the call has changed. A message that does not arrive is made up for by their next poll. */
  sendRefresh(): void {
    if (!this.#stopped && this.#began) this.#session.audioVideo.realtimeSendDataMessage(REFRESH_TOPIC, REFRESH_TOPIC);
  }

  bind(tile: number, element: HTMLVideoElement): void {
    if (!this.#stopped) this.#session.audioVideo.bindVideoElement(tile, element);
  }

  #observe(): void {
    const av = this.#session.audioVideo;
    const to = this.#listener;
    const whileOpen =
      <A extends unknown[]>(report: (...values: A) => void) =>
      (...values: A) => {
        if (!this.#stopped) report(...values);
      };
    av.addObserver({
      audioVideoDidStartConnecting: whileOpen((again) => to.connecting(again)),
      audioVideoDidStart: whileOpen(() => {
        this.#began = true;
        to.started();
      }),
      audioVideoDidStop: whileOpen((status) => to.stopped(stopReasonOf(status.statusCode(), this.#codes))),
      videoTileDidUpdate: whileOpen((state) => {
        if (state.tileId === null || !state.boundAttendeeId) return;
        if (isRecorder(state.boundAttendeeId, state.boundExternalUserId)) return;
        const attendeeId = state.boundAttendeeId.replace(/#content$/, "");
        to.tile({
          id: state.tileId,
          attendeeId,
          userId: state.boundExternalUserId?.replace(/#content$/, "") ?? "",
          content: state.isContent,
          seen: state.boundVideoStream !== null,
          paused: state.paused,
        });
      }),
      videoTileWasRemoved: whileOpen((id) => to.tileGone(id)),
      metricsDidReceive: whileOpen((metrics) => {
        const report = metrics.getRTCStatsReport();
        to.stats(report);
        const level = this.#level.read(report);
        if (level !== undefined) to.level(level);
      }),
      connectionDidBecomePoor: whileOpen(() => to.line(true)),
      connectionDidBecomeGood: whileOpen(() => to.line(false)),
    });
    av.addContentShareObserver({
      contentShareDidStart: whileOpen(() => to.sharing(true)),
      contentShareDidStop: whileOpen(() => to.sharing(false)),
    });
    av.addDeviceChangeObserver({
      audioInputStreamEnded: whileOpen(() => {
        this.loseMicrophone();
      }),
      videoInputStreamEnded: whileOpen(() => {
        this.loseCamera();
      }),
      audioInputMuteStateChanged: whileOpen((_, held) => to.held(held)),
    });
    const subscribed = new Set<string>();
    const recorders = new Set<string>();
    av.realtimeSubscribeToAttendeeIdPresence(
      whileOpen((attendeeId, present, externalUserId) => {
        // A shared screen is an attendee of Chime, but no person.
        if (attendeeId.endsWith("#content")) return;
        // Chime's recorder joins as an attendee too. A report that it has gone may come without its name.
        if (recorders.has(attendeeId) || isRecorder(attendeeId, externalUserId)) {
          recorders.add(attendeeId);
          to.recorder(attendeeId, present);
          return;
        }
        to.presence(attendeeId, externalUserId ?? "", present);
        if (!present || subscribed.has(attendeeId)) return;
        subscribed.add(attendeeId);
        av.realtimeSubscribeToVolumeIndicator(
          attendeeId,
          whileOpen((id, volume, muted, signal) => to.voice(id, { volume, muted, signal })),
        );
      }),
    );
    av.realtimeSubscribeToReceiveDataMessage(
      REFRESH_TOPIC,
      whileOpen((message) => {
        // The service gives a sender its own message back if it sends too many.
        if (!message.throttled) to.refresh();
      }),
    );
    av.realtimeSubscribeToMuteAndUnmuteLocalAudio(whileOpen((muted) => to.muted(muted)));
    av.transcriptionController?.subscribeToTranscriptEvent(whileOpen((event) => this.#transcript(event)));
  }

  /** The microphone has disappeared. To a muted person that is of interest only when they turn it on. */
  loseMicrophone(): void {
    void this.devices.loseMicrophone().catch(() => undefined);
    if (this.devices.muted) return;
    this.devices.mute(true);
    this.#lost("microphone");
  }

  loseCamera(): void {
    void this.devices.closeCamera().catch(() => undefined);
    this.#lost("camera");
  }

  #lost(kind: "microphone" | "camera"): void {
    if (!this.#stopped) this.#listener.lost(kind);
  }

  #transcript(event: Chime.TranscriptEvent): void {
    if ("type" in event) {
      const state: string = event.type;
      this.#listener.transcription(state === "started" || state === "resumed");
      return;
    }
    for (const result of event.results) {
      const best = result.alternatives[0];
      const who = best?.items[0]?.attendee;
      if (!best) continue;
      this.#listener.caption({
        id: result.resultId,
        attendeeId: who?.attendeeId ?? "",
        userId: who?.externalUserId ?? "",
        text: best.transcript,
        partial: result.isPartial,
      });
    }
  }
}
