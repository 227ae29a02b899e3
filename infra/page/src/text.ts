// The texts of the page. All are in `texts.json`; an element stores its own key, so that the language can change at any time.

import texts from "./texts.json";

export type Language = keyof typeof texts;
export type Key = keyof (typeof texts)["en"];
export type Params = Record<string, string | number>;
/** A text, with the values of its placeholders. */
export type Text = Key | readonly [Key, Params];

let language: Language = "en";

/** Adds the texts of a script that is loaded later. */
export function addTexts(more: Record<Language, Partial<Record<Key, string>>>): void {
  Object.assign(texts.en, more.en);
  Object.assign(texts.fr, more.fr);
}

export function languageNow(): Language {
  return language;
}

/** The first of these languages that the page has, else English. */
export function choose(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0];
    if (base === "en" || base === "fr") return base;
  }
  return "en";
}

export function setLanguage(next: Language): void {
  language = next;
  document.documentElement.lang = next;
  for (const element of document.querySelectorAll<HTMLElement>("[data-t],[data-t-label]")) show(element);
  if (titled) title(titled);
}

export function translate(text: Text): string {
  const [key, params] = typeof text === "string" ? [text, {} as Params] : text;
  return texts[language][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}

/** Sets the text of an element. An equal text is not written again: screen readers would repeat it. */
export function put(element: HTMLElement, text: Text): void {
  const stored = JSON.stringify(text);
  if (element.dataset["t"] === stored) return;
  element.dataset["t"] = stored;
  show(element);
}

/** Removes the text of an element. */
export function clear(element: HTMLElement): void {
  delete element.dataset["t"];
  element.textContent = "";
}

/** Sets the accessible name of an element, and its tooltip if `tip`. */
export function label(element: HTMLElement, text: Text, tip = false): void {
  const stored = JSON.stringify(text);
  if (element.dataset["tLabel"] === stored) return;
  element.dataset["tLabel"] = stored;
  if (tip) element.dataset["tTip"] = "";
  show(element);
}

let titled: Text | undefined;

/** Sets the document's title, which a screen reader reads first. */
export function title(text: Text): void {
  titled = text;
  document.title = `${translate(text)} · ${translate("title.page")}`;
}

function show(element: HTMLElement): void {
  const { t, tLabel, tTip } = element.dataset;
  if (t !== undefined) element.textContent = translate(JSON.parse(t) as Text);
  if (tLabel !== undefined) {
    const words = translate(JSON.parse(tLabel) as Text);
    element.setAttribute("aria-label", words);
    if (tTip !== undefined) element.title = words;
  }
}
