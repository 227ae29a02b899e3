// A call while its screen is shown: the screen, the media connection in use, and what is asked of the server meanwhile.

import type { Joined, Sample, Status } from "../answers.ts";
import { CallScreen } from "../call-screen/call-screen.ts";
import type { Choices } from "../devices.ts";
import { announce } from "../dom.ts";
import { Media, type MediaListener } from "../media.ts";
import { lineOf, Quality } from "../quality.ts";
import { closeDialogs, show } from "../screen.ts";
import { type CallControls, load, PARTS } from "../scripts.ts";
import type { Sdk } from "../sdk.ts";
import { wait } from "../wait.ts";
import { CallActions } from "./call-actions.ts";
import { CallRequests } from "./call-requests.ts";
import { ConsentQuestions } from "./consent-questions.ts";
import type { CallContext } from "./context.ts";
import type { ConsultationEvent } from "./phase.ts";
import { WakeLock } from "./wake-lock.ts";

/** The messages to the app. */
const RECORDING_EVENTS = {
  off: "RECORDING_STOPPED",
  recording: "RECORDING_STARTED",
  paused: "RECORDING_PAUSED",
} as const;

export interface ActiveCallHooks {
  dispatch(event: ConsultationEvent): void;
  leave(): void;
}

export class ActiveCall {
  /** Aborted when another screen takes the place of the call screen. */
  readonly signal: AbortSignal;
  readonly #context: CallContext;
  readonly #hooks: ActiveCallHooks;
  readonly #sdk: Sdk;
  readonly #choices: Choices;
  readonly #screen: CallScreen;
  readonly #actions: CallActions;
  readonly #consent: ConsentQuestions;
  #controls: CallControls | undefined;
  #status: Status | undefined;
  readonly #quality = new Quality();
  readonly #wakeLock = new WakeLock();
  readonly #requests: CallRequests;
  #joined: Joined;
  #connection = 0;
  #media: Media | undefined;
  #mediaRuns = false;
  #closed = false;

