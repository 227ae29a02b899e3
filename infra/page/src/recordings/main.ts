// The recordings of an appointment, for those who may play them: a script of its own, which is loaded when it is wanted.

import type { ErrorCode, Recording } from "../answers.ts";
import type { Api, ApiError } from "../api.ts";
import type { PageParts, Recordings } from "../scripts.ts";
import type { Text } from "../text.ts";
import texts from "../texts.json";
import { clock, dateOf, type Playback, parsePlayback, timeOfDay } from "./playback.ts";
import { Player } from "./player.ts";

const NOT_READY: ErrorCode = "RECORDING_NOT_READY";
/** How often the list is read again while a recording is being prepared. */
const POLL_MS = 10_000;

export const showRecordings: Recordings["showRecordings"] = (page, api, rights, back) => {
  page.addTexts(texts);
  const list = new RecordingList(page, api, rights.includes("play"));
  const { h, button, head, show } = page;
  const root = h(
    "div",
    { class: "plain" },
    head(),
    h(
      "section",
      { class: "card recordings" },
      h("h1", { t: "player.title" }),
      list.root,
      button("button quiet", "player.back", back),
    ),
  );
  const signal = show({ name: "recordings", title: "player.title", root, close: () => list.close() });
  // The loop ends when another screen is shown.
  list.watch(signal).catch(() => undefined);
};

class RecordingList {
  readonly root: HTMLElement;
  readonly #page: PageParts;
  readonly #api: Api;
  readonly #mayPlay: boolean;
  readonly #failed: HTMLElement;
  readonly #entries = new Map<string, Entry>();
  #player: Player | undefined;

  constructor(page: PageParts, api: Api, mayPlay: boolean) {
    this.#page = page;
    this.#api = api;
    this.#mayPlay = mayPlay;
    this.#failed = page.h("p", { class: "small", t: "notLoaded", attributes: { hidden: true } });
    this.root = page.h("div", { class: "settings" }, this.#failed);
  }

  /** Reads the list until nothing is being prepared any more. */
  async watch(signal: AbortSignal): Promise<void> {
    for (;;) {
      const recordings = await this.#api.recordings().catch(() => undefined);
      signal.throwIfAborted();
      if (recordings) for (const one of recordings) this.#show(one);
      if (!recordings && this.#failed.hidden) this.#page.announce("notLoaded");
      this.#failed.hidden = recordings !== undefined;
      if (recordings?.every(({ state }) => !CHANGES.has(state))) return;
      await this.#page.wait(POLL_MS, signal);
    }
  }

  close(): void {
    this.#player?.close();
    this.#player = undefined;
  }

  #show(recording: Recording): void {
    let entry = this.#entries.get(recording.recordingId);
    if (!entry) {
      entry = new Entry(this.#page, recording, (own) => void this.#play(recording.recordingId, own));
      if (!this.#mayPlay) entry.forbid();
      this.#entries.set(recording.recordingId, entry);
      this.root.append(entry.root);
    }
    entry.show(recording);
  }

  async #play(id: string, entry: Entry): Promise<void> {
    const links = () => this.#links(id, entry);
    entry.say("player.loading");
    const playback = await links();
    if (!playback || !entry.root.isConnected) return;
    this.close();
    entry.say(undefined);
    this.#player = new Player(this.#page, playback, links);
    entry.root.append(this.#player.root);
    this.#player.start();
  }

  /** The links; nothing once the reason why there are none is shown. */
  async #links(id: string, entry: Entry): Promise<Playback | undefined> {
    try {
      return await this.#api.read(parsePlayback, "GET", `/recordings/${id}/playback`);
    } catch (error) {
      // By its fields: this script has a class of its own.
      const { kind, code } = error as Partial<ApiError>;
      if (kind === "forbidden") for (const one of this.#entries.values()) one.forbid();
      entry.say(kind === "forbidden" ? "player.forbidden" : code === NOT_READY ? "player.notReady" : "player.failed");
      return undefined;
    }
  }
}

const CHANGES: ReadonlySet<string> = new Set<Recording["state"]>(["recording", "paused", "processing", "deleting"]);

/** One recording: when it began, its state, and the button that plays it. */
class Entry {
  readonly root: HTMLElement;
  readonly #page: PageParts;
  readonly #state: HTMLElement;
  readonly #words: HTMLElement;
  readonly #play: HTMLButtonElement;
  #forbidden = false;

  constructor(page: PageParts, { startedAt }: Recording, play: (entry: Entry) => void) {
    const { h, button } = page;
    this.#page = page;
    const began: Text = ["player.began", { date: dateOf(startedAt), time: timeOfDay(startedAt) }];
    this.#state = h("p");
    this.#words = h("p", { class: "small", attributes: { hidden: true } });
    this.#play = button("button", "player.play", () => play(this), "play");
    this.root = h("article", { class: "fields" }, h("h2", { t: began }), this.#state, this.#play, this.#words);
  }

  show({ state, segments }: Recording): void {
    const text = stateText(state, segments);
    if (text) this.#page.put(this.#state, text);
    this.#state.hidden = text === undefined;
    // The server refuses what is not playable yet or any more, with its reason.
    this.#play.hidden = this.#forbidden || (state !== "ready" && state !== "incomplete");
  }

  forbid(): void {
    this.#forbidden = true;
    this.#play.hidden = true;
  }

  say(text: Text | undefined): void {
    this.#words.hidden = text === undefined;
    if (text === undefined) return;
    this.#page.put(this.#words, text);
    this.#page.announce(text);
  }
}

function stateText(state: Recording["state"], segments: Recording["segments"]): Text | undefined {
  switch (state) {
    case "ready":
      return undefined;
    case "recording":
    case "paused":
      return "player.state.recording";
    case "processing":
      return "player.state.processing";
    case "failed":
      return "player.state.failed";
    case "deleting":
    case "deleted":
      return "player.state.deleted";
    case "incomplete": {
      const missing = segments.reduce((sum, { missingSeconds }) => sum + (missingSeconds ?? 0), 0);
      return missing > 0 ? ["player.state.missing", { length: clock(missing) }] : "player.state.incomplete";
    }
  }
}
