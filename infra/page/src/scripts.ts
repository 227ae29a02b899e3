// Scripts of the page that are loaded when they are wanted. What has a state of its own (the language, the screen that is shown) is in
// the page's script only, and is given to them.

import type { Right, Status } from "./answers.ts";
import type { Api } from "./api.ts";
import { announce, button, drawn, h, named, redraw } from "./dom.ts";
import { head, show } from "./screen.ts";
import { loadScript } from "./sdk.ts";
import { addTexts, label, put, type Text } from "./text.ts";
import { wait } from "./wait.ts";

/** The parts of the page that its other scripts use. */
export const PARTS = { addTexts, announce, button, drawn, h, head, label, named, put, redraw, show, wait };
export type PageParts = typeof PARTS;

/** The recordings of an appointment, and their player. */
export interface Recordings {
  showRecordings(page: PageParts, api: Api, rights: readonly Right[], back: () => void): void;
}

/** The transcripts of calls. */
export interface Transcripts {
  showTranscripts(
    page: PageParts,
    api: Api,
    /** `search`: whether the person may search in those of all their calls. */
    may: { rights: readonly string[]; search: boolean },
    back: () => void,
  ): void;
}

/** The provider's controls of a call. */
export interface Controls {
  callControls(page: PageParts, api: Api, hooks: ControlHooks): CallControls;
}

export interface ControlHooks {
  /** Shows why a request has failed, or why the recording has changed by itself. */
  notice(name: "recording" | "transcription", text: Text | undefined): void;
  /** The names of participants; reads the roster first if one of them is not in the last. */
  namesOf(userIds: readonly string[]): Promise<string>;
  /** Lets the others know of a change, and reads the status again. */
  refresh(): Promise<void>;
}

export interface CallControls {
  readonly root: HTMLElement;
  /** Grows with each request and each answer to one: a status that was requested before is older than the answer. */
  readonly version: number;
  /** Takes over what a status says. `version` is that of the time when it was requested. */
  status(status: Status, version: number): void;
}

interface Scripts {
  controls: Controls;
  recordings: Recordings;
  transcripts: Transcripts;
}

declare global {
  interface Window {
    /** Each script adds itself. */
    Medzen?: Partial<Scripts>;
  }
}

/** Loads a script, unless it is there. */
export async function load<Name extends keyof Scripts>(name: Name): Promise<Scripts[Name]> {
  const named = document.querySelector<HTMLElement>("#sdk")?.dataset ?? {};
  if (!window.Medzen?.[name]) await loadScript(named[name] ?? "", named[`${name}Integrity`] ?? "");
  const script = window.Medzen?.[name];
  if (!script) throw new Error("the script has not started");
  return script;
}
