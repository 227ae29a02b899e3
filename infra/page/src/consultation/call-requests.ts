// The requests that a page makes during a call, and when it makes them: for the status, for the roster, and with the samples of the
// connection's quality. Without a screen, so that a test can count the requests of many calls.

import type { Person, Sample, Status } from "../answers.ts";
import type { Api } from "../api.ts";
import { wait } from "../wait.ts";
import { Cadence } from "./cadence.ts";
import { endsParticipation, isAbort, isUnauthorized, retryDelay } from "./errors.ts";

/** With others in the call, whose pages and connection report most changes at once. Spread, so that pages do not ask together. */
const STATUS_INTERVAL_MS = 25_000;
const STATUS_SPREAD_MS = 5_000;
/** Alone: a person who waits to be admitted is not in the call, so only the status has them. */
const ALONE_INTERVAL_MS = 10_000;
const SAMPLE_INTERVAL_MS = 10_000;
/** Two minutes of samples are sent together. */
const SAMPLES_PER_REQUEST = 12;

export interface CallRequestHooks {
  /** Reads the status and shows it; nothing if it is not of this call any more. */
  readStatus(signal: AbortSignal): Promise<Status | undefined>;
  showRoster(people: Person[]): void;
  /** The sample of the last ten seconds, if there is one. */
  sample(): Sample | undefined;
  /** Whether the app has to sign in again. */
  showUnauthorized(unauthorized: boolean): void;
  /** The server has said that this person takes no part in the call. */
  excluded(error: unknown): void;
}

export class CallRequests {
  /** Attendees in the call, as the connection reports them. */
  readonly present = new Set<string>();
  readonly #api: Api;
  readonly #signal: AbortSignal;
  readonly #hooks: CallRequestHooks;
  readonly #cadence = new Cadence();
  #samples: Sample[] = [];
  /** The people of the last status, to see whether the roster has to be read again. */
  #people = "";
  #rosterStale = true;

  /** The signal is aborted when another screen takes the place of the call screen. */
  constructor(api: Api, signal: AbortSignal, hooks: CallRequestHooks) {
    this.#api = api;
    this.#signal = signal;
    this.#hooks = hooks;
  }

  /** Both loops end with the call screen. */
  begin(): void {
    for (const loop of [this.#watchStatus(), this.#sendSamples()])
      loop.catch((error) => {
        if (!isAbort(error)) throw error;
      });
  }

  /** There is a sign that the people of the call have changed. */
  changed(): void {
    this.#rosterStale = true;
    this.soon();
  }

  /** Reads the status soon, or at once where nobody else can make the page ask often. */
  soon(atOnce = false): void {
    this.#cadence.soon(atOnce);
  }

  /** Reads the status and the roster now. */
  refresh(): Promise<void> {
    this.#rosterStale = true;
    return this.check();
  }

  /** Reads the status now, and the roster if it may have changed. */
  async check(signal = this.#signal): Promise<void> {
    this.#cadence.begin();
    const status = await this.#hooks.readStatus(signal);
    if (!status) return;
    // The connection reports who comes and goes; the server knows those of whom it has not reported.
    const people = JSON.stringify([status.present, status.waiting, status.me]);
    if (people !== this.#people) this.#rosterStale = true;
    this.#people = people;
    if (this.#rosterStale) await this.#readRoster();
  }

  /** Sends the samples that have not been sent. Those that do not arrive are not sent again: others follow in two minutes. */
  async flushSamples(): Promise<void> {
    const samples = this.#samples.splice(0);
    if (samples.length > 0) await this.#api.quality(samples).catch(() => undefined);
  }

  /** Reads the status as long as the call is shown. A server that does not answer ends nothing: media goes on without it. */
  async #watchStatus(): Promise<void> {
    for (;;) {
      let pause = 0;
      try {
        await this.check();
        this.#hooks.showUnauthorized(false);
      } catch (error) {
        if (isAbort(error)) return;
        if (endsParticipation(error)) return this.#hooks.excluded(error);
        if (isUnauthorized(error)) this.#hooks.showUnauthorized(true);
        pause = retryDelay(error);
      }
      // No sign of a change makes the page ask before the server's own time has passed.
      await wait(pause, this.#signal);
      await this.#cadence.pause(this.#interval(), this.#signal);
    }
  }

  async #sendSamples(): Promise<void> {
    for (;;) {
      await wait(SAMPLE_INTERVAL_MS, this.#signal);
      const sample = this.#hooks.sample();
      if (!sample) continue;
      this.#samples.push(sample);
      if (this.#samples.length >= SAMPLES_PER_REQUEST) await this.flushSamples();
    }
  }

  async #readRoster(): Promise<void> {
    this.#rosterStale = false;
    const people = await this.#api.roster().catch(() => undefined);
    // Without an answer the next status leads to another request.
    if (people) this.#hooks.showRoster(people);
    else this.#rosterStale = true;
  }

  #interval(): number {
    // The person is one of those who are present.
    if (this.present.size < 2) return ALONE_INTERVAL_MS;
    return STATUS_INTERVAL_MS + Math.random() * STATUS_SPREAD_MS;
  }
}
