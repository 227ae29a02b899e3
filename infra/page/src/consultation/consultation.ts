// A consultation from joining to its end. The server owns the state of the call: what the media connection reports makes the
// page ask the server, and only the answer ends the call. `transition.ts` decides which phase follows; this class does what
// belongs to the phase.

import type { Feature, Place } from "../answers.ts";
import type { RequestedFeatures } from "../check.ts";
import type { Choices } from "../devices.ts";
import { announce } from "../dom.ts";
import { offerAfterwards } from "../offers.ts";
import { type Screen, show } from "../screen.ts";
import type { Sdk } from "../sdk.ts";
import { languageNow } from "../text.ts";
import { wait } from "../wait.ts";
import { ActiveCall } from "./active-call.ts";
import type { CallContext } from "./context.ts";
import { isAbort } from "./errors.ts";
import type {
  Connected,
  Connecting,
  ConsentAsked,
  ConsultationEvent,
  Failed,
  Joining,
  Left,
  LoadingSdk,
  NotStarted,
  Phase,
  Stopped,
  Waiting,
} from "./phase.ts";
import { placeEvent } from "./place.ts";
import { pollStatus } from "./poll.ts";
import { Presence } from "./presence.ts";
import { Recovery } from "./recovery.ts";
import { consentScreen, endedScreen, joiningScreen, leftScreen, stoppedScreen, waitingScreen } from "./screens.ts";
import { transition } from "./transition.ts";

/** How long leaving waits until camera and microphone are off; a browser may still ask the person for a device. */
const HANG_UP_MS = 3_000;

/** The codes that the app receives. */
const STOPPED_CODES: Record<Stopped["reason"], string> = {
  elsewhere: "JOINED_ELSEWHERE",
  full: "CALL_FULL",
  unreachable: "MEDIA_UNREACHABLE",
};

export class Consultation {
  readonly #context: CallContext;
  readonly #provider: boolean;
  readonly #choices: Choices;
  readonly #requested: RequestedFeatures;
  readonly #presence: Presence;
  #phase: Phase = { name: "idle", attempt: 0, sessionId: null };
  /** Aborted when the phase ends, with its work. */
  #phaseEnds = new AbortController();
  /** The screen that this consultation shows; aborted when another one takes its place. */
  #shown: AbortSignal | undefined;
  #sdk: Sdk | undefined;
  #call: ActiveCall | undefined;
  #recovery: Recovery | undefined;

  constructor(context: CallContext, provider: boolean, choices: Choices, requested: RequestedFeatures) {
    this.#context = context;
    this.#provider = provider;
    this.#choices = choices;
    this.#requested = requested;
    this.#presence = new Presence(context.api);
  }

  /** Starts the call or joins it, and waits where one has to. */
  enter(): void {
    this.#dispatch({ type: "enter", checked: false });
  }

  /** Leaves, because the app or the person says so. */
  leave(): void {
    this.#dispatch({ type: "leave" });
  }

  /** The page is being closed, or goes back to its beginning. */
  vanish(): void {
    this.#presence.leaveNow();
  }

  /** The browser says that there is a network: another one, perhaps. */
  online(): void {
    this.#dispatch({ type: "online" });
  }

  /** The page is visible again. */
  seen(): void {
    this.#call?.seen();
  }

