// One screen at a time. Showing the next one ends the work of the one before.

import { announce, button, drawn, h, type Icon, liveRegions } from "./dom.ts";
import { type Key, languageNow, setLanguage, type Text, title, translate } from "./text.ts";

export interface Screen {
  /** Identifies the screen for styles and tests. */
  name: string;
  title: Text;
  root: HTMLElement;
  /** The element that takes the focus, if not the first heading. */
  focus?: HTMLElement;
  close?(): void;
}

export interface Action {
  text: Text;
  press: () => void;
  quiet?: boolean;
  icon?: Icon;
}

/** The names that a text has as its title: `name.title`. */
export type Titled = Key extends infer K ? (K extends `${infer Name}.title` ? Name : never) : never;

/** A message whose title and body are the texts `name.title` and `name.body`, where it names no others. */
export type Message = MessageParts &
  ({ name: Titled; title?: Text; body?: Text[] } | { name: string; title: Text; body: Text[] });

interface MessageParts {
  icon: Icon;
  hints?: Text[] | undefined;
  actions?: Action[];
  /** Whether work goes on. */
  busy?: boolean;
  /** Whether something is wrong. */
  wrong?: boolean;
}

let current: Screen | undefined;
let going = new AbortController();

/** Called when the person has chosen a language. */
export const languageChosen: { notify: () => void } = { notify: () => undefined };

/** Shows a screen and gives it the focus. The signal is aborted when another screen takes its place. */
export function show(screen: Screen): AbortSignal {
  going.abort(new DOMException("another screen is shown", "AbortError"));
  going = new AbortController();
  current?.close?.();
  current = screen;
  const app = document.getElementById("app");
  if (!app) throw new Error("no #app");
  document.body.dataset["screen"] = screen.name;
  app.replaceChildren(screen.root);
  title(screen.title);
  const focus = screen.focus ?? screen.root.querySelector<HTMLElement>("h1");
  if (focus) {
    if (focus.tabIndex < 0) focus.tabIndex = -1;
    focus.focus();
  }
  return going.signal;
}

export function shown(): string | undefined {
  return current?.name;
}

/** A screen with one message and the actions for it. */
export function message({
  name,
  icon,
  title = `${name}.title` as Key,
  body = [`${name}.body` as Key],
  hints,
  actions = [],
  busy,
  wrong,
}: Message): Screen {
  const sign = h("div", { class: `sign${wrong ? " wrong" : ""}${busy ? " busy" : ""}` }, drawn(icon));
  const heading = h("h1", { t: title });
  const words = body.map((text) => h("p", { t: text }));
  const list = hints && h("ul", { class: "hints" }, ...hints.map((hint) => h("li", { t: hint })));
  const buttons = actions.map(({ text, press, quiet, icon }) =>
    button(quiet ? "button quiet" : "button", text, press, icon),
  );
  const card = h(
    "section",
    { class: "card message" },
    sign,
    heading,
    ...words,
    list,
    buttons.length > 0 && h("div", { class: "actions" }, ...buttons),
  );
  // The heading takes the focus and is read; the text after it is announced.
  if (body[0]) announce(body[0]);
  return { name, title, root: h("div", { class: "plain" }, head(), card) };
}

/** The bar at the top: the title, and the button for the other language. */
export function head(): HTMLElement {
  return h(
    "header",
    { class: "head" },
    h("div", { class: "brand" }, drawn("shield"), h("span", { t: "title.page" })),
    languageButton(),
  );
}

export function languageButton(): HTMLButtonElement {
  const other = h("button", { class: "button quiet small language" });
  const paint = () => {
    const next = languageNow() === "en" ? "fr" : "en";
    other.lang = next;
    // In its own language, so that those who need it can read it.
    other.textContent = next === "fr" ? translate("language.french") : translate("language.english");
  };
  other.addEventListener("click", () => {
    setLanguage(languageNow() === "en" ? "fr" : "en");
    languageChosen.notify();
  });
  other.addEventListener("medzen:language", paint);
  paint();
  return other;
}

/** Renders the language buttons again after the language has changed. */
export function relabel(): void {
  for (const button of document.querySelectorAll(".language")) button.dispatchEvent(new Event("medzen:language"));
}

/** A modal dialog. Escape is no answer: it closes the dialog and calls `dismissed`. */
export function dialog(
  name: string,
  heading: Text,
  content: (HTMLElement | undefined)[],
  actions: (Action & { danger?: boolean })[],
  dismissed: () => void,
): HTMLDialogElement {
  const id = `dialog-${name}`;
  const title = h("h2", { id, t: heading, attributes: { tabindex: "-1" } });
  const box = h("dialog", { class: "dialog", attributes: { "aria-labelledby": id, "data-dialog": name } });
  const buttons = actions.map(({ text, press, quiet, danger, icon }) =>
    button(
      `button${quiet ? " quiet" : ""}${danger ? " danger" : ""}`,
      text,
      () => {
        closeDialog(box);
        press();
      },
      icon,
    ),
  );
  box.append(
    ...takeAboveDialogs(),
    title,
    ...content.filter((part): part is HTMLElement => part !== undefined),
    h("div", { class: "actions" }, ...buttons),
    ...liveRegions(),
  );
  // `cancel` is not prevented: a browser allows that only a few times, and then closes the dialog nevertheless.
  box.addEventListener("close", () => {
    if (!box.isConnected) return;
    closeDialog(box);
    dismissed();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

export function closeDialogs(): void {
  for (const box of document.querySelectorAll<HTMLDialogElement>("dialog")) closeDialog(box);
}

/** Where an element was that a dialog shows. */
const places = new WeakMap<HTMLElement, Comment>();

/** A modal dialog covers the page and makes it inert: what must stay in sight and reach is in the dialog as long as it is open. */
function takeAboveDialogs(): HTMLElement[] {
  const elements = [...document.querySelectorAll<HTMLElement>("[data-above-dialogs]")];
  for (const element of elements) {
    const place = document.createComment("");
    places.set(element, place);
    element.replaceWith(place);
  }
  return elements;
}

/** Closes a dialog without an answer, and calls nothing. */
export function closeDialog(box: HTMLDialogElement): void {
  for (const element of box.querySelectorAll<HTMLElement>("[data-above-dialogs]"))
    places.get(element)?.replaceWith(element);
  box.close();
  box.remove();
}
