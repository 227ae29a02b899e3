// Where the page begins. What others call is there before anything is loaded: then a slow or broken line shows a screen that
// says so, and never nothing.

import type { Status } from "./answers.ts";
import { Api, ApiError, type TokenSource } from "./api.ts";
import { Bridge, type DeviceDefaults, type IncomingMessage } from "./bridge.ts";
import { checkDevices } from "./check.ts";
import { type Config, readConfig } from "./config.ts";
import { Consultation } from "./consultation/consultation.ts";
import type { CallContext } from "./consultation/context.ts";
import { closing, endedScreen, leftScreen } from "./consultation/screens.ts";
import { h } from "./dom.ts";
import { languageChosen, message, relabel, show, shown } from "./screen.ts";
import { loadSdk, type Sdk } from "./sdk.ts";
import { choose, languageNow, speak } from "./text.ts";
import { wait, within } from "./wait.ts";

/** How long the app may take to hand over its token, and a fresh one. */
const TOKEN_MS = 20_000;
const RENEWAL_MS = 10_000;

class Page {
  readonly #bridge = new Bridge((message) => this.#hear(message));
  readonly #appointment = /^\/call\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?$/i
    .exec(location.pathname)?.[1]
    ?.toLowerCase();
  #sdk: Promise<Sdk>;
  #config: Config | undefined;
  #token: string | undefined;
  #renewed: ((token: string) => void)[] = [];
  #renewal: Promise<string | undefined> | undefined;
  #signedIn: () => void = () => undefined;
  #defaults: DeviceDefaults = {};
  #sdkFailed = false;
  #consultation: Consultation | undefined;

  constructor() {
    speak(choose(navigator.languages));
    languageChosen.tell = () => {
      relabel();
      this.#bridge.emit("LANGUAGE_CHANGED", { language: languageNow() });
    };
    window.addEventListener("pagehide", () => this.#consultation?.vanish());
    window.addEventListener("online", () => this.#consultation?.online());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#consultation?.seen();
    });
    this.#loading();
    this.#sdk = this.#load();
  }

  async open(): Promise<void> {
    if (!this.#appointment) {
      show(
        message({
          name: "bad-link",
          icon: "link",
          title: "badLink.title",
          body: ["badLink.body"],
          actions: [],
          wrong: true,
        }),
      );
      return;
    }
    if (!this.#sdkFailed) this.#loading();
    try {
      this.#config = await within(15_000, readConfig(), () => new Error("late"));
    } catch {
      this.#context().showError(new ApiError("offline", "OFFLINE"), () => void this.open());
      return;
    }
    this.#bridge.trust(this.#config.embeddingOrigins);
    this.#bridge.emit("PAGE_READY", {});
    if (this.#sdkFailed) return;
    if (this.#token) this.#begin();
    else if (this.#bridge.hosted) await this.#awaitToken();
    else this.#alone(this.#config);
  }

  #loading(): AbortSignal {
    return show(
      message({
        name: "loading",
        icon: "shield",
        title: "loading.title",
        body: ["loading.body"],
        actions: [],
        busy: true,
      }),
    );
  }

  async #load(): Promise<Sdk> {
    const sdk = loadSdk();
    // Whoever needs it first hears of a failure; it is shown here in any case, at once and not when one has waited for it.
    sdk.then(
      ({ Versioning }) => this.#bridge.emit("SDK_READY", { version: Versioning.sdkVersion }),
      () => this.#noSdk(),
    );
    return sdk;
  }

  #noSdk(): void {
    this.#sdkFailed = true;
    this.#bridge.emit("MEETING_ERROR", { code: "SDK_LOAD_FAILED" });
    const again = () => {
      this.#sdkFailed = false;
      this.#loading();
      this.#sdk = this.#load();
      this.#sdk.then(
        () => (this.#config && this.#token ? this.#begin() : void this.open()),
        () => undefined,
      );
    };
    show(
      message({
        name: "sdk",
        icon: "alert",
        title: "sdk.title",
        body: ["sdk.body"],
        hints: ["sdk.hint.1", "sdk.hint.2"],
        actions: [{ text: "again", press: again }],
        wrong: true,
      }),
    );
  }

  async #awaitToken(): Promise<void> {
    const signal = this.#loading();
    await wait(TOKEN_MS, signal).then(
      () => {
        this.#bridge.emit("MEETING_ERROR", { code: "NO_TOKEN" });
        show(
          message({
            name: "no-token",
            icon: "link",
            title: "noToken.title",
            body: ["noToken.body"],
            hints: ["noToken.hint"],
            actions: [{ text: "again", press: () => void this.open() }],
            wrong: true,
          }),
        );
      },
      () => undefined,
    );
  }