  #dispatch(event: ConsultationEvent): void {
    const before = this.#phase;
    const after = transition(before, event);
    if (after === before) return;
    this.#phase = after;
    const same = after.name === before.name && after.attempt === before.attempt;
    if (!same) {
      this.#phaseEnds.abort(new DOMException("the phase is over", "AbortError"));
      this.#phaseEnds = new AbortController();
    }
    this.#begin(before, after, event);
  }

  /** Does what belongs to a phase that has just begun. */
  #begin(before: Phase, after: Phase, event: ConsultationEvent): void {
    const { bridge } = this.#context;
    switch (after.name) {
      case "idle":
        void this.#closeCall();
        break;
      case "joining":
        if (event.type === "status" && event.status.me.admitted) announce("waiting.admitted", true);
        this.#show(joiningScreen);
        void this.#join(after, this.#phaseEnds.signal);
        break;
      case "loadingSdk":
        void this.#loadSdk(after);
        break;
      case "notStarted":
        this.#show(() => waitingScreen("not-started", () => this.leave()));
        this.#poll(after);
        break;
      case "waiting":
        bridge.emit("MEETING_WAITING", { sessionId: after.sessionId });
        this.#show(() => waitingScreen("waiting", () => this.leave()));
        this.#poll(after);
        break;
      case "consentAsked":
        this.#askConsent(after);
        this.#poll(after);
        break;
      case "connecting":
        if (before.name === "recovering") void this.#call?.reopen(after.connection, after.call);
        else this.#openCall(after);
        break;
      case "inCall":
        if (before.name !== "inCall") this.#mediaRuns(before, after);
        break;
      case "reconnecting":
        if (before.name === "recovering") void this.#call?.reopen(after.connection, after.call);
        else this.#mediaLost(before, true);
        break;
      case "recovering":
        if (before.name === "recovering") {
          this.#recovery?.hurry();
          break;
        }
        this.#mediaLost(before, after.established);
        this.#recover(this.#phaseEnds.signal);
        break;
      case "stopped":
        // The person is present on the other device.
        if (after.reason === "elsewhere") this.#presence.forget();
        bridge.emit("MEETING_ERROR", { code: STOPPED_CODES[after.reason] });
        this.#show(() =>
          stoppedScreen(after.reason, this.#context, {
            enter: (checked) => this.#dispatch({ type: "enter", checked }),
            leave: () => this.leave(),
          }),
        );
        break;
      case "failed":
        this.#fail(after);
        break;
      case "ended":
        this.#presence.forget();
        bridge.emit("MEETING_ENDED_BY_PROVIDER", { sessionId: after.sessionId });
        this.#show(() => endedScreen(this.#context, this.#provider));
        void offerAfterwards(this.#context, document.querySelector(".message .actions"));
        break;
      case "left":
        void this.#hangUpAndLeave(after);
        break;
    }
  }

  /** Shows a screen in place of the one before, and of the call if that was shown. */
  #show(make: () => Screen): void {
    void this.#closeCall();
    this.#shown = undefined;
    this.#watchScreen(show(make()));
  }

  /** Notices when another part of the page takes the screen. */
  #watchScreen(signal: AbortSignal): void {
    this.#shown = signal;
    signal.addEventListener(
      "abort",
      () => {
        if (this.#shown === signal) this.#dispatch({ type: "screenReplaced" });
      },
      { once: true },
    );
  }

  async #join({ attempt, checked, delayMs }: Joining, signal: AbortSignal): Promise<void> {
    try {
      if (delayMs > 0) await wait(delayMs, signal);
      const answer = await this.#presence.join(() => this.#requestPlace(checked));
      this.#dispatch(placeEvent(attempt, answer));
    } catch (error) {
      if (!isAbort(error)) this.#dispatch({ type: "joinFailed", attempt, error, provider: this.#provider });
    }
  }

  #requestPlace(checked: boolean): Promise<Place> {
    const { api } = this.#context;
    if (!this.#provider) return api.join(checked);
    const { recording, transcription } = this.#requested;
    return api.start({
      ...(checked ? { checked } : {}),
      ...(recording || transcription ? { enableRecording: recording, enableTranscription: transcription } : {}),
      ...(transcription ? { transcriptionLanguage: languageNow() === "fr" ? "fr-FR" : "en-US" } : {}),
    });
  }

  async #loadSdk({ attempt }: LoadingSdk): Promise<void> {
    try {
      this.#sdk = await this.#context.sdk;
      this.#dispatch({ type: "sdkLoaded", attempt });
    } catch (error) {
      this.#dispatch({ type: "sdkFailed", attempt, error });
    }
  }

  /** Asks for each purpose by itself. Joins again once the server knows every answer, or no longer needs one. */
  #askConsent({ attempt, unanswered }: ConsentAsked): void {
    const { api } = this.#context;
    const ask = (open: Feature[]) => {
      const [purpose, ...rest] = open;
      if (!purpose) {
        this.#dispatch({ type: "consentAnswered", attempt });
        return;
      }
      const answer = (granted: boolean) => {
        api.consent({ [purpose]: granted }).then(
          () => ask(rest),
          // An answer that was not stored is not given: the question stays.
          () => announce("consent.failed", true),
        );
      };
      if (this.#phase.name === "consentAsked" && this.#phase.attempt === attempt)
        this.#show(() => consentScreen(purpose, answer, () => this.leave()));
    };
    // The capture that the person has refused is being stopped.
    if (unanswered.length === 0) this.#show(joiningScreen);
    else ask(unanswered);
  }

  #poll(phase: NotStarted | Waiting | ConsentAsked): void {
    void pollStatus(this.#context.api, phase, this.#phaseEnds.signal, (event) => this.#dispatch(event));
  }

  #openCall({ connection, call: joined }: Connecting): void {
    if (!this.#sdk) throw new Error("no SDK");
    this.#shown = undefined;
    const call = new ActiveCall(
      this.#context,
      { dispatch: (event) => this.#dispatch(event), leave: () => this.leave() },
      this.#sdk,
      this.#choices,
      joined,
    );
    this.#call = call;
    this.#watchScreen(call.signal);
    call.begin(connection);
  }

  #closeCall(): Promise<void> {
    const call = this.#call;
    this.#call = undefined;
    return call ? call.close() : Promise.resolve();
  }

  /** Audio and video run, for the first time or again. */
  #mediaRuns(before: Phase, { sessionId, call }: Connected): void {
    const { bridge } = this.#context;
    const again = before.name === "reconnecting" || (before.name === "recovering" && before.established);
    this.#call?.showConnected(again);
    if (again) bridge.emit("MEETING_RECONNECTED", { sessionId });
    else bridge.emit("MEETING_JOINED", { sessionId, role: call.role });
  }

  #mediaLost(before: Phase, established: boolean): void {
    this.#call?.showDisconnected(established);
    if (before.name === "inCall") this.#context.bridge.emit("MEETING_RECONNECTING", { sessionId: before.sessionId });
  }

  #recover(signal: AbortSignal): void {
    const call = this.#call;
    if (!call) throw new Error("no call");
    this.#recovery = new Recovery(
      {
        phase: () => {
          if (this.#phase.name !== "recovering") throw new DOMException("the phase is over", "AbortError");
          return this.#phase;
        },
        checkCall: (signal) => call.check(signal),
        join: () => this.#presence.join(() => this.#requestPlace(true)),
        showUnauthorized: () => call.showUnauthorized(),
        dispatch: (event) => this.#dispatch(event),
      },
      signal,
    );
    void this.#recovery.run();
  }

  #fail({ error, retry, excluded }: Failed): void {
    if (excluded) this.#presence.forget();
    void this.#closeCall();
    this.#shown = undefined;
    this.#context.showError(error, () => {
      if (retry.type === "restart") this.#context.restart();
      else this.#dispatch({ type: "enter", checked: retry.checked });
    });
  }

  async #hangUpAndLeave({ sessionId }: Left): Promise<void> {
    const closed = this.#closeCall();
    this.#show(() => leftScreen(this.#context, this.#provider));
    await Promise.race([closed, wait(HANG_UP_MS)]);
    this.#presence.leave();
    // The app may close the page when it receives this.
    this.#context.bridge.emit("MEETING_LEFT", { sessionId });
  }
}
