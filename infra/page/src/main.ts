// Where the page begins. The screens that report a problem need nothing that has yet to be loaded: on a slow or broken network
// the page says so, and is never empty.

import type { Status } from "./answers.ts";
import { Api, ApiError, hasCode } from "./api.ts";
import { Bridge, type DeviceDefaults, type IncomingMessage } from "./bridge.ts";
import { checkDevices } from "./check.ts";
import { type Config, configOf, readConfig } from "./config.ts";
import { Consultation } from "./consultation/consultation.ts";
import type { CallContext } from "./consultation/context.ts";
import { pollInterval } from "./consultation/poll.ts";
import { endedScreen, leftScreen } from "./consultation/screens.ts";
import { errorScreen } from "./error-screen.ts";
import { offerAfterwards } from "./offers.ts";
import { languageChosen, relabel, show, shown } from "./screen.ts";
import { loadSdk, type Sdk, SdkTimeout } from "./sdk.ts";
import { aloneScreen, badLinkScreen, loadingScreen, noTokenScreen, sdkFailedScreen } from "./start-screens.ts";
import { choose, languageNow, setLanguage } from "./text.ts";
import { Tokens } from "./tokens.ts";
import { wait, within } from "./wait.ts";

const CONFIG_TIMEOUT_MS = 15_000;
/** How long the app may take to hand over its token. */
const TOKEN_TIMEOUT_MS = 20_000;

class Page {
  readonly #bridge = new Bridge((message) => this.#receive(message));
  readonly #tokens = new Tokens(() => this.#bridge.emit("TOKEN_REQUIRED", { reason: "expired" }));
  readonly #appointment = /^\/call\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?$/i
    .exec(location.pathname)?.[1]
    ?.toLowerCase();
  #sdk: Promise<Sdk>;
  #sdkFailed = false;
  #config: Config | undefined;
  #defaults: DeviceDefaults = {};
  #consultation: Consultation | undefined;
  /** Called when a fresh token arrives while the screen asks to sign in. */
  #afterSignIn: () => void = () => undefined;

  constructor() {
    setLanguage(choose(navigator.languages));
    languageChosen.notify = () => {
      relabel();
      this.#bridge.emit("LANGUAGE_CHANGED", { language: languageNow() });
    };
    window.addEventListener("pagehide", () => this.#consultation?.vanish());
    window.addEventListener("online", () => this.#consultation?.online());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#consultation?.seen();
    });
    show(loadingScreen());
    this.#sdk = this.#loadSdk();
  }

  async open(): Promise<void> {
    if (!this.#appointment) {
      show(badLinkScreen());
      return;
    }
    if (!this.#sdkFailed) show(loadingScreen());
    try {
      this.#config = await within(CONFIG_TIMEOUT_MS, readConfig(), () => new Error("late"));
    } catch {
      this.#showError(new ApiError("offline", "OFFLINE"), () => void this.open());
      return;
    }
    const { embeddingOrigins, deepLinkBase } = this.#config;
    this.#bridge.trust(embeddingOrigins);
    this.#bridge.emit("PAGE_READY", {});
    if (this.#sdkFailed) return;
    if (this.#tokens.known) this.#begin();
    else if (this.#bridge.hosted) await this.#awaitToken();
    else show(aloneScreen(deepLinkBase && `${deepLinkBase}/${this.#appointment}`));
  }

  async #loadSdk(): Promise<Sdk> {
    const sdk = loadSdk();
    // A failure is shown at once, and not only when the SDK is needed.
    sdk.then(
      ({ Versioning }) => this.#bridge.emit("SDK_READY", { version: Versioning.sdkVersion }),
      (error: unknown) => this.#showSdkFailed(error instanceof SdkTimeout),
    );
    return sdk;
  }

  #showSdkFailed(timeout: boolean): void {
    this.#sdkFailed = true;
    this.#bridge.emit("MEETING_ERROR", { code: "SDK_LOAD_FAILED", ...(timeout ? { cause: "timeout" } : {}) });
    const again = () => {
      this.#sdkFailed = false;
      show(loadingScreen());
      this.#sdk = this.#loadSdk();
      this.#sdk.then(
        () => (this.#config && this.#tokens.known ? this.#begin() : void this.open()),
        // `#loadSdk` shows the failure.
        () => undefined,
      );
    };
    show(sdkFailedScreen(again));
  }

  async #awaitToken(): Promise<void> {
    const signal = show(loadingScreen());
    await wait(TOKEN_TIMEOUT_MS, signal).then(
      () => {
        this.#bridge.emit("MEETING_ERROR", { code: "NO_TOKEN" });
        show(noTokenScreen(() => void this.open()));
      },
      // Another screen is shown: the token has arrived.
      () => undefined,
    );
  }

  #receive(message: IncomingMessage): void {
    switch (message.type) {
      case "medzen.join": {
        if (message.language) this.#setLanguage(message.language);
        const first = !this.#tokens.known;
        this.#defaults = message.deviceDefaults ?? {};
        this.#tokens.receive(message.token);
        // A second message brings a fresh token and does not begin a second call.
        if (this.#config && (first || shown() === "session")) this.#begin();
        break;
      }
      case "medzen.token":
        this.#tokens.receive(message.token);
        if (shown() === "session") this.#afterSignIn();
        break;
      case "medzen.leave":
        this.#leave();
        break;
      case "medzen.setLanguage":
        this.#setLanguage(message.language);
        break;
    }
  }

  #setLanguage(language: string): void {
    setLanguage(choose([language]));
    relabel();
  }

