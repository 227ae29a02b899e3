// A call while its screen is shown: the screen, the media connection in use, and what is asked of the server meanwhile.

import type { Joined, Sample, Status } from "../answers.ts";
import { CallScreen } from "../call-screen/call-screen.ts";
import type { Choices } from "../devices.ts";
import { announce } from "../dom.ts";
import { Media, type MediaListener } from "../media.ts";
import { lineOf, Quality } from "../quality.ts";
import { closeDialogs, show } from "../screen.ts";
import type { Sdk } from "../sdk.ts";
import { wait } from "../wait.ts";
import { Cadence } from "./cadence.ts";
import { CallActions } from "./call-actions.ts";
import { ConsentQuestions } from "./consent-questions.ts";
import type { CallContext } from "./context.ts";
import { endsParticipation, isAbort, isUnauthorized, retryDelay } from "./errors.ts";
import type { ConsultationEvent } from "./phase.ts";
import { WakeLock } from "./wake-lock.ts";

/** With others in the call, whose pages and connection report most changes at once. Spread, so that pages do not ask together. */
const STATUS_INTERVAL_MS = 25_000;
const STATUS_SPREAD_MS = 5_000;
/** Alone: a person who waits to be admitted is not in the call, so only the status has them. */
const ALONE_INTERVAL_MS = 10_000;
const SAMPLE_INTERVAL_MS = 10_000;
/** Two minutes of samples are sent together. */
const SAMPLES_PER_REQUEST = 12;

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
  readonly #quality = new Quality();
  readonly #wakeLock = new WakeLock();
  readonly #cadence = new Cadence();
  /** Attendees in the call, as the connection reports them. */
  readonly #present = new Set<string>();
  #samples: Sample[] = [];
  #joined: Joined;
  #connection = 0;
  #media: Media | undefined;
  #mediaRuns = false;
  #closed = false;
  /** The people of the last status, to see whether the roster has to be read again. */
  #people = "";
  #rosterStale = true;

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
      refresh: async () => {
        this.#media?.sendRefresh();
        this.#rosterStale = true;
        await this.check(this.signal);
      },
    });
    this.#actions = actions;
    this.#screen = new CallScreen(joined.role, choices, {
      leave: () => actions.leave(),
      consent: (choice) => void this.#consent.answer(choice),
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
    this.#screen.notice("line", "call.connecting");
  }

  /** Opens the first connection. */
  begin(connection: number): void {
    this.#open(connection, this.#joined);
    void this.#watchStatus();
    void this.#sendSamples();
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
    void this.#flushSamples();
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

  showUnauthorized(): void {
    this.#screen.notice("session", "session.notice", true);
  }

  /** The page is visible again. */
  seen(): void {
    if (this.#mediaRuns) void this.#wakeLock.request();
    // A page that was hidden has missed changes, and perhaps its devices.
    this.#cadence.soon();
    this.#screen.resumeDevices();
  }

  /** Reads the status of the call and shows it, unless it changes the phase. */
  async check(signal: AbortSignal): Promise<void> {
    const connection = this.#connection;
    this.#cadence.begin();
    const status = await this.#consent.readStatus(signal);
    // Meanwhile another connection, and perhaps another session, may have taken the place of this one.
    if (connection !== this.#connection) return;
    this.#hooks.dispatch({ type: "callStatus", connection, status });
    if (this.#closed) return;
    this.#showStatus(status);
    if (this.#rosterStale) await this.#readRoster();
  }

  #open(connection: number, joined: Joined): void {
    this.#connection = connection;
    this.#mediaRuns = false;
    const media = new Media(this.#sdk, joined, this.#screen.audio, this.#listener(connection));
    this.#media = media;
    this.#present.clear();
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
        if (present) this.#present.add(attendeeId);
        else this.#present.delete(attendeeId);
        this.#rosterStale = true;
        this.#cadence.soon();
      },
      refresh: () => {
        this.#rosterStale = true;
        this.#cadence.soon();
      },
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

  #showStatus(status: Status): void {
    this.#screen.showStatus(status);
    // The connection reports who comes and goes; the server knows those of whom it has not reported.
    const people = JSON.stringify([status.present, status.waiting, status.me]);
    if (people !== this.#people) this.#rosterStale = true;
    this.#people = people;
    this.#consent.askIfOpen(status, this.#joined);
    if (status.endsAt !== null) this.#actions.askToStay();
  }

  /** Reads the status as long as the call is shown. A server that does not answer ends nothing: media goes on without it. */
  async #watchStatus(): Promise<void> {
    try {
      for (;;) {
        let pause = 0;
        try {
          await this.check(this.signal);
          if (!this.#closed) this.#screen.notice("session", undefined);
        } catch (error) {
          if (isAbort(error)) return;
          if (endsParticipation(error)) {
            this.#hooks.dispatch({ type: "callStatusFailed", connection: this.#connection, error });
            return;
          }
          if (isUnauthorized(error)) this.showUnauthorized();
          pause = retryDelay(error);
        }
        // No sign of a change makes the page ask before the server's own time has passed.
        await wait(pause, this.signal);
        await this.#cadence.pause(this.#interval(), this.signal);
      }
    } catch (error) {
      // The loop ends with the call screen.
      if (!isAbort(error)) throw error;
    }
  }

  async #sendSamples(): Promise<void> {
    try {
      for (;;) {
        await wait(SAMPLE_INTERVAL_MS, this.signal);
        const sample = this.#mediaRuns ? this.#quality.sample() : undefined;
        if (!sample) continue;
        this.#screen.showLine(lineOf(sample));
        this.#samples.push(sample);
        if (this.#samples.length >= SAMPLES_PER_REQUEST) await this.#flushSamples();
      }
    } catch (error) {
      if (!isAbort(error)) throw error;
    }
  }

  /** Samples that do not arrive are not sent again: others follow in two minutes. */
  async #flushSamples(): Promise<void> {
    const samples = this.#samples.splice(0);
    if (samples.length > 0) await this.#context.api.quality(samples).catch(() => undefined);
  }

  async #readRoster(): Promise<void> {
    this.#rosterStale = false;
    const people = await this.#context.api.roster().catch(() => undefined);
    // Without an answer the next status leads to another request.
    if (!people) this.#rosterStale = true;
    else if (!this.#closed) this.#screen.showRoster(people);
  }

  #interval(): number {
    // The person is one of those who are present.
    if (this.#present.size < 2) return ALONE_INTERVAL_MS;
    return STATUS_INTERVAL_MS + Math.random() * STATUS_SPREAD_MS;
  }
}
