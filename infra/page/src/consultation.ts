// A consultation from joining to its end. The server owns the state of the call: what the connection reports makes the page
// ask, and only the answer says that the call has ended.

import { ApiError, type Api } from "./api.ts";
import type { Feature, Joined, Role, Status, Waiting } from "./answers.ts";
import type { Bridge } from "./bridge.ts";
import { CallScreen } from "./call-screen.ts";
import type { Wishes } from "./check.ts";
import type { Config } from "./config.ts";
import { askConsent, unanswered, type Choice } from "./consent.ts";
import type { Choices } from "./devices.ts";
import { announce, h } from "./dom.ts";
import { Media, type MediaListener } from "./media.ts";
import { lineOf, Quality } from "./quality.ts";
import { closeDialogs, dialog, message, show, shown } from "./screen.ts";
import type { Sdk } from "./sdk.ts";
import { languageNow, type Key } from "./text.ts";
import { wait } from "./wait.ts";

/** What a consultation needs and what it hands back. */
export interface Around {
  api: Api;
  bridge: Bridge;
  config: Config;
  sdk: Promise<Sdk>;
  /** Shows what stands in the way; `again` tries anew. */
  trouble(error: unknown, again: () => void): void;
  /** Back to the beginning: asks the server and goes where it says. */
  begin(): void;
}

/** How often the server is asked: in the call, and while waiting for its beginning. */
const IN_CALL_MS = 5_000;
const WAITING_MS = 3_000;
const SAMPLE_MS = 10_000;
/** Coming back after a lost line: how often it is tried before the person is asked. */
const RETURNS = 5;

export class Consultation {
  readonly #around: Around;
  readonly #choices: Choices;
  readonly #wishes: Wishes;
  readonly #provider: boolean;
  readonly #quality = new Quality();
  #joined: Joined | undefined;
  #media: Media | undefined;
  #screen: CallScreen | undefined;
  #signal: AbortSignal | undefined;
  #connected = false;
  #told = false;
  #returning = false;
  #over = false;
  #asked = new Set<Feature>();
  #people = "";
  #lock: WakeLockSentinel | undefined;

  constructor(around: Around, provider: boolean, choices: Choices, wishes: Wishes) {
    this.#around = around;
    this.#provider = provider;
    this.#choices = choices;
    this.#wishes = wishes;
  }

  /** Goes in: starts the call or joins it, and waits where one has to. `checked` after it could not be reached. */
  async enter(checked = false): Promise<void> {
    const signal = show(message({ name: "joining", icon: "link", title: "joining.title", body: ["joining.body"], actions: [], busy: true }));
    try {
      const answer = await this.#ask(checked);
      if (signal.aborted) return;
      if (isWaiting(answer)) await this.#wait(answer.sessionId);
      else await this.#connect(answer);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      if (error instanceof ApiError && error.code === "NO_ACTIVE_CALL" && !this.#provider) await this.#notStarted();
      else if (error instanceof ApiError && error.trouble === "conflict") await this.#shortly(signal);
      else this.#around.trouble(error, () => void this.enter(checked));
    }
  }

  /** Leaves, on the app's word or the person's. */
  async leave(): Promise<void> {
    const joined = this.#joined;
    await this.#hangUp();
    if (joined) {
      void this.#around.api.leave().catch(() => undefined);
      this.#around.bridge.tell("MEETING_LEFT", { sessionId: joined.sessionId });
    } else if (shown() === "waiting") {
      void this.#around.api.leave().catch(() => undefined);
    }
    this.#left();
  }

