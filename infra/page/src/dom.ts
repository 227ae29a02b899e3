// Building elements, without markup from strings.

import { label, put, type Text, translate } from "./text.ts";

type Child = Node | undefined | false;

interface Props {
  class?: string;
  id?: string;
  /** The element's text. */
  t?: Text;
  /** The accessible name, where the text is missing or not enough. */
  label?: Text;
  /** Whether the accessible name is a tooltip too. */
  tip?: boolean;
  on?: Record<string, (event: Event) => void>;
  attributes?: Record<string, string | boolean | undefined>;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  // Without a form there is nothing to submit.
  if (tag === "button") element.setAttribute("type", tag);
  if (props.class) element.className = props.class;
  if (props.id) element.id = props.id;
  if (props.t) put(element, props.t);
  if (props.label) label(element, props.label, props.tip);
  for (const [name, value] of Object.entries(props.attributes ?? {})) {
    if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  for (const [name, handler] of Object.entries(props.on ?? {})) element.addEventListener(name, handler);
  for (const child of children) if (child) element.append(child);
  return element;
}

/** A person's name: data, not a text of the page. */
export function named(tag: "span" | "h2" | "p", name: string, css?: string): HTMLElement {
  const element = h(tag, { attributes: { "data-name": true }, ...(css ? { class: css } : {}) });
  element.textContent = name;
  return element;
}

export function button(css: string, text: Text, press: () => void, icon?: Icon): HTMLButtonElement {
  const element = h("button", { class: css, on: { click: press } });
  if (icon) element.append(drawn(icon));
  element.append(h("span", { t: text }));
  return element;
}

/** SVG paths on a grid of 24 by 24, drawn as lines. */
const ICONS = {
  alert: "M12 8v5m0 3.5v.01M10.3 3.9 2.2 18a2 2 0 0 0 1.7 3h16.2a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0z",
  camera: "M3 7a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zm13 3.5 5-3v9l-5-3",
  cameraOff: "M16 16.5V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7c0-.6.2-1 .6-1.4M9 5h5a2 2 0 0 1 2 2v3.5l5-3v9M3 3l18 18",
  captions:
    "M4 5h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zm7 5.5a2 2 0 1 0 0 3m6-3a2 2 0 1 0 0 3",
  check: "M4 12.5l5 5L20 6.5",
  clock: "M12 7v5l3 2m6-2a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  close: "M6 6l12 12M18 6 6 18",
  gear: "M4 7h10m4 0h2M4 17h2m4 0h10M16 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11m0-1V4.5a1.5 1.5 0 0 1 3 0V11m0-4.5a1.5 1.5 0 0 1 3 0V14a7 7 0 0 1-7 7c-2.5 0-4-1-5.2-3L3.5 14.5a1.5 1.5 0 0 1 2.5-1.6L8 15",
  leave:
    "M3.5 14.5c-.8-1 .2-2.6 1.5-3.4 4.3-2.7 9.7-2.7 14 0 1.3.8 2.3 2.4 1.5 3.4l-1 1.2c-.5.6-1.3.7-2 .4l-2.2-1c-.6-.3-1-.9-1-1.6v-1.2a9 9 0 0 0-4.6 0v1.2c0 .7-.4 1.3-1 1.6l-2.2 1c-.7.3-1.5.2-2-.4z",
  link: "M9.5 14.5l5-5M8 11l-2.5 2.5a4 4 0 0 0 5.6 5.6L13.5 16.5M16 13l2.5-2.5a4 4 0 0 0-5.6-5.6L10.5 7.5",
  microphone: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21",
  microphoneOff:
    "M15 10.5V6a3 3 0 0 0-5.9-.8M9 9v2a3 3 0 0 0 4.6 2.5M5.5 11a6.5 6.5 0 0 0 10.6 5M18.5 11c0 .9-.2 1.7-.5 2.5M12 17.5V21M3 3l18 18",
  offline:
    "M3 9.5a14 14 0 0 1 4-2.6M11.5 5.5A14 14 0 0 1 21 9.5M6 13a9.5 9.5 0 0 1 4-2.3M15 11.3a9.5 9.5 0 0 1 3 1.7M9.3 16.5a4.5 4.5 0 0 1 5.4 0M12 20v.01M3 3l18 18",
  people:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.2a6.5 6.5 0 0 1 3.5 5.8",
  pause: "M9 6v12M15 6v12",
  play: "M8 5l11 7-11 7z",
  record: "M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12z",
  screen:
    "M4 4h16a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM8 21h8M12 14V8m0 0-2.5 2.5M12 8l2.5 2.5",
  shield: "M12 3l7 3v5c0 4.5-3 8.3-7 10-4-1.7-7-5.5-7-10V6z",
  speaker: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11",
} as const;

export type Icon = keyof typeof ICONS;

export function drawn(icon: Icon): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[icon]);
  svg.append(path);
  return svg;
}

export function redraw(element: Element, icon: Icon): void {
  element.querySelector("path")?.setAttribute("d", ICONS[icon]);
}

/** Hides an element. If the focus is in it, it moves to the heading of the screen or of the open dialog, so that it is not lost. */
export function hide(element: HTMLElement): void {
  const focused = element.contains(document.activeElement);
  element.hidden = true;
  if (focused) document.querySelector<HTMLElement>(element.closest("dialog") ? "dialog h2" : "#app h1")?.focus();
}

/** The live regions of a dialog: a modal dialog makes those of `index.html` inert. */
export function liveRegions(): HTMLElement[] {
  return [
    h("div", { class: "unseen", attributes: { role: "status", "aria-live": "polite", "data-live": "polite" } }),
    h("div", { class: "unseen", attributes: { role: "alert", "aria-live": "assertive", "data-live": "urgent" } }),
  ];
}

/** Lets a screen reader announce a change outside the focus. */
export function announce(text: Text, urgent = false): void {
  const modal = [...document.querySelectorAll("dialog[open]")].at(-1);
  const region = (modal ?? document).querySelector(`[data-live="${urgent ? "urgent" : "polite"}"]`);
  if (!region) return;
  // A new child, so that an equal text is announced again.
  const words = h("p");
  words.textContent = translate(text);
  region.replaceChildren(words);
}
