// Plays the segments of a recording one after the other. A segment ends at its duration, also where its file is longer: what was
// captured after a withdrawal of consent is in the file and must not be played.

import type { PageParts } from "../scripts.ts";
import type { Text } from "../text.ts";
import { clock, lengthOf, type Playback, placeAt, type Segment, timeOfDay } from "./playback.ts";

/** Links that expire so soon are replaced before a segment is loaded with them. */
const EXPIRY_MARGIN_MS = 5_000;
/** Links that are so fresh are used in any case: the clock of this device may be wrong. */
const FRESH_MS = 10_000;
/** What is left of a segment when it counts as over. */
const END_SECONDS = 0.02;
/** How far beyond the end of a segment the position may be: a timer is not exact, a seek goes further. */
const MAX_OVERRUN_SECONDS = 0.1;

export class Player {
  readonly root: HTMLElement;
  readonly #page: PageParts;
  /** Asks for new links; an error has been shown already if there are none. */
  readonly #renewed: () => Promise<Playback | undefined>;
  readonly #video: HTMLVideoElement;
  readonly #line: HTMLElement;
  readonly #time: HTMLElement;
  readonly #position: HTMLInputElement;
  readonly #play: HTMLButtonElement;
  readonly #parts: HTMLElement;
  #playback: Playback;
  #received = Date.now();
  #index = 0;
  /** The time in the segment that is shown or wanted. */
  #within = 0;
  #playing = false;
  /** Grows with each segment that is loaded; links that arrive later are those of an earlier one. */
  #turn = 0;
  /** Whether links were renewed because of an error and nothing has been played since. */
  #retried = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(page: PageParts, playback: Playback, renew: () => Promise<Playback | undefined>) {
    this.#page = page;
    this.#playback = playback;
    this.#renewed = renew;
    const { h } = page;
    const guard = () => this.#guard();
    this.#video = h("video", {
      label: "player.picture",
      attributes: { playsinline: true, preload: "auto", disablepictureinpicture: true, tabindex: "-1" },
      on: {
        timeupdate: guard,
        seeking: guard,
        playing: guard,
        ended: () => this.#segmentOver(),
        error: () => void this.#recover(),
        // A media key or the system may pause and resume it too.
        play: () => this.#paint(),
        pause: () => this.#paint(),
      },
    });
    this.#play = h("button", { class: "round", label: "player.play", tip: true, on: { click: () => this.toggle() } });
    this.#play.append(page.drawn("play"));
    this.#position = h("input", {
      label: "player.position",
      attributes: { type: "range", min: "0", step: "1", value: "0" },
      on: { input: () => this.#seek(Number(this.#position.value)) },
    });
    this.#time = h("span", { class: "timer", attributes: { "data-name": true } });
    this.#line = h("p", { class: "small" });
    this.#parts = h("ol", { class: "list" });
    this.root = h(
      "div",
      { class: "player" },
      this.#video,
      h("div", { class: "player-controls" }, this.#play, this.#position, this.#time),
      this.#line,
      this.#parts,
    );
    this.#list();
    this.#paint();
  }

  start(): void {
    this.#play.focus();
    void this.#load(0, 0, true);
  }

  toggle(): void {
    if (this.#playing) {
      this.#playing = false;
      this.#video.pause();
      this.#paint();
      return;
    }
    const over = this.#index === this.#segments.length - 1 && this.#left() <= END_SECONDS;
    if (over) void this.#load(0, 0, true);
    else if (this.#video.error || !this.#video.src) void this.#load(this.#index, this.#within, true);
    else this.#resume();
  }

  close(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#playing = false;
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load();
    this.root.remove();
  }

  get #segments(): Segment[] {
    return this.#playback.segments;
  }

  get #segment(): Segment {
    return this.#segments[this.#index] as Segment;
  }

  #left(): number {
    return this.#segment.durationSeconds - this.#within;
  }

  async #load(index: number, within: number, play: boolean): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    clearTimeout(this.#timer);
    this.#video.pause();
    this.#index = index;
    this.#within = within;
    this.#playing = play;
    this.#paint();
    const now = Date.now();
    const expires = Date.parse(this.#playback.expiresAt) - EXPIRY_MARGIN_MS;
    if (!(now < expires) && now - this.#received > FRESH_MS && !(await this.#renew(turn))) return;
    this.#video.src = this.#segment.url;
    // Before the file is known, this is the time at which it will begin.
    this.#video.currentTime = this.#within;
    if (this.#playing) this.#resume();
  }

  /** Whether there are new links, and no other segment was asked for meanwhile. */
  async #renew(turn: number): Promise<boolean> {
    const { number } = this.#segment;
    const playback = await this.#renewed();
    if (turn !== this.#turn) return false;
    if (!playback) {
      this.#stop("player.failed");
      return false;
    }
    this.#playback = playback;
    this.#received = Date.now();
    // More segments may be ready by now, and a deleted one is gone.
    const index = this.#segments.findIndex((one) => one.number === number);
    if (index < 0) this.#within = 0;
    this.#index = Math.max(0, index);
    this.#list();
    return true;
  }

  /** A link has expired while it was in use, or the network has failed. */
  async #recover(): Promise<void> {
    if (!this.#video.getAttribute("src")) return;
    if (this.#retried) {
      this.#stop("player.failed");
      return;
    }
    this.#retried = true;
    this.#turn += 1;
    if (await this.#renew(this.#turn)) await this.#load(this.#index, this.#within, this.#playing);
  }

  #stop(text: Text): void {
    this.#playing = false;
    this.#video.removeAttribute("src");
    this.#retried = false;
    this.#say(text);
    this.#paint();
  }

  #resume(): void {
    this.#playing = true;
    this.#say(undefined);
    // The browser may refuse to play before the person presses a button; then the button says so.
    this.#video.play().catch((error: unknown) => {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      this.#playing = false;
      this.#paint();
    });
    this.#paint();
  }

  /** Ends the segment in time: now, or when what is left of it has been played. */
  #guard(): void {
    clearTimeout(this.#timer);
    if (!this.#video.getAttribute("src") || this.#video.readyState === 0) return;
    const { currentTime } = this.#video;
    const { durationSeconds } = this.#segment;
    if (currentTime > this.#within) this.#retried = false;
    this.#within = Math.min(currentTime, durationSeconds);
    // A media key can seek into what must not be shown.
    if (currentTime > durationSeconds + MAX_OVERRUN_SECONDS) this.#video.currentTime = durationSeconds;
    this.#paint();
    if (this.#left() <= END_SECONDS) this.#segmentOver();
    else if (!this.#video.paused)
      this.#timer = setTimeout(() => this.#guard(), (1_000 * this.#left()) / this.#video.playbackRate);
  }

  #segmentOver(): void {
    this.#video.pause();
    this.#within = this.#segment.durationSeconds;
    const next = this.#segments[this.#index + 1];
    if (!this.#playing || !next) {
      if (this.#playing && !next) this.#say("player.ended");
      this.#playing = false;
      this.#paint();
      return;
    }
    void this.#load(this.#index + 1, 0, true);
    const gap = gapOf(next);
    if (gap) this.#say(gap);
  }

  #seek(seconds: number): void {
    const { index, within } = placeAt(this.#segments, seconds);
    if (index !== this.#index || !this.#video.getAttribute("src")) void this.#load(index, within, this.#playing);
    else {
      this.#within = within;
      this.#video.currentTime = within;
    }
  }

  #say(text: Text | undefined): void {
    this.#line.hidden = text === undefined;
    if (text === undefined) return;
    this.#page.put(this.#line, text);
    this.#page.announce(text);
  }

  #paint(): void {
    const total = lengthOf(this.#segments);
    const now = lengthOf(this.#segments.slice(0, this.#index)) + this.#within;
    const words = `${clock(now)} / ${clock(total)}`;
    this.#time.textContent = words;
    this.#position.max = String(Math.max(1, Math.floor(total)));
    this.#position.value = String(now);
    this.#position.setAttribute("aria-valuetext", words);
    this.#page.redraw(this.#play, this.#playing ? "pause" : "play");
    this.#page.label(this.#play, this.#playing ? "player.pause" : "player.play", true);
    for (const part of this.#parts.querySelectorAll<HTMLElement>("[data-part]"))
      part.setAttribute("aria-current", String(part.dataset["part"] === String(this.#index)));
  }

  /** The segments and the gaps between them. */
  #list(): void {
    const { h, button } = this.#page;
    this.#parts.replaceChildren(
      ...this.#segments.flatMap((segment, index) => {
        const { number, startedAt, durationSeconds } = segment;
        const text: Text = ["player.part", { number, time: timeOfDay(startedAt), length: clock(durationSeconds) }];
        const part = button("button quiet small", text, () => void this.#load(index, 0, true));
        part.dataset["part"] = String(index);
        const gap = gapOf(segment);
        return [gap && h("li", { class: "small", t: gap, attributes: { "data-gap": true } }), h("li", {}, part)].filter(
          (item) => item !== undefined,
        );
      }),
    );
  }
}

/** Why nothing was recorded before a segment, and for how long. */
function gapOf({ gapSeconds, gapReason }: Segment): Text | undefined {
  if (!gapSeconds) return undefined;
  return [gapReason ? `player.gap.${gapReason}` : "player.gap", { length: clock(gapSeconds) }];
}