  /** Nobody is there who could say who this is. */
  #alone({ deepLinkBase }: Config): void {
    const screen = message({
      name: "alone",
      icon: "link",
      title: "alone.title",
      body: ["alone.body"],
      hints: ["alone.hint"],
      actions: [],
    });
    if (deepLinkBase) {
      const link = h("a", {
        class: "button",
        t: "alone.open",
        attributes: { href: `${deepLinkBase}/${this.#appointment ?? ""}`, rel: "noreferrer" },
      });
      screen.root.querySelector(".card")?.append(h("div", { class: "actions" }, link));
    }
    show(screen);
  }

  #hear(message: IncomingMessage): void {
    switch (message.type) {
      case "medzen.join": {
        if (message.language) this.#speak(message.language);
        const first = this.#token === undefined;
        this.#defaults = message.deviceDefaults ?? {};
        this.#take(message.token);
        // A second one is a fresh token and no second call.
        if (this.#config && (first || shown() === "session")) this.#begin();
        break;
      }
      case "medzen.token":
        this.#take(message.token);
        if (shown() === "session") this.#signedIn();
        break;
      case "medzen.leave":
        this.#leave();
        break;
      case "medzen.setLanguage":
        this.#speak(message.language);
        break;
    }
  }

  #speak(language: string): void {
    speak(choose([language]));
    relabel();
  }

  #take(token: string): void {
    this.#token = token;
    for (const renewed of this.#renewed.splice(0)) renewed(token);
  }

  /** The app says so, and waits to hear that it is done; also where there is no call yet. */
  #leave(): void {
    if (this.#consultation) {
      this.#consultation.leave();
      return;
    }
    this.#bridge.emit("MEETING_LEFT", { sessionId: null });
    if (this.#config && this.#token) show(leftScreen(this.#context(), false));
  }

  #begin(): void {
    // Without the SDK there is no call; the screen that says so has the way on.
    if (!this.#sdkFailed) void this.#start();
    else if (shown() !== "sdk") this.#noSdk();
  }

  /** Asks the server how things stand, and goes there. */
  async #start(): Promise<void> {
    const context = this.#context();
    this.#consultation?.vanish();
    this.#consultation = undefined;
    const signal = this.#loading();
    try {
      const status = await context.api.status();
      if (signal.aborted) return;
      const mine = status.me?.status;
      if (mine === "removed") throw new ApiError("forbidden", "REMOVED_FROM_CALL");
      if (mine === "turned_away") throw new ApiError("forbidden", "TURNED_AWAY");
      if (!status.isProvider && (status.callStatus === "ended" || status.callStatus === "failed")) {
        this.#afterwards(context);
        return;
      }
      await checkDevices({
        name: status.providerName,
        provider: status.isProvider,
        begins: !status.hasActiveCall,
        defaults: this.#defaults,
        join: (choices, wishes) => {
          this.#consultation = new Consultation(context, status.isProvider, choices, wishes);
          this.#consultation.enter();
        },
      });
    } catch (error) {
      if (!signal.aborted) context.showError(error, () => this.#begin());
    }
  }

  /** The call has ended before this person came. Should it begin again, they are led there. */
  #afterwards(context: CallContext): void {
    this.#beginWhen(show(endedScreen(context, false)), ({ hasActiveCall }) => hasActiveCall);
  }

  /** Should things change for the better, this person need not know where to press. */
  #beginWhen(signal: AbortSignal, better: (status: Status) => boolean): void {
    const { api } = this.#context();
    const look = async () => {
      for (;;) {
        await wait(5_000, signal);
        const status = await api.status().catch(() => undefined);
        if (signal.aborted) return;
        if (status && better(status)) {
          this.#begin();
          return;
        }
      }
    };
    look().catch(() => undefined);
  }

  #context(): CallContext {
    const config = this.#config ?? {
      embeddingOrigins: [],
      deepLinkBase: null,
      tokenHeader: "Authorization",
      mediaTimeoutSeconds: 20,
    };
    const page = this;
    const tokens: TokenSource = {
      get current() {
        return page.#token ?? "";
      },
      renew: (old) => page.#renew(old),
    };
    return {
      api: new Api(this.#appointment ?? "", config, tokens),
      bridge: this.#bridge,
      config,
      sdk: this.#sdk,
      showError: (error, retry) => this.#showError(error, retry),
      restart: () => this.#begin(),
    };
  }

  async #renew(old: string): Promise<string | undefined> {
    if (this.#token !== undefined && this.#token !== old) return this.#token;
    // Requests that are refused at the same time ask once.
    this.#renewal ??= this.#request().finally(() => (this.#renewal = undefined));
    const token = await this.#renewal;
    return token === old ? undefined : token;
  }

  #request(): Promise<string | undefined> {
    const renewed = new Promise<string>((resolve) => this.#renewed.push(resolve));
    this.#bridge.emit("TOKEN_REQUIRED", { reason: "expired" });
    return within(RENEWAL_MS, renewed, () => new Error("late")).catch(() => undefined);
  }

  /** Every way in which it can go wrong has a screen, and every screen says what to do. */
  #showError(error: unknown, again: () => void): void {
    if (this.#sdkFailed) return;
    const failure = error instanceof ApiError ? error : new ApiError("broken", "UNEXPECTED");
    const { kind, code } = failure;
    this.#bridge.emit("MEETING_ERROR", { code });
    const retry = { text: "again", press: again } as const;
    if (code === "REMOVED_FROM_CALL") {
      show(
        message({
          name: "removed",
          icon: "hand",
          title: "removed.title",
          body: ["removed.body"],
          actions: closing({ bridge: this.#bridge }),
          wrong: true,
        }),
      );
    } else if (code === "TURNED_AWAY") {
      const signal = show(
        message({
          name: "turned-away",
          icon: "hand",
          title: "turnedAway.title",
          body: ["turnedAway.body"],
          actions: closing({ bridge: this.#bridge }),
          wrong: true,
        }),
      );
      this.#beginWhen(signal, ({ hasActiveCall, me }) => hasActiveCall && me?.admitted === true);
    } else if (kind === "gone") {
      show(
        message({
          name: "expired",
          icon: "clock",
          title: "expired.title",
          body: ["expired.body"],
          actions: [retry],
          wrong: true,
        }),
      );
    } else if (kind === "unauthorized") {
      this.#signedIn = again;
      show(
        message({
          name: "session",
          icon: "shield",
          title: "session.title",
          body: ["session.body"],
          actions: [retry],
          wrong: true,
        }),
      );
    } else if (kind === "forbidden") {
      show(
        message({
          name: "forbidden",
          icon: "hand",
          title: "forbidden.title",
          body: ["forbidden.body"],
          actions: [retry],
          wrong: true,
        }),
      );
    } else if (kind === "missing") {
      show(
        message({
          name: "missing",
          icon: "link",
          title: "missing.title",
          body: ["missing.body"],
          actions: [retry],
          wrong: true,
        }),
      );
    } else if (kind === "busy" || kind === "down") {
      this.#later(kind, failure.retryAfterSeconds, again);
    } else if (kind === "offline") {
      const signal = show(
        message({
          name: "offline",
          icon: "offline",
          title: "offline.title",
          body: ["offline.body"],
          hints: ["offline.hint.1", "offline.hint.2"],
          actions: [retry],
          wrong: true,
        }),
      );
      window.addEventListener("online", again, { once: true, signal });
    } else {
      show(
        message({
          name: "failed",
          icon: "alert",
          title: "failed.title",
          body: ["failed.body"],
          actions: [retry],
          wrong: true,
        }),
      );
    }
  }

  /** It passes by itself: tries again when the server has said, and lets the person try before. */
  #later(kind: "busy" | "down", seconds: number, again: () => void): void {
    const signal = show(
      message({
        name: kind,
        icon: "clock",
        title: `${kind}.title`,
        body: [`${kind}.body`],
        actions: [{ text: "again", press: again }],
        busy: true,
      }),
    );
    wait(1_000 * Math.min(60, Math.max(3, seconds)), signal).then(again, () => undefined);
  }
}

void new Page().open();