  /** Shows the call screen. */
  constructor(context: CallContext, hooks: ActiveCallHooks, sdk: Sdk, choices: Choices, joined: Joined) {
    this.#context = context;
    this.#hooks = hooks;
    this.#sdk = sdk;
    this.#choices = choices;
    this.#joined = joined;
    const actions = new CallActions(context.api, {
      joined: () => this.#joined,
      closed: () => this.#closed,
      leave: () => hooks.leave(),
      endConfirmed: (sessionId) => {
        this.#media?.sendRefresh();
        hooks.dispatch({ type: "endConfirmed", sessionId });
      },
      showEnding: (ending) => this.#screen.notice("ending", ending ? "leave.ending" : undefined),
      refresh: () => this.#refresh(),
    });
    this.#actions = actions;
    this.#screen = new CallScreen(joined.role, choices, {
      leave: () => actions.leave(),
      consent: (choice) => void this.#consent.answer(choice),
      loadControls: () => void this.#loadControls(),
      recordingChanged: (state) => context.bridge.emit(RECORDING_EVENTS[state], { sessionId: this.#joined.sessionId }),
      statusStale: (atOnce) => this.#requests.soon(atOnce),
      admit: (userId) => actions.admit(userId),
      turnAway: (userId) => actions.turnAway(userId),
      allow: (userId, kind, allowed) => actions.allow(userId, kind, allowed),
      remove: (userId, name) => actions.remove(userId, name),
    });
    this.#consent = new ConsentQuestions(context.api, {
      showConsent: (consent) => this.#screen.showConsent(consent),
      remind: (ask) => this.#screen.remind(ask),
      answered: () => this.#media?.sendRefresh(),
    });
    this.signal = show(this.#screen.screen);
    // No other screen has the controls: whatever takes this one's place, camera and microphone are off.
    this.signal.addEventListener("abort", () => void this.close(), { once: true });
    this.#requests = new CallRequests(context.api, this.signal, {
      readStatus: (signal) => this.#readStatus(signal),
      showRoster: (people) => {
        if (!this.#closed) this.#screen.showRoster(people);
      },
      sample: () => this.#sample(),
      showUnauthorized: (unauthorized) => this.showUnauthorized(unauthorized),
      excluded: (error) => hooks.dispatch({ type: "callStatusFailed", connection: this.#connection, error }),
    });
    this.#screen.notice("line", "call.connecting");
    if (joined.role === "provider") void this.#loadControls();
  }

  async #loadControls(): Promise<void> {
    try {
      const { callControls } = await load("controls");
      if (this.#closed) return;
      const controls = callControls(PARTS, this.#context.api, {
        notice: (name, text) => this.#screen.notice(name, text, true),
        namesOf: async (userIds) => {
          if (!this.#screen.knowsNamesOf(userIds)) await this.#requests.refresh().catch(() => undefined);
          return this.#screen.namesOf(userIds);
        },
        refresh: () => this.#refresh(),
      });
      this.#controls = controls;
      this.#screen.showControls(controls.root);
      if (this.#status) controls.status(this.#status, controls.version);
    } catch {
      this.#screen.showControls();
    }
  }

  /** Opens the first connection. */
  begin(connection: number): void {
    this.#open(connection, this.#joined);
    this.#requests.begin();
  }

  /** Opens another connection in place of the one that was lost. */
  async reopen(connection: number, joined: Joined): Promise<void> {
    const before = this.#media;
    this.#connection = connection;
    this.#joined = joined;
    await before?.stop();
    if (!this.#closed && this.#connection === connection) this.#open(connection, joined);
  }

  /** Hangs up. The promise ends when camera and microphone are off. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#mediaRuns = false;
    void this.#requests.flushSamples();
    closeDialogs();
    const media = this.#media;
    this.#media = undefined;
    // Each step of `stop` is carried out whatever becomes of the others.
    await media?.stop().catch(() => undefined);
    await this.#wakeLock.release();
  }

  showConnected(again: boolean): void {
    this.#mediaRuns = true;
    this.#screen.notice("line", undefined);
    this.#screen.begin(() => performance.now());
    announce(again ? "call.back" : "call.connected", true);
    void this.#wakeLock.request();
  }

  /** `established`: media has run before, so the person knows what was lost. */
  showDisconnected(established: boolean): void {
    this.#mediaRuns = false;
    if (established) this.#screen.notice("line", "call.reconnecting", true);
    this.#screen.showLine("unknown");
  }

  showUnauthorized(unauthorized = true): void {
    if (!this.#closed) this.#screen.notice("session", unauthorized ? "session.notice" : undefined, true);
  }

  /** The page is visible again. */
  seen(): void {
    if (this.#mediaRuns) void this.#wakeLock.request();
    // A page that was hidden has missed changes, and perhaps its devices.
    this.#requests.soon();
    this.#screen.resumeDevices();
  }

  /** Reads the status of the call and shows it, unless it changes the phase. */
  check(signal: AbortSignal): Promise<void> {
    return this.#requests.check(signal);
  }

  async #readStatus(signal: AbortSignal): Promise<Status | undefined> {
    const connection = this.#connection;
    const version = this.#controls?.version ?? 0;
    const { recorderVersion } = this.#screen;
    const status = await this.#consent.readStatus(signal);
    // Meanwhile another connection, and perhaps another session, may have taken the place of this one.
    if (connection !== this.#connection) return undefined;
    this.#hooks.dispatch({ type: "callStatus", connection, status });
    if (this.#closed) return undefined;
    this.#screen.showStatus(status, recorderVersion);
    this.#consent.askIfOpen(status, this.#joined);
    this.#status = status;
    this.#controls?.status(status, version);
    if (status.endsAt !== null) this.#actions.askToStay();
    return status;
  }

  /** Announces a change to the other pages, and reads status and roster again. */
  async #refresh(): Promise<void> {
    this.#media?.sendRefresh();
    await this.#requests.refresh();
  }

  #sample(): Sample | undefined {
    const sample = this.#mediaRuns ? this.#quality.sample() : undefined;
    if (sample) this.#screen.showLine(lineOf(sample));
    return sample;
  }

  #open(connection: number, joined: Joined): void {
    this.#connection = connection;
    this.#mediaRuns = false;
    const media = new Media(this.#sdk, joined, this.#screen.audio, this.#listener(connection));
    this.#media = media;
    this.#requests.present.clear();
    this.#quality.begin();
    this.#screen.attach(media);
    void media.start(this.#choices).catch(() => this.#mediaStopped(connection, "refused"));
    wait(1_000 * this.#context.config.mediaTimeoutSeconds, this.signal).then(
      () => {
        if (!media.began) this.#mediaStopped(connection, "line");
      },
      () => undefined,
    );
  }

  #listener(connection: number): MediaListener {
    const { listener } = this.#screen;
    return {
      ...listener,
      presence: (attendeeId, userId, present) => {
        listener.presence(attendeeId, userId, present);
        if (present) this.#requests.present.add(attendeeId);
        else this.#requests.present.delete(attendeeId);
        this.#requests.changed();
      },
      refresh: () => this.#requests.changed(),
      connecting: (again) => {
        if (again) this.#hooks.dispatch({ type: "mediaReconnecting", connection, at: Date.now() });
      },
      started: () => this.#hooks.dispatch({ type: "mediaStarted", connection, at: Date.now() }),
      stopped: (why) => this.#mediaStopped(connection, why),
      stats: (report) => {
        const stats: { type: string; id: string }[] = [];
        report.forEach((stat: { type: string; id: string }) => {
          stats.push(stat);
        });
        this.#quality.read(stats, Date.now());
      },
      line: (poor) => {
        if (poor) this.#screen.showLine("poor");
      },
    };
  }

  #mediaStopped(connection: number, why: Parameters<MediaListener["stopped"]>[0]): void {
    this.#hooks.dispatch({ type: "mediaStopped", connection, at: Date.now(), why });
  }
}
