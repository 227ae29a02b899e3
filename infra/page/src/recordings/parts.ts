// What the page gives to the script of recordings, which is loaded when somebody wants to play one: it has a state of its own (the
// language, the screen that is shown), so it must not be in both scripts.

import type { Api } from "../api.ts";
import type { announce, button, drawn, h, redraw } from "../dom.ts";
import type { head, show } from "../screen.ts";
import type { addTexts, label, put } from "../text.ts";
import type { wait } from "../wait.ts";

export interface PageParts {
  addTexts: typeof addTexts;
  announce: typeof announce;
  button: typeof button;
  drawn: typeof drawn;
  h: typeof h;
  head: typeof head;
  label: typeof label;
  put: typeof put;
  redraw: typeof redraw;
  show: typeof show;
  wait: typeof wait;
}

/** The global that the script defines, see `main.ts`. */
export interface Recordings {
  showRecordings(page: PageParts, api: Api, back: () => void): void;
}