  /** The page is going away. */
  vanish(): void {
    if (this.#joined && !this.#over) this.#around.api.leaveNow();
  }

  /** The browser says that the network is back. */
  online(): void {
    if (this.#screen && !this.#connected && !this.#returning && this.#told) void this.#comeBack();
  }

  #ask(checked: boolean): Promise<Joined | Waiting> {
    const { api } = this.#around;
    if (!this.#provider) return api.join(checked);
    const wished = this.#wishes.recording || this.#wishes.transcription;
    return api.start({
      ...(checked ? { checked } : {}),
      ...(wished ? { enableRecording: this.#wishes.recording, enableTranscription: this.#wishes.transcription } : {}),
      ...(this.#wishes.transcription ? { transcriptionLanguage: languageNow() === "fr" ? "fr-FR" : "en-US" } : {}),
    });
  }

  /** The call is just beginning or just ending: what it comes to is known in a moment. */
  async #shortly(signal: AbortSignal): Promise<void> {
    await wait(1_500, signal).then(() => this.enter(), ignoreAbort);
  }

  /** There is no call yet. As soon as there is one, this person is in it. */
  async #notStarted(): Promise<void> {
    const signal = show(message({ name: "not-started", icon: "clock", title: "notStarted.title", body: ["notStarted.body"], hints: ["notStarted.hint"], actions: [{ text: "leave.waiting", press: () => void this.leave(), quiet: true }], busy: true }));
    await this.#poll(signal, (status) => {
      if (status.hasActiveCall) {
        void this.enter();
        return true;
      }
      return false;
    });
  }

  /** In the waiting room, until the provider has answered. */
  async #wait(sessionId: string): Promise<void> {
    this.#around.bridge.tell("MEETING_WAITING", { sessionId });
    const signal = show(message({ name: "waiting", icon: "clock", title: "waiting.title", body: ["waiting.body"], hints: ["waiting.hint.1", "waiting.hint.2"], actions: [{ text: "leave.waiting", press: () => void this.leave(), quiet: true }], busy: true }));
    await this.#poll(signal, (status) => {
      if (this.#shutOut(status)) return true;
      if (status.callStatus === "ended" || status.callStatus === "failed") {
        this.#ended(sessionId);
        return true;
      }
      if (!status.me?.admitted) return false;
      announce("waiting.admitted", true);
      void this.enter();
      return true;
    });
  }

  /** Asks the server until there is something to do. A line that is bad for a while is no reason to give up. */
  async #poll(signal: AbortSignal, look: (status: Status) => boolean): Promise<void> {
    try {
      for (;;) {
        await wait(WAITING_MS, signal);
        try {
          if (look(await this.#status(signal))) return;
        } catch (error) {
          if (!(await this.#patience(error, signal))) throw error;
        }
      }
    } catch (error) {
      if (!isAbort(error)) this.#around.trouble(error, () => void this.enter());
    }
  }

  async #status(signal: AbortSignal): Promise<Status> {
    const status = await this.#around.api.status();
    signal.throwIfAborted();
    return status;
  }

  /** Whether what went wrong may pass. Waits as long as the server wishes. */
  async #patience(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof ApiError)) return false;
    if (error.trouble !== "offline" && error.trouble !== "busy" && error.trouble !== "down") return false;
    await wait(1_000 * Math.min(30, error.retryAfterSeconds), signal);
    return true;
  }

  async #connect(joined: Joined): Promise<void> {
    const sdk = await this.#around.sdk;
    this.#joined = joined;
    this.#over = false;
    this.#told = false;
    this.#screen = new CallScreen(joined.role, this.#choices, {
      leave: () => this.#askToLeave(joined.role),
      consent: (choice) => void this.#consent(choice),
      admit: (userId) => this.#act(() => this.#around.api.change(userId, { admitted: true }), "people.admitted"),
      turnAway: (userId) => this.#act(() => this.#around.api.change(userId, { admitted: false }), "people.turnedAway"),
      allow: (userId, kind, allowed) => this.#act(() => this.#around.api.change(userId, { capabilities: { [kind]: allowed ? "SendReceive" : "Receive" } }), "people.changed"),
      remove: (userId, name) => this.#askToRemove(userId, name),
    });
    const signal = show(this.#screen.screen);
    this.#signal = signal;
    this.#screen.notice("line", "call.connecting");
    this.#open(sdk, joined);
    void this.#watch(signal);
    void this.#sample(signal);
    void this.#roster();
    await this.#mediaCame(signal);
  }

  #open(sdk: Sdk, joined: Joined): void {
    const screen = this.#screen;
    if (!screen) return;
    this.#connected = false;
    const media = new Media(sdk, joined, screen.audio, this.#listener(screen, () => this.#media === media));
    this.#media = media;
    this.#quality.begin();
    screen.attach(media);
    void media.start(this.#choices).catch(() => this.#stopped(media));
  }

  /** What a connection tells, as long as it is the one in use. */
  #listener(screen: CallScreen, mine: () => boolean): MediaListener {
    return {
      ...screen.listener,
      presence: (attendeeId, userId, present) => {
        screen.listener.presence(attendeeId, userId, present);
        void this.#roster();
      },
      connecting: (again) => {
        if (!mine()) return;
        if (again) this.#lost();
      },
      started: () => {
        if (mine()) this.#started(screen);
      },
      stopped: () => {
        if (mine() && this.#media) this.#stopped(this.#media);
      },
      stats: (report) => {
        const stats: { type: string; id: string }[] = [];
        report.forEach((stat: { type: string; id: string }) => stats.push(stat));
        this.#quality.read(stats, Date.now());
      },
      line: (poor) => {
        if (poor) screen.showLine("poor");
      },
    };
  }

  /** Sound and picture run. */
  #started(screen: CallScreen): void {
    const again = this.#told;
    this.#connected = true;
    this.#told = true;
    this.#returning = false;
    screen.notice("line", undefined);
    screen.begin(() => performance.now());
    announce(again ? "call.back" : "call.connected", true);
    const joined = this.#joined;
    if (joined && again) this.#around.bridge.tell("MEETING_RECONNECTED", { sessionId: joined.sessionId });
    else if (joined) this.#around.bridge.tell("MEETING_JOINED", { sessionId: joined.sessionId, role: joined.role });
    void this.#stayAwake();
  }

  #lost(): void {
    this.#connected = false;
    this.#screen?.notice("line", "call.reconnecting");
    this.#screen?.showLine("unknown");
    if (this.#joined) this.#around.bridge.tell("MEETING_RECONNECTING", { sessionId: this.#joined.sessionId });
  }

  /** If the first connection does not come about in time, says so. */
  async #mediaCame(signal: AbortSignal): Promise<void> {
    try {
      await wait(1_000 * this.#around.config.mediaTimeoutSeconds, signal);
    } catch {
      return;
    }
    if (!this.#told && !this.#returning) await this.#unreachable();
  }

  async #unreachable(): Promise<void> {
    await this.#hangUp();
    this.#around.bridge.tell("MEETING_ERROR", { code: "MEDIA_UNREACHABLE" });
    show(
      message({
        name: "media",
        icon: "offline",
        title: "media.title",
        body: ["media.body"],
        hints: ["media.hint.1", "media.hint.2", "media.hint.3"],
        actions: [
          { text: "again", press: () => void new Consultation(this.#around, this.#provider, this.#choices, this.#wishes).#takeOver().enter(true) },
          { text: "leave", press: () => void this.leave(), quiet: true },
        ],
        wrong: true,
      }),
    );
  }

  /** The connection has stopped. That says nothing about the call: the server is asked. */
  #stopped(media: Media): void {
    if (this.#over || this.#media !== media) return;
    if (!this.#told) {
      // It never was there. The clock of `#mediaCame` would say the same a little later.
      void this.#settle().then((over) => (over ? undefined : this.#unreachable()));
      return;
    }
    this.#lost();
    void this.#comeBack();
  }

  /** Asks the server, and if the call is on, goes in again. */
  async #comeBack(): Promise<void> {
    const signal = this.#signal;
    if (!signal || this.#returning || this.#over) return;
    this.#returning = true;
    try {
      for (let tries = 0; tries < RETURNS; tries += 1) {
        await wait(Math.min(15_000, 500 * 2 ** tries), signal);
        try {
          if (await this.#settle()) return;
          const answer = await (this.#provider ? this.#around.api.start({ checked: true }) : this.#around.api.join(true));
          signal.throwIfAborted();
          if (isWaiting(answer)) {
            await this.#hangUp();
            await this.#wait(answer.sessionId);
            return;
          }
          const sdk = await this.#around.sdk;
          await this.#media?.stop();
          this.#joined = answer;
          this.#returning = false;
          this.#open(sdk, answer);
          return;
        } catch (error) {
          if (!(await this.#patience(error, signal))) throw error;
        }
      }
      await this.#unreachable();
    } catch (error) {
      if (isAbort(error)) return;
      await this.#hangUp();
      this.#around.trouble(error, () => this.#around.begin());
    } finally {
      this.#returning = false;
    }
  }

  /** Whether it is over, for all or for me; shows it if so. */
  async #settle(): Promise<boolean> {
    const signal = this.#signal;
    const joined = this.#joined;
    if (!signal || !joined) return true;
    try {
      const status = await this.#status(signal);
      return this.#judge(status, joined);
    } catch (error) {
      if (isAbort(error)) return true;
      // Not known: then it is not over.
      if (await this.#patience(error, signal).catch(() => true)) return false;
      throw error;
    }
  }

  #judge(status: Status, joined: Joined): boolean {
    if (this.#shutOut(status)) return true;
    const another = status.sessionId !== null && status.sessionId !== joined.sessionId;
    if (!another && status.callStatus !== "ended" && status.callStatus !== "failed") {
      this.#screen?.showStatus(status);
      // The connection tells who comes and goes; whom it has not told of, the server knows.
      const people = JSON.stringify([status.present, status.waiting, status.me]);
      if (people !== this.#people) void this.#roster();
      this.#people = people;
      this.#maybeAsk(status, joined);
      return false;
    }
    this.#ended(joined.sessionId);
    return true;
  }

  #shutOut(status: Status): boolean {
    const mine = status.me?.status;
    if (mine !== "removed" && mine !== "turned_away") return false;
    void this.#hangUp();
    this.#around.trouble(new ApiError("forbidden", mine === "removed" ? "REMOVED_FROM_CALL" : "TURNED_AWAY"), () => this.#around.begin());
    return true;
  }

  /** Looks after the call as long as it is shown. */
  async #watch(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        if (this.#joined && (await this.#settle())) return;
        await wait(IN_CALL_MS, signal);
      }
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      await this.#hangUp();
      this.#around.trouble(error, () => this.#around.begin());
    }
  }

  async #sample(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await wait(SAMPLE_MS, signal);
        const sample = this.#connected ? this.#quality.sample() : undefined;
        if (!sample) continue;
        this.#screen?.showLine(lineOf(sample));
        // A sample that is lost is lost: the next one comes in ten seconds.
        await this.#around.api.quality([sample]).catch(() => undefined);
      }
    } catch {
      // Another screen is shown.
    }
  }

  async #roster(): Promise<void> {
    const people = await this.#around.api.roster().catch(() => undefined);
    if (!people) this.#people = "";
    else if (!this.#over) this.#screen?.showRoster(people);
  }

  #act(action: () => Promise<void>, done: Key): void {
    action()
      .then(() => announce(done))
      .catch(() => announce("people.failed", true))
      .then(() => Promise.all([this.#settle(), this.#roster()]))
      .catch(() => undefined);
  }

  #maybeAsk(status: Status, joined: Joined): void {
    const wanted = { recording: joined.recordingEnabled || status.recording.state !== "off", transcription: joined.transcriptionEnabled || status.transcription.state !== "off" };
    const features = unanswered(status.consent, wanted).filter((feature) => !this.#asked.has(feature));
    if (features.length === 0 || document.querySelector("dialog")) return;
    for (const feature of features) this.#asked.add(feature);
    askConsent(features, (choice) => void this.#consent(choice));
  }

  async #consent(choice: Choice): Promise<void> {
    try {
      this.#screen?.showConsent(await this.#around.api.consent(choice));
      announce("consent.noted");
    } catch {
      // Not noted is not given: it is asked again.
      for (const feature of Object.keys(choice) as Feature[]) this.#asked.delete(feature);
      announce("consent.failed", true);
    }
  }

  #askToLeave(role: Role): void {
    if (role !== "provider") {
      void this.leave();
      return;
    }
    dialog(
      "leave",
      "leave.title",
      [h("p", { t: "leave.body" })],
      [
        { text: "leave.end", press: () => void this.#end(), danger: true, icon: "leave" },
        { text: "leave.only", press: () => void this.leave(), quiet: true },
        { text: "leave.stay", press: () => undefined, quiet: true },
      ],
      () => undefined,
    );
  }

  #askToRemove(userId: string, name: string | null): void {
    dialog(
      "remove",
      name ? ["remove.title", { name }] : "remove.titleUnknown",
      [h("p", { t: "remove.body" })],
      [
        { text: "people.remove", press: () => this.#act(() => this.#around.api.remove(userId), "people.removed"), danger: true },
        { text: "cancel", press: () => undefined, quiet: true },
      ],
      () => undefined,
    );
  }

  async #end(): Promise<void> {
    const joined = this.#joined;
    if (!joined) return;
    try {
      await this.#around.api.end(joined.sessionId);
    } catch (error) {
      // Nobody is told that a call has ended which goes on.
      if (!(error instanceof ApiError) || error.trouble === "unauthorized" || error.trouble === "forbidden") this.#around.trouble(error, () => this.#around.begin());
      else announce("leave.failed", true);
      this.#screen?.notice("line", "leave.failed");
      return;
    }
    this.#ended(joined.sessionId);
  }

  /** The server has said so. */
  #ended(sessionId: string): void {
    if (this.#over) return;
    void this.#hangUp();
    this.#around.bridge.tell("MEETING_ENDED_BY_PROVIDER", { sessionId });
    show(endedScreen(this.#around, this.#provider));
  }

  #left(): void {
    show(
      message({
        name: "left",
        icon: "leave",
        title: "left.title",
        body: [this.#provider ? "left.body.provider" : "left.body"],
        actions: [{ text: "left.rejoin", press: () => this.#around.begin() }, ...closing(this.#around, true)],
      }),
    );
  }

  async #hangUp(): Promise<void> {
    this.#over = true;
    closeDialogs();
    const media = this.#media;
    this.#media = undefined;
    await media?.stop().catch(() => undefined);
    await this.#lock?.release().catch(() => undefined);
  }

  /** Trying again after media failed: the same person at the same door. */
  #takeOver(): this {
    replaced.by(this);
    return this;
  }

  async #stayAwake(): Promise<void> {
    this.#lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
  }
}

/** Told when a consultation gives way to another one of the same person. */
export const replaced: { by: (next: Consultation) => void } = { by: () => undefined };

/** The call is over. Should it begin again, this screen leads there. */
export function endedScreen(around: Pick<Around, "begin" | "bridge">, provider: boolean) {
  return message({
    name: "ended",
    icon: "check",
    title: "ended.title",
    body: [provider ? "ended.body.provider" : "ended.body"],
    actions: [...closing(around), { text: provider ? "ended.again.provider" : "ended.again", press: () => around.begin(), quiet: true }],
  });
}

/** Back to the app, where there is one. */
export function closing({ bridge }: Pick<Around, "bridge">, quiet = false) {
  return bridge.hosted ? [{ text: "close.app" as const, press: () => bridge.tell("CLOSE_REQUESTED", {}), quiet }] : [];
}

function isWaiting(answer: Joined | Waiting): answer is Waiting {
  return "status" in answer && answer.status === "waiting";
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function ignoreAbort(error: unknown): void {
  if (!isAbort(error)) throw error;
}
