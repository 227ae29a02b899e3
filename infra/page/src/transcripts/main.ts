// The transcript of a call after it, and the search in those of the provider's own calls: a script of its own, which is loaded when it
// is wanted.

import type { ErrorCode } from "../answers.ts";
import type { Api, ApiError } from "../api.ts";
import type { PageParts, Transcripts } from "../scripts.ts";
import type { Text } from "../text.ts";
import texts from "../texts.json";
import { TranscriptSearch } from "./search.ts";
import { parseTranscript } from "./transcript.ts";
import { TranscriptView } from "./view.ts";

/** How often a transcript that is being prepared is asked for. */
const POLL_MS = 10_000;
/** Nothing of the patient is in the name. */
const FILE_NAME = "consultation.vtt";

export const showTranscripts: Transcripts["showTranscripts"] = (page, api, { rights, search }, back) => {
  page.addTexts(texts);
  const { h, button, head, show } = page;
  const reader = new TranscriptReader(page, api, rights);
  const found = search
    ? new TranscriptSearch(page, api, (appointmentId, sessionId, segment) =>
        reader.open(`/appointments/${appointmentId}/transcript?sessionId=${sessionId}`, segment),
      )
    : undefined;
  const root = h(
    "div",
    { class: "plain" },
    head(),
    h(
      "section",
      { class: "card recordings" },
      h("h1", { t: "transcript.title" }),
      found?.root,
      reader.root,
      button("button quiet", "transcript.back", back),
    ),
  );
  const signal = show({ name: "transcripts", title: "transcript.title", root });
  reader.begin(signal);
  reader.open(`${api.appointment}/transcript`);
};

/** One transcript at a time: asks for it until it is there, and offers it as a file. */
class TranscriptReader {
  readonly root: HTMLElement;
  readonly #page: PageParts;
  readonly #api: Api;
  readonly #words: HTMLElement;
  readonly #place: HTMLElement;
  readonly #actions: HTMLElement;
  readonly #hide: HTMLInputElement;
  readonly #redactedOnly: boolean;
  #path = "";
  #segment: number | undefined;
  /** Grows with each transcript that is asked for: an answer that comes later is that of an earlier one. */
  #turn = 0;
  #signal: AbortSignal | undefined;

  constructor(page: PageParts, api: Api, rights: readonly string[]) {
    const { h, button } = page;
    this.#page = page;
    this.#api = api;
    this.#redactedOnly = !rights.includes("transcript.read");
    this.#words = h("p", { attributes: { hidden: true } });
    this.#place = h("div");
    this.#hide = h("input", {
      id: "transcript-hide",
      attributes: { type: "checkbox" },
      on: { change: () => this.open(this.#path) },
    });
    const hide =
      rights.includes("transcript.read") &&
      rights.includes("transcript.read_redacted") &&
      h(
        "div",
        { class: "option" },
        this.#hide,
        h("label", { t: "transcript.hide", attributes: { for: this.#hide.id } }),
      );
    this.#actions = h(
      "div",
      { class: "settings", attributes: { hidden: true } },
      hide,
      button("button", "transcript.download", () => void this.#download()),
    );
    this.root = h("div", { class: "settings" }, this.#words, this.#actions, this.#place);
  }

  begin(signal: AbortSignal): void {
    this.#signal = signal;
  }

  /** Shows the transcript at this path, from this segment on. */
  open(path: string, segment?: number): void {
    this.#path = path;
    this.#segment = segment;
    this.#turn += 1;
    // The loop ends when another screen is shown.
    this.#read(this.#turn).catch(() => undefined);
  }

  /** The path in the form that is wanted. */
  get #address(): string {
    if (!this.#redactedOnly && !this.#hide.checked) return this.#path;
    return `${this.#path}${this.#path.includes("?") ? "&" : "?"}view=redacted`;
  }

  async #read(turn: number): Promise<void> {
    const { wait } = this.#page;
    for (;;) {
      this.#say("transcript.loading");
      try {
        const transcript = await this.#api.read(parseTranscript, "GET", this.#address);
        this.#signal?.throwIfAborted();
        if (turn !== this.#turn) return;
        const view = new TranscriptView(this.#page, transcript);
        this.#place.replaceChildren(view.root);
        this.#actions.hidden = false;
        this.#say(transcript.state === "incomplete" ? "transcript.incomplete" : undefined);
        if (this.#segment !== undefined) view.show(this.#segment);
        return;
      } catch (error) {
        this.#signal?.throwIfAborted();
        if (turn !== this.#turn) return;
        this.#place.replaceChildren();
        // The redacted text can be shown in full again.
        this.#actions.hidden = !this.#hide.checked;
        const { text, again } = failureOf(error);
        this.#say(text);
        if (!again) return;
      }
      await wait(POLL_MS, this.#signal);
      if (turn !== this.#turn) return;
    }
  }

  async #download(): Promise<void> {
    try {
      const text = await this.#api.text(this.#address, "text/vtt");
      const address = URL.createObjectURL(new Blob([text], { type: "text/vtt" }));
      const link = this.#page.h("a", { attributes: { href: address, download: FILE_NAME } });
      link.click();
      // The browser has begun to take the bytes by then.
      await this.#page.wait(POLL_MS);
      URL.revokeObjectURL(address);
    } catch (error) {
      this.#say(failureOf(error).text);
    }
  }

  #say(text: Text | undefined): void {
    this.#words.hidden = text === undefined;
    if (text === undefined) return;
    this.#page.put(this.#words, text);
    this.#page.announce(text);
  }
}

/** The text of an error, and whether the same request may succeed later. */
function failureOf(error: unknown): { text: Text; again: boolean } {
  // By its fields: this script has a class of its own.
  const { kind, code } = error as Partial<ApiError>;
  switch (code as ErrorCode) {
    case "TRANSCRIPT_NOT_READY":
      return { text: "transcript.processing", again: true };
    case "TRANSCRIPT_NOT_FOUND":
      return { text: "transcript.none", again: false };
    case "TRANSCRIPT_NOT_MARKED":
      return { text: "transcript.notMarked", again: false };
  }
  if (kind === "forbidden") return { text: "transcript.forbidden", again: false };
  return { text: "notLoaded", again: kind === "offline" || kind === "down" || kind === "busy" };
}
