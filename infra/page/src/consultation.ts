// A consultation from joining to its end. The server owns the state of the call: what the connection reports makes the page
// ask, and only the answer says that the call has ended.

import type { Feature, Joined, Role, Status, Waiting } from "./answers.ts";
import { type Api, ApiError } from "./api.ts";
import type { Bridge } from "./bridge.ts";
import { CallScreen } from "./call-screen.ts";
import type { Wishes } from "./check.ts";
import type { Config } from "./config.ts";
import { askConsent, type Choice, unanswered } from "./consent.ts";
import type { Choices } from "./devices.ts";
import { announce, h } from "./dom.ts";
import { Media, type MediaListener } from "./media.ts";
import { lineOf, Quality } from "./quality.ts";
import { closeDialogs, dialog, message, show } from "./screen.ts";
import type { Sdk } from "./sdk.ts";
import type { Stop } from "./stop.ts";
import { type Key, languageNow } from "./text.ts";
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
/** Coming back after a lost line: how often with the server's help, without media coming of it, before the person is asked. */
const RETURNS = 3;
/** A connection that has run for so long was good: what follows it is another trouble. */
const STEADY_MS = 30_000;
/** Without media and without a token: how often the app is asked for one before the person is. */
const REQUESTS = 3;

export class Consultation {
  readonly #around: Around;
  readonly #choices: Choices;
  readonly #wishes: Wishes;
  readonly #provider: boolean;
  readonly #quality = new Quality();
  /** The server may believe that this person is here, in the call or before its door. */
  #inside = false;
  #coming: Promise<unknown> = Promise.resolve();
  #sessionId: string | null = null;
  #joined: Joined | undefined;
  #media: Media | undefined;
  #screen: CallScreen | undefined;
  #signal: AbortSignal | undefined;
  #connected = false;
  #since = 0;
  #told = false;
  /** For which showing of the call it is being come back. */
  #returning: AbortSignal | undefined;
  #returns = 0;
  #hurry: (() => void) | undefined;
  #over = false;
  #asked = new Set<Feature>();
  #words = 0;
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
    const signal = show(
      message({
        name: "joining",
        icon: "link",
        title: "joining.title",
        body: ["joining.body"],
        actions: [],
        busy: true,
      }),
    );
    try {
      const answer = await this.#come(checked);
      if (signal.aborted) return;
      if (isWaiting(answer)) await this.#wait(answer.sessionId);
      else await this.#connect(answer, signal);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      if (error instanceof ApiError && error.code === "NO_ACTIVE_CALL" && !this.#provider) await this.#notStarted();
      else if (error instanceof ApiError && error.trouble === "conflict") await this.#shortly(signal);
      else this.#around.trouble(error, () => void this.enter(checked));
    }
  }

  /** Leaves, on the app's word or the person's. */
  async leave(): Promise<void> {
    const hungUp = this.#hangUp();
    show(leftScreen(this.#around, this.#provider));
    // The app waits to hear of it; a browser that still asks for a device is not waited for.
    await Promise.race([hungUp, wait(3_000)]);
    // After the answer to coming in, if there is to be one: the other way round the server would believe that one has come.
    void this.#coming
      .then(() => {
        if (!this.#inside) return undefined;
        this.#inside = false;
        return this.#around.api.leave();
      })
      .catch(() => undefined);
    this.#around.bridge.emit("MEETING_LEFT", { sessionId: this.#sessionId });
  }

  /** The page is going away, or back to its beginning. */
  vanish(): void {
    if (this.#inside) this.#around.api.leaveNow();
  }

  /** The browser says that there is a network: another one, perhaps. */
  online(): void {
    this.#returns = 0;
    if (this.#hurry) this.#hurry();
    else if (this.#screen && !this.#connected && this.#told) void this.#comeBack("line");
  }

  /** The page is seen again. The browser has let the screen's lock go meanwhile. */
  seen(): void {
    if (this.#connected) void this.#stayAwake();
  }

  /** Asks for a place. A request that has no answer may have been heard. */
  async #come(checked: boolean): Promise<Joined | Waiting> {
    const before = this.#inside;
    this.#inside = true;
    const coming = this.#ask(checked);
    this.#coming = coming.catch((error: unknown) => {
      if (error instanceof ApiError && error.trouble !== "offline") this.#inside = before;
    });
    return coming;
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
    const signal = show(
      message({
        name: "not-started",
        icon: "clock",
        title: "notStarted.title",
        body: ["notStarted.body"],
        hints: ["notStarted.hint"],
        actions: [{ text: "leave.waiting", press: () => void this.leave(), quiet: true }],
        busy: true,
      }),
    );
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
    this.#sessionId = sessionId;
    this.#around.bridge.emit("MEETING_WAITING", { sessionId });
    const signal = show(
      message({
        name: "waiting",
        icon: "clock",
        title: "waiting.title",
        body: ["waiting.body"],
        hints: ["waiting.hint.1", "waiting.hint.2"],
        actions: [{ text: "leave.waiting", press: () => void this.leave(), quiet: true }],
        busy: true,
      }),
    );
    await this.#poll(signal, (status) => {
      if (this.#shutOut(status)) return true;
      if (status.callStatus === "ended" || status.callStatus === "failed") {
        this.#ended(sessionId);
        return true;
      }
      if (status.me?.admitted) announce("waiting.admitted", true);
      // In a call that has begun anew, or that another page of this person's has left, nobody knows of them.
      else if (status.sessionId === sessionId && (status.me?.status ?? "waiting") === "waiting") return false;
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
          if (!passes(error)) throw error;
          await wait(patience(error), signal);
        }
      }
    } catch (error) {
      if (!isAbort(error)) this.#around.trouble(error, () => void this.enter());
    }
  }

  async #status(signal: AbortSignal): Promise<Status> {
    const words = this.#words;
    const status = await this.#around.api.status();
    signal.throwIfAborted();
    // One's own word that was said meanwhile is not in it.
    return words === this.#words ? status : this.#status(signal);
  }

  async #connect(joined: Joined, entering: AbortSignal): Promise<void> {
    this.#sessionId = joined.sessionId;
    const sdk = await this.#around.sdk;
    // Whoever has left meanwhile is not taken in.
    entering.throwIfAborted();
    this.#joined = joined;
    this.#over = false;
    this.#told = false;
    this.#returns = 0;
    this.#screen = new CallScreen(joined.role, this.#choices, {
      leave: () => this.#askToLeave(joined.role),
      consent: (choice) => void this.#consent(choice),
      admit: (userId) => this.#act(() => this.#around.api.change(userId, { admitted: true }), "people.admitted"),
      turnAway: (userId) => this.#act(() => this.#around.api.change(userId, { admitted: false }), "people.turnedAway"),
      allow: (userId, kind, allowed) =>
        this.#act(
          () => this.#around.api.change(userId, { capabilities: { [kind]: allowed ? "SendReceive" : "Receive" } }),
          "people.changed",
        ),
      remove: (userId, name) => this.#askToRemove(userId, name),
    });
    const signal = show(this.#screen.screen);
    this.#signal = signal;
    // No other screen has controls: whatever takes this one's place, camera and microphone are off.
    signal.addEventListener("abort", () => void this.#hangUp(), { once: true });
    this.#screen.notice("line", "call.connecting");
    this.#open(sdk, joined);
    void this.#watch(signal);
    void this.#sample(signal);
    void this.#roster();
  }

  #open(sdk: Sdk, joined: Joined): void {
    const screen = this.#screen;
    const signal = this.#signal;
    if (!screen || !signal) return;
    this.#connected = false;
    const media = new Media(
      sdk,
      joined,
      screen.audio,
      this.#listener(screen, () => this.#media === media),
    );
    this.#media = media;
    this.#quality.begin();
    screen.attach(media);
    void media.start(this.#choices).catch(() => this.#stopped(media, "refused"));
    wait(1_000 * this.#around.config.mediaTimeoutSeconds, signal).then(
      () => {
        if (!media.began) this.#stopped(media, "line");
      },
      () => undefined,
    );
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
      stopped: (why) => {
        if (mine() && this.#media) this.#stopped(this.#media, why);
      },
      stats: (report) => {
        const stats: { type: string; id: string }[] = [];
        report.forEach((stat: { type: string; id: string }) => {
          stats.push(stat);
        });
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
    this.#since = Date.now();
    this.#told = true;
    screen.notice("line", undefined);
    screen.begin(() => performance.now());
    announce(again ? "call.back" : "call.connected", true);
    const joined = this.#joined;
    if (joined && again) this.#around.bridge.emit("MEETING_RECONNECTED", { sessionId: joined.sessionId });
    else if (joined) this.#around.bridge.emit("MEETING_JOINED", { sessionId: joined.sessionId, role: joined.role });
    void this.#stayAwake();
  }

  #lost(): void {
    const was = this.#connected;
    this.#connected = false;
    if (this.#told) this.#screen?.notice("line", "call.reconnecting", true);
    this.#screen?.showLine("unknown");
    if (!was) return;
    if (Date.now() - this.#since >= STEADY_MS) this.#returns = 0;
    if (this.#joined) this.#around.bridge.emit("MEETING_RECONNECTING", { sessionId: this.#joined.sessionId });
  }

  #unreachable(): void {
    this.#around.bridge.emit("MEETING_ERROR", { code: "MEDIA_UNREACHABLE" });
    const again = () => void this.enter(true);
    const signal = show(
      message({
        name: "media",
        icon: "offline",
        title: "media.title",
        body: ["media.body"],
        hints: ["media.hint.1", "media.hint.2", "media.hint.3"],
        actions: [
          { text: "again", press: again },
          { text: "leave", press: () => void this.leave(), quiet: true },
        ],
        wrong: true,
      }),
    );
    window.addEventListener("online", again, { once: true, signal });
  }

  /** The same person is in the call on another device. Were this one to come back by itself, the two would throw each other out for ever. */
  #elsewhere(): void {
    this.#inside = false;
    this.#around.bridge.emit("MEETING_ERROR", { code: "JOINED_ELSEWHERE" });
    show(
      message({
        name: "elsewhere",
        icon: "screen",
        title: "elsewhere.title",
        body: ["elsewhere.body"],
        actions: [{ text: "elsewhere.here", press: () => void this.enter() }, ...closing(this.#around, true)],
      }),
    );
  }

  #full(): void {
    this.#around.bridge.emit("MEETING_ERROR", { code: "CALL_FULL" });
    show(
      message({
        name: "full",
        icon: "people",
        title: "full.title",
        body: ["full.body"],
        actions: [
          { text: "again", press: () => void this.enter() },
          { text: "leave", press: () => void this.leave(), quiet: true },
        ],
        wrong: true,
      }),
    );
  }

  /** The connection has stopped, or does not come about. That says nothing about the call: the server is asked. */
  #stopped(media: Media, why: Stop): void {
    if (this.#over || this.#media !== media) return;
    if (why === "elsewhere") this.#elsewhere();
    else if (why === "full") this.#full();
    else {
      this.#lost();
      void this.#comeBack(why);
    }
  }

  /** Asks the server, and if the call is on, goes in again. As long as the server cannot be reached either, that is no reason to give up. */
  async #comeBack(why: "refused" | "line"): Promise<void> {
    const signal = this.#signal;
    if (!signal || this.#returning === signal || this.#over) return;
    this.#returning = signal;
    let [misses, requests] = [0, 0];
    // The server asks Chime for a call once in ten seconds, whoever wants it: a later round has more to hope for.
    let pause = this.#returns < RETURNS ? 500 * 4 ** this.#returns : 500;
    try {
      for (;;) {
        await this.#pause(pause, signal);
        // The SDK may have been faster.
        if (this.#connected) return;
        try {
          if (await this.#look(signal)) return;
          // What never came at all is not waited for twice, unless there was no line at all, or another place may help.
          if (this.#returns >= (this.#told || misses > 0 ? RETURNS : why === "refused" ? 1 : 0)) {
            this.#giveUp(why);
            return;
          }
          const answer = await this.#come(true);
          signal.throwIfAborted();
          if (this.#connected) return;
          if (isWaiting(answer)) {
            void this.#wait(answer.sessionId);
            return;
          }
          const sdk = await this.#around.sdk;
          await this.#media?.stop();
          signal.throwIfAborted();
          this.#returns += 1;
          this.#joined = answer;
          this.#sessionId = answer.sessionId;
          this.#open(sdk, answer);
          return;
        } catch (error) {
          const unsigned = error instanceof ApiError && error.trouble === "unauthorized";
          if (unsigned) this.#screen?.notice("session", "session.notice", true);
          if (!passes(error) && !(unsigned && ++requests < REQUESTS)) throw error;
          misses += 1;
          pause = Math.max(Math.min(15_000, 500 * 2 ** misses), patience(error));
        }
      }
    } catch (error) {
      if (!isAbort(error)) this.#around.trouble(error, () => this.#around.begin());
    } finally {
      if (this.#returning === signal) this.#returning = undefined;
    }
  }

  /** Waits, unless the browser says that the network is back. */
  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    const hurried = new Promise<void>((resolve) => (this.#hurry = resolve));
    await Promise.race([wait(milliseconds, signal), hurried]).finally(() => (this.#hurry = undefined));
  }

  #giveUp(why: "refused" | "line"): void {
    if (why === "line") this.#unreachable();
    else this.#around.trouble(new ApiError("broken", "MEDIA_REFUSED"), () => void this.enter(true));
  }

  /** Asks how things stand. Whether it is over, for all or for me; shows it if so. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const joined = this.#joined;
    const status = await this.#status(signal);
    // While it was asked another call may have taken the place of this one.
    return joined !== undefined && joined === this.#joined && this.#judge(status, joined);
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
    this.#inside = false;
    this.#around.trouble(new ApiError("forbidden", mine === "removed" ? "REMOVED_FROM_CALL" : "TURNED_AWAY"), () =>
      this.#around.begin(),
    );
    return true;
  }

  /** Looks after the call as long as it is shown. That the server does not answer ends nothing: media goes on without it. */
  async #watch(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        let pause = IN_CALL_MS;
        try {
          if (await this.#look(signal)) return;
          this.#screen?.notice("session", undefined);
        } catch (error) {
          if (isAbort(error)) return;
          if (isFinal(error)) {
            this.#around.trouble(error, () => this.#around.begin());
            return;
          }
          if (error instanceof ApiError && error.trouble === "unauthorized")
            this.#screen?.notice("session", "session.notice", true);
          pause = Math.max(pause, patience(error));
        }
        await wait(pause, signal);
      }
    } catch {
      // Another screen is shown.
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
    const signal = this.#signal;
    action()
      .then(() => announce(done))
      .catch(() => announce("people.failed", true))
      .then(() => Promise.all([signal && this.#look(signal), this.#roster()]))
      .catch(() => undefined);
  }

  #maybeAsk(status: Status, joined: Joined): void {
    const wanted = {
      recording: joined.recordingEnabled || status.recording.state !== "off",
      transcription: joined.transcriptionEnabled || status.transcription.state !== "off",
    };
    const features = unanswered(status.consent, wanted);
    if (document.querySelector("dialog")) return;
    const remind = () => this.#screen?.remind(features.length > 0 ? ask : undefined);
    const ask = () => askConsent(features, (choice) => void this.#consent(choice), remind);
    if (features.every((feature) => this.#asked.has(feature))) {
      remind();
      return;
    }
    for (const feature of features) this.#asked.add(feature);
    ask();
  }

  async #consent(choice: Choice): Promise<void> {
    try {
      this.#screen?.showConsent(await this.#around.api.consent(choice));
      this.#words += 1;
      // Should something else be open still, the next status says so.
      this.#screen?.remind(undefined);
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
        {
          text: "people.remove",
          press: () => this.#act(() => this.#around.api.remove(userId), "people.removed"),
          danger: true,
        },
        { text: "cancel", press: () => undefined, quiet: true },
      ],
      () => undefined,
    );
  }

  async #end(): Promise<void> {
    const joined = this.#joined;
    const signal = this.#signal;
    if (!joined || !signal) return;
    this.#screen?.notice("ending", "leave.ending");
    try {
      await this.#around.api.end(joined.sessionId);
    } catch {
      if (signal.aborted) return;
      // Nobody is told that a call has ended which goes on; and here one is still seen and heard.
      this.#screen?.notice("ending", undefined);
      dialog(
        "end-failed",
        "leave.failed",
        [h("p", { t: "leave.failed.body" })],
        [
          { text: "again", press: () => void this.#end(), danger: true, icon: "leave" },
          { text: "leave.only", press: () => void this.leave(), quiet: true },
          { text: "leave.stay", press: () => undefined, quiet: true },
        ],
        () => undefined,
      );
      return;
    }
    if (!signal.aborted) this.#ended(joined.sessionId);
  }

  /** The server has said so. */
  #ended(sessionId: string): void {
    this.#inside = false;
    this.#around.bridge.emit("MEETING_ENDED_BY_PROVIDER", { sessionId });
    show(endedScreen(this.#around, this.#provider));
  }

  async #hangUp(): Promise<void> {
    this.#over = true;
    this.#connected = false;
    closeDialogs();
    const media = this.#media;
    this.#media = undefined;
    await media?.stop().catch(() => undefined);
    await this.#lock?.release().catch(() => undefined);
  }

  async #stayAwake(): Promise<void> {
    if (this.#lock && !this.#lock.released) return;
    this.#lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
    if (this.#over) await this.#lock?.release().catch(() => undefined);
  }
}

/** One has gone and may come back. */
export function leftScreen(around: Pick<Around, "begin" | "bridge">, provider: boolean) {
  return message({
    name: "left",
    icon: "leave",
    title: "left.title",
    body: [provider ? "left.body.provider" : "left.body"],
    actions: [{ text: "left.rejoin", press: () => around.begin() }, ...closing(around, true)],
  });
}

/** The call is over. Should it begin again, this screen leads there. */
export function endedScreen(around: Pick<Around, "begin" | "bridge">, provider: boolean) {
  return message({
    name: "ended",
    icon: "check",
    title: "ended.title",
    body: [provider ? "ended.body.provider" : "ended.body"],
    actions: [
      ...closing(around),
      { text: provider ? "ended.again.provider" : "ended.again", press: () => around.begin(), quiet: true },
    ],
  });
}

/** Back to the app, where there is one. */
export function closing({ bridge }: Pick<Around, "bridge">, quiet = false) {
  return bridge.hosted ? [{ text: "close.app" as const, press: () => bridge.emit("CLOSE_REQUESTED", {}), quiet }] : [];
}

function isWaiting(answer: Joined | Waiting): answer is Waiting {
  return "status" in answer && answer.status === "waiting";
}

/** Whether what went wrong passes by itself: the line, the service, or a call that is just beginning or ending. */
function passes(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (["offline", "busy", "down", "conflict"].includes(error.trouble) || error.code === "NO_ACTIVE_CALL")
  );
}

/** Whether the server has said that this person has nothing to do here. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.trouble === "forbidden" || error.trouble === "missing" || error.trouble === "gone")
  );
}

/** As long as the server wishes, in milliseconds. */
function patience(error: unknown): number {
  return error instanceof ApiError ? 1_000 * Math.min(30, error.retryAfterSeconds) : 0;
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function ignoreAbort(error: unknown): void {
  if (!isAbort(error)) throw error;
}
