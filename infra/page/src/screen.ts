// One screen at a time. Showing the next one ends all that the one before had going on.

import { announce, button, drawn, h, type Icon, liveRegions } from "./dom.ts";
import { languageNow, say, speak, type Text, title } from "./text.ts";

export interface Screen {
  /** Told to tests and styles: which one it is. */
  name: string;
  title: Text;
  root: HTMLElement;
  /** What takes the focus; else the first heading. */
  focus?: HTMLElement;
  close?(): void;
}

export interface Action {
  text: Text;
  press: () => void;
  quiet?: boolean;
  icon?: Icon;
}

export interface Message {
  name: string;
  icon: Icon;
  title: Text;
  body: Text[];
  hints?: Text[];
  actions: Action[];
  /** Something goes on by itself. */
  busy?: boolean;
  /** Something is wrong. */
  wrong?: boolean;
}

let current: Screen | undefined;
let going = new AbortController();

/** Called with the language that somebody has chosen. */
export const languageChosen: { notify: () => void } = { notify: () => undefined };

/** Shows a screen and gives it the focus. The signal ends what was begun for it. */
export function show(screen: Screen): AbortSignal {
  going.abort(new DOMException("another screen is shown", "AbortError"));
  going = new AbortController();
  current?.close?.();
  current = screen;
  const app = document.getElementById("app");
  if (!app) throw new Error("the page has no place for its screens");
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

/** A screen that says one thing and what to do about it. */
export function message({ name, icon, title, body, hints, actions, busy, wrong }: Message): Screen {
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
  // The heading takes the focus and is read; what follows it is told, for nobody would look for it.
  if (body[0]) announce(body[0]);
  return { name, title, root: h("div", { class: "plain" }, head(), card) };
}

/** The line above everything: what this is, and the other language. */
export function head(): HTMLElement {
  return h(
    "header",
    { class: "head" },
    h("div", { class: "brand" }, drawn("shield"), h("span", { t: "title.page" })),
    languageButton(),
  );
}

export function languageButton(): HTMLButtonElement {
  const other = h("button", { class: "button quiet small language", attributes: { type: "button" } });
  const paint = () => {
    const next = languageNow() === "en" ? "fr" : "en";
    other.lang = next;
    // In its own language, so that who needs it can read it.
    other.textContent = next === "fr" ? say("language.french") : say("language.english");
  };
  other.addEventListener("click", () => {
    speak(languageNow() === "en" ? "fr" : "en");
    languageChosen.notify();
  });
  other.addEventListener("medzen:language", paint);
  paint();
  return other;
}

/** After the language has changed. */
export function relabel(): void {
  for (const button of document.querySelectorAll(".language")) button.dispatchEvent(new Event("medzen:language"));
}

/** A question before anything else; the browser keeps the focus in it. Escape is no answer: it is gone, and `dismissed` is told. */
export function dialog(
  name: string,
  heading: Text,
  content: (HTMLElement | undefined)[],
  actions: (Action & { danger?: boolean })[],
  dismissed: () => void,
): HTMLDialogElement {
  const id = `dialog-${name}`;
  const title = h("h2", { id, t: heading });
  const box = h("dialog", { class: "dialog", attributes: { "aria-labelledby": id, "data-dialog": name } });
  const buttons = actions.map(({ text, press, quiet, danger, icon }) =>
    button(
      `button${quiet ? " quiet" : ""}${danger ? " danger" : ""}`,
      text,
      () => {
        box.close();
        box.remove();
        press();
      },
      icon,
    ),
  );
  box.append(
    title,
    ...content.filter((part): part is HTMLElement => part !== undefined),
    h("div", { class: "actions" }, ...buttons),
    ...liveRegions(),
  );
  // Not prevented on `cancel`: a browser lets that happen only so often, and then closes it all the same.
  box.addEventListener("close", () => {
    if (!box.isConnected) return;
    box.remove();
    dismissed();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

export function closeDialogs(): void {
  for (const box of document.querySelectorAll<HTMLDialogElement>("dialog")) {
    box.close();
    box.remove();
  }
}
