// The words of a transcript in the order of time, with who said them, and the gaps between them.

import { clock } from "../recordings/playback.ts";
import type { PageParts } from "../scripts.ts";
import type { Key, Text } from "../text.ts";
import { type Gap, type Segment, type Transcript, timeline } from "./transcript.ts";

const ROLES: readonly string[] = ["provider", "patient", "observer"];
const GAP_REASONS = [
  "interrupted",
  "silent_service",
  "capture_switched",
  "consent_revoked",
  "not_transcribed",
  "failed",
];

export class TranscriptView {
  readonly root: HTMLElement;
  readonly #page: PageParts;

  constructor(page: PageParts, transcript: Transcript) {
    this.#page = page;
    const { h } = page;
    const items = timeline(transcript);
    this.root =
      items.length === 0
        ? h("p", { t: "transcript.empty" })
        : h(
            "ol",
            { class: "list transcript" },
            ...items.map((one) => ("text" in one ? this.#segment(one) : this.#gap(one))),
          );
  }

  /** Moves to a segment. */
  show(number: number): void {
    const found = this.root.querySelector<HTMLElement>(`[data-segment="${number}"]`);
    found?.scrollIntoView({ block: "center" });
    found?.focus();
  }

  #segment({ number, start, speaker, text, language, source, revoked }: Segment): HTMLElement {
    const { h, named } = this.#page;
    const words = named("p", text);
    words.lang = language;
    // A segment may be in a language that is written from right to left.
    words.dir = "auto";
    // The label is in English, but for a voice that nobody has: `speaker 1`.
    const role = speaker.role !== null && ROLES.includes(speaker.role) ? (`role.${speaker.role}` as Key) : undefined;
    const who = role ? h("span", { class: "person-name", t: role }) : named("span", speaker.label, "person-name");
    const shared =
      /\(shared content\)$/.test(speaker.label) && h("span", { class: "person-role", t: "transcript.shared" });
    const notes: Text[] = [
      ...(source === "batch" ? (["transcript.batch"] as const) : []),
      ...(revoked ? (["transcript.revoked"] as const) : []),
    ];
    return h(
      "li",
      { attributes: { "data-segment": String(number), tabindex: "-1" } },
      h("div", { class: "who" }, who, shared, named("span", clock(start), "timer")),
      words,
      ...notes.map((note) => h("p", { class: "small", t: note })),
    );
  }

  #gap({ start, end, reason }: Gap): HTMLElement {
    const known = GAP_REASONS.includes(reason) ? (`transcript.gap.${reason}` as Key) : "transcript.gap";
    return this.#page.h("li", {
      class: "small",
      t: [known, { length: clock(end - start) }],
      attributes: { "data-gap": true },
    });
  }
}
