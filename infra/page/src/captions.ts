// Captions, shown over the pictures while the person wants them, and stored nowhere.

import { h, named } from "./dom.ts";
import type { Caption } from "./media.ts";
import { put } from "./text.ts";

/** Room for two speakers at a time, and the line before. */
const MAX_LINES = 3;
const SIZES = ["1", "2", "3"] as const;
/** The size that was chosen, also for the next call. */
let size: string = SIZES[0];
/** A finished line stays for as long as a slow reader needs. */
const LINE_VISIBLE_MS = 8_000;

export class Captions {
  // Not a live region: a screen reader would talk over the speaker.
  readonly root = h("div", {
    class: "captions",
    label: "control.captions",
    attributes: { role: "log", "aria-live": "off", tabindex: "0", hidden: true, "data-size": size },
  });
  readonly #lines = new Map<string, HTMLElement>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #on = false;

  set on(on: boolean) {
    this.#on = on;
    this.#paint();
  }

  /** The choice of their size, for the settings. */
  sizeField(): HTMLElement {
    const change = () => {
      size = select.value;
      this.root.dataset["size"] = size;
    };
    const select = h(
      "select",
      { id: "captions-size", on: { change } },
      ...SIZES.map((one) => h("option", { t: `captions.size.${one}`, attributes: { value: one } })),
    );
    select.value = size;
    const words = h("label", { t: "captions.size", attributes: { for: select.id } });
    return h("div", { class: "field" }, words, select);
  }

  add({ id, text, partial, userId }: Caption, name: string | null): void {
    let line = this.#lines.get(id);
    if (!line) {
      const speaker = name ? named("span", name, "speaker") : h("span", { class: "speaker", t: "person.unknown" });
      line = h("p", { attributes: { "data-user": userId } }, speaker, h("span", { attributes: { "data-name": true } }));
      this.#lines.set(id, line);
      this.root.append(line);
      while (this.#lines.size > MAX_LINES) this.#drop([...this.#lines.keys()][0] ?? "");
    }
    const words = line.lastElementChild;
    if (words) words.textContent = ` ${text}`;
    if (!partial) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#drop(id);
      }, LINE_VISIBLE_MS);
      this.#timers.add(timer);
    }
    this.#paint();
  }

  /** Shows that there is no caption yet. */
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
