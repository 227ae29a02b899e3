// The transcript as the provider controls it: the requests, and the state that follows from their answers and from the status.

import { type Body, type ErrorCode, isObject, type TranscriptionStatus } from "../answers.ts";
import type { Api, ApiError } from "../api.ts";
import { clock } from "../recordings/playback.ts";
import type { ControlHooks, PageParts } from "../scripts.ts";
import type { Text } from "../text.ts";
import { parseLanguages } from "./languages.ts";
import { missingOf } from "./recording-control.ts";
import { IDENTIFY, type TranscriptionActions, TranscriptionPanel } from "./transcription-panel.ts";

/** A transcript, as far as the controls read it. */
export interface Transcription {
  state: string;
  language: string;
  /** No attempt in this language has succeeded yet. */
  unconfirmed: boolean;
  /** The service's reason for a failure. */
  message: string | null;
}

const MAX_LANGUAGE_REQUESTS = 3;

export class TranscriptionControl implements TranscriptionActions {
  readonly #api: Api;
  readonly #hooks: ControlHooks;
  readonly #panel: TranscriptionPanel;
  #known: Transcription | undefined;
  #state: string | undefined;
  #message: string | null = null;
  #busy: "start" | "stop" | undefined;
  /** Grows with each request and each answer to one: a status that was requested before is older than the answer. */
  #version = 0;
  #languageRequests = 0;

  constructor(page: PageParts, api: Api, hooks: ControlHooks) {
    this.#api = api;
    this.#hooks = hooks;
    this.#panel = new TranscriptionPanel(page, this);
  }

  get root(): HTMLElement {
    return this.#panel.root;
  }

  get version(): number {
    return this.#version;
  }

  /** Asks which languages there are. A deployment without transcripts has no such route: then there are no controls. */
  async readLanguages(): Promise<void> {
    if (this.#languageRequests >= MAX_LANGUAGE_REQUESTS) return;
    this.#languageRequests += 1;
    try {
      const languages = await this.#api.read(parseLanguages, "GET", "/transcription/languages");
      this.#languageRequests = MAX_LANGUAGE_REQUESTS;
      this.#panel.showLanguages(languages);
    } catch (error) {
      // Not the API's own, which has a code in words. Otherwise the next status asks again.
      if ((error as Partial<ApiError>).code === "404") this.#languageRequests = MAX_LANGUAGE_REQUESTS;
    }
  }

  start(language: string | undefined, options: string[]): void {
    if (language === IDENTIFY && options.length < 2) {
      this.#hooks.notice("transcription", "transcription.needsTwo");
      return;
    }
    void this.#request("start", () =>
      this.#api.read(parseTranscription, "POST", `${this.#api.call}/transcription`, {
        ...(language === undefined ? {} : { language }),
        ...(options.length > 0 ? { languageOptions: options } : {}),
      }),
    );
  }

  stop(): void {
    void this.#request("stop", () => this.#api.read(parseTranscription, "DELETE", `${this.#api.call}/transcription`));
  }

  /** Takes over what a status says. `version` is that of the time when it was requested. */
  status(status: TranscriptionStatus, version: number): void {
    void this.readLanguages();
    if (version !== this.#version) return;
    // The status has no state of its own for one that stops.
    if (this.#state !== "stopping" || status.state !== "active") this.#state = status.state;
    this.#message = status.message;
    this.#show();
  }

  async #request(kind: "start" | "stop", ask: () => Promise<Transcription>): Promise<void> {
    this.#busy = kind;
    this.#version += 1;
    this.#hooks.notice("transcription", undefined);
    this.#show();
    try {
      this.#known = await ask();
      this.#state = this.#known.state;
      this.#message = this.#known.message;
    } catch (error) {
      this.#hooks.notice("transcription", await this.#textOf(error));
    }
    this.#busy = undefined;
    this.#version += 1;
    this.#show();
    // The call's own loop reads the status again.
    await this.#hooks.refresh().catch(() => undefined);
  }

  async #textOf(error: unknown): Promise<Text> {
    // By its fields: this script has a class of its own.
    const { kind, code, details } = error as Partial<ApiError>;
    switch (code as ErrorCode) {
      case "CONSENT_REQUIRED":
        return ["transcription.missing", { names: await this.#hooks.namesOf(missingOf(details)) }];
      case "TRANSCRIPTION_BUDGET": {
        const left = details?.["secondsLeft"];
        return ["transcription.budget", { length: clock(typeof left === "number" ? left : 0) }];
      }
      case "INVALID_FIELD":
        return "transcription.refused";
    }
    if (kind === "busy") return "recording.busy";
    if (kind === "forbidden") return "transcription.forbidden";
    return kind === "down" || kind === "offline" ? "transcription.down" : "people.failed";
  }

  #show(): void {
    const running = isOpen(this.#state);
    const failed = this.#state === "failed";
    this.#panel.show({
      text: this.#text(),
      message: failed && this.#message ? this.#message : undefined,
      running,
      busy: this.#busy !== undefined,
    });
  }

  #text(): Text {
    if (this.#busy === "start" || this.#state === "starting") return "transcription.starting";
    if (this.#busy === "stop" || this.#state === "stopping") return "transcription.stopping";
    if (this.#state === "failed") return "transcription.failed";
    if (!isOpen(this.#state)) return "transcription.off";
    const known = this.#known;
    if (!known) return "sign.transcription.began";
    const language = this.#panel.nameOf(known.language);
    return [known.unconfirmed ? "transcription.onUnconfirmed" : "transcription.on", { language }];
  }
}

/** Whether there is something to stop. */
function isOpen(state: string | undefined): boolean {
  return state === "starting" || state === "transcribing" || state === "active";
}

function parseTranscription(body: Body): Transcription | undefined {
  const { state, language, unconfirmed, message } = body;
  const valid =
    isObject(body) &&
    typeof state === "string" &&
    typeof language === "string" &&
    typeof unconfirmed === "boolean" &&
    (message === null || typeof message === "string");
  return valid ? { state, language, unconfirmed, message } : undefined;
}