  /** The app waits for MEETING_LEFT also where there is no call yet. */
  #leave(): void {
    if (this.#consultation) {
      this.#consultation.leave();
      return;
    }
    this.#bridge.emit("MEETING_LEFT", { sessionId: null });
    if (this.#config && this.#tokens.known) show(leftScreen(this.#context(), false));
  }

  #begin(): void {
    // Without the SDK there is no call; the screen that says so has the button that leads on.
    if (!this.#sdkFailed) void this.#start();
    else if (shown() !== "sdk") this.#showSdkFailed(false);
  }

  /** Asks the server for the state of the call, and shows the screen that belongs to it. */
  async #start(): Promise<void> {
    const context = this.#context();
    this.#consultation?.vanish();
    this.#consultation = undefined;
    const signal = show(loadingScreen());
    try {
      const status = await context.api.status();
      if (signal.aborted) return;
      context.rights = status.me.rights;
      const own = status.me.status;
      if (own === "removed") throw new ApiError("forbidden", "REMOVED_FROM_CALL");
      if (own === "turned_away") throw new ApiError("forbidden", "TURNED_AWAY");
      if (!status.isProvider && (status.callStatus === "ended" || status.callStatus === "failed")) {
        // The call has ended before this person came. If it starts again, they are led there.
        this.#beginWhen(show(endedScreen(context, false)), ({ hasActiveCall }) => hasActiveCall);
        void offerAfterwards(context, document.querySelector(".message .actions"), status);
        return;
      }
      await checkDevices({
        name: status.providerName,
        provider: status.isProvider,
        begins: !status.hasActiveCall,
        defaults: this.#defaults,
        join: (choices, requested) => {
          this.#consultation = new Consultation(context, status.isProvider, choices, requested);
          this.#consultation.enter();
        },
      });
      if (status.callStatus === "ended") void offerAfterwards(context, document.querySelector(".side"), status);
    } catch (error) {
      if (!signal.aborted) this.#showError(error, () => this.#begin());
    }
  }

  /** Begins as soon as the status is as wanted: the person need not find out what to press. */
  #beginWhen(signal: AbortSignal, wanted: (status: Status) => boolean): void {
    const { api } = this.#context();
    const began = Date.now();
    const poll = async () => {
      for (;;) {
        await wait(pollInterval(Date.now() - began), signal);
        // An error is not shown: the screen has its own text, and the next request follows.
        const status = await api.status().catch(() => undefined);
        if (signal.aborted) return;
        if (status && wanted(status)) {
          this.#begin();
          return;
        }
      }
    };
    // The loop ends when another screen is shown.
    poll().catch(() => undefined);
  }

  #context(): CallContext {
    const config = this.#config ?? configOf(undefined);
    return {
      api: new Api(this.#appointment ?? "", config, this.#tokens),
      bridge: this.#bridge,
      config,
      sdk: this.#sdk,
      rights: [],
      showError: (error, retry) => this.#showError(error, retry),
      restart: () => this.#begin(),
    };
  }

  #showError(error: unknown, again: () => void): void {
    if (this.#sdkFailed) return;
    const failure = error instanceof ApiError ? error : new ApiError("broken", "UNEXPECTED");
    this.#bridge.emit("MEETING_ERROR", { code: failure.code });
    const signal = show(errorScreen(failure, again, this.#bridge));
    if (hasCode(failure, "TURNED_AWAY")) {
      this.#beginWhen(signal, ({ hasActiveCall, me }) => hasActiveCall && me.admitted);
    } else if (failure.kind === "unauthorized") {
      this.#afterSignIn = again;
    } else if (failure.kind === "offline") {
      window.addEventListener("online", again, { once: true, signal });
    } else if (failure.kind === "busy" || failure.kind === "down") {
      // It passes by itself: the page tries again after the time that the server has given, and the person may before.
      const seconds = Math.min(60, Math.max(3, failure.retryAfterSeconds));
      wait(1_000 * seconds, signal).then(again, () => undefined);
    }
  }
}

void new Page().open();
