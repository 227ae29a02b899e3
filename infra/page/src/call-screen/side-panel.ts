import { drawn, h } from "../dom.ts";
import { label } from "../text.ts";
import { type Control, control } from "./controls.ts";

export type PanelName = "people" | "recording" | "settings";
const NAMES: readonly PanelName[] = ["people", "recording", "settings"];

/** The panel beside the pictures, with people, recording or settings in it, and the controls that open it. */
export class SidePanel {
  readonly root = h("aside", { class: "panel", attributes: { hidden: true } });
  readonly controls: Record<PanelName, Control>;
  readonly #contentOf: (name: PanelName) => HTMLElement;
  #open: PanelName | undefined;

  constructor(contentOf: (name: PanelName) => HTMLElement) {
    this.#contentOf = contentOf;
    this.controls = {
      people: control("people", "people.title", () => this.#toggle("people")),
      recording: control("record", "recording.title", () => this.#toggle("recording")),
      settings: control("gear", "settings.title", () => this.#toggle("settings")),
    };
    for (const name of NAMES) this.controls[name].root.setAttribute("aria-expanded", "false");
  }

  close(): void {
    if (this.#open) this.#toggle(this.#open);
  }

  #toggle(name: PanelName): void {
    const opening = this.#open !== name;
    const before = this.#open;
    this.#open = opening ? name : undefined;
    for (const one of NAMES) {
      const { root } = this.controls[one];
      root.setAttribute("aria-expanded", String(this.#open === one));
      root.classList.toggle("on", this.#open === one);
    }
    this.root.hidden = !opening;
    if (!opening) {
      if (before) this.controls[before].root.focus();
      return;
    }
    const heading = h("h2", { t: `${name}.title`, attributes: { tabindex: "-1" } });
    const close = h(
      "button",
      {
        class: "button quiet icon-only",
        label: "close",
        tip: true,
        on: { click: () => this.#toggle(name) },
      },
      drawn("close"),
    );
    label(this.root, `${name}.title`);
    this.root.replaceChildren(h("div", { class: "panel-head" }, heading, close), this.#contentOf(name));
    heading.focus();
  }
}
