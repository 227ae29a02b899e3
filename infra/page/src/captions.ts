// What is said, in words. Shown over the pictures as long as somebody wants it; kept nowhere.

import { h, named } from "./dom.ts";
import type { Caption } from "./media.ts";
import { put } from "./text.ts";

/** Two speakers are heard at a time. */
const LINES = 3;
/** A line that is finished stays as long as a slow reader needs. */
const STAYS_MS = 8_000;

export class Captions {
  // Not live for screen readers: they would speak over the one who speaks.
  readonly root = h("div", {
    class: "captions",
    label: "captions.label",
    attributes: { role: "log", "aria-live": "off", tabindex: "0", hidden: true },
  });
  readonly #lines = new Map<string, HTMLElement>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #on = false;

  set on(on: boolean) {
    this.#on = on;
    this.#paint();
  }

  add({ id, text, partial, userId }: Caption, name: string | null): void {
    let line = this.#lines.get(id);
    if (!line) {
      const speaker = name ? named("span", name, "speaker") : h("span", { class: "speaker", t: "person.unknown" });
      line = h("p", { attributes: { "data-user": userId } }, speaker, h("span", { attributes: { "data-name": true } }));
      this.#lines.set(id, line);
      this.root.append(line);
      while (this.#lines.size > LINES) this.#drop([...this.#lines.keys()][0] ?? "");
    }
    const words = line.lastElementChild;
    if (words) words.textContent = ` ${text}`;
    if (!partial) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#drop(id);
      }, STAYS_MS);
      this.#timers.add(timer);
    }
    this.#paint();
  }

  /** Nothing has been said yet: says so. */
  waiting(waiting: boolean): void {
    const there = this.root.querySelector<HTMLElement>(".captions-none");
    if (!waiting) there?.remove();
    else if (!there && this.#lines.size === 0) {
      const words = h("p", { class: "captions-none" });
      put(words, "captions.none");
      this.root.append(words);
    }
    this.#paint();
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #drop(id: string): void {
    this.#lines.get(id)?.remove();
    this.#lines.delete(id);
    this.#paint();
  }

  #paint(): void {
    if (this.#lines.size > 0) this.root.querySelector(".captions-none")?.remove();
    this.root.hidden = !this.#on || this.root.childElementCount === 0;
  }
}
