// The search in the transcripts of the provider's own calls. The words are sent in a body: an address would be kept in logs.

import type { Api } from "../api.ts";
import { clock } from "../recordings/playback.ts";
import type { PageParts } from "../scripts.ts";
import type { Text } from "../text.ts";
import { type Found, marked, parseResults } from "./transcript.ts";

type Open = (appointmentId: string, sessionId: string, segment: number) => void;

export class TranscriptSearch {
  readonly root: HTMLElement;
  readonly #page: PageParts;
  readonly #api: Api;
  readonly #open: Open;
  readonly #input: HTMLInputElement;
  readonly #words: HTMLElement;
  readonly #list: HTMLElement;
  readonly #more: HTMLButtonElement;
  #query = "";
  #cursor: string | null = null;
  /** Grows with each search: results that come later are those of an earlier one. */
  #turn = 0;

  constructor(page: PageParts, api: Api, open: Open) {
    const { h, button } = page;
    this.#page = page;
    this.#api = api;
    this.#open = open;
    this.#input = h("input", { id: "transcript-search", attributes: { type: "search", autocomplete: "off" } });
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#begin();
    });
    this.#words = h("p", { class: "small", attributes: { hidden: true } });
    this.#list = h("ol", { class: "list" });
    this.#more = button("button quiet small", "transcript.more", () => void this.#read(this.#turn));
    this.#more.hidden = true;
    this.root = h(
      "div",
      { class: "settings", attributes: { role: "search" } },
      h(
        "div",
        { class: "field" },
        h("label", { t: "transcript.search", attributes: { for: this.#input.id } }),
        this.#input,
      ),
      button("button quiet", "transcript.find", () => this.#begin()),
      this.#words,
      this.#list,
      this.#more,
    );
  }

  #begin(): void {
    const query = this.#input.value.trim();
    if (query === "") return;
    this.#query = query;
    this.#cursor = null;
    this.#turn += 1;
    this.#list.replaceChildren();
    void this.#read(this.#turn);
  }

  async #read(turn: number): Promise<void> {
    this.#more.hidden = true;
    const body = { query: this.#query, ...(this.#cursor === null ? {} : { cursor: this.#cursor }) };
    const found = await this.#api.read(parseResults, "POST", "/transcripts/search", body).catch(() => undefined);
    if (turn !== this.#turn) return;
    if (!found) {
      this.#say("notLoaded");
      return;
    }
    this.#list.append(...found.results.map((one) => this.#item(one)));
    this.#cursor = found.nextCursor;
    this.#more.hidden = found.nextCursor === null;
    const count = this.#list.childElementCount;
    this.#say(count === 0 ? "transcript.nothingFound" : ["transcript.found", { count }]);
  }

  #item({ appointmentId, sessionId, segment, start, snippet }: Found): HTMLElement {
    const { h, named } = this.#page;
    const words = named("span", "");
    words.dir = "auto";
    words.append(
      ...marked(snippet).map(({ text, found }) => {
        const part = found ? document.createElement("mark") : document.createTextNode("");
        part.textContent = text;
        return part;
      }),
    );
    const open = h(
      "button",
      { class: "button quiet small", on: { click: () => this.#open(appointmentId, sessionId, segment) } },
      words,
      named("span", clock(start), "timer"),
    );
    return h("li", {}, open);
  }

  #say(text: Text): void {
    this.#words.hidden = false;
    this.#page.put(this.#words, text);
    this.#page.announce(text);
  }
}
