// The languages of a transcript, as the API lists them.

import { type Body, isObject } from "../answers.ts";

export interface Language {
  /** As in `en-US`. */
  code: string;
  /** As the API calls it. */
  name: string;
  /** How it is transcribed during the call; null: not at all. `unconfirmed`: no attempt has succeeded yet. */
  live: { unconfirmed: boolean } | null;
  /** Whether it can be transcribed after the call. */
  batch: boolean;
}

export function parseLanguages({ languages }: Body): Language[] | undefined {
  return Array.isArray(languages) && languages.every(isLanguage) ? languages : undefined;
}

function isLanguage(value: unknown): value is Language {
  if (!isObject(value)) return false;
  const { code, name, live, batch } = value;
  return (
    typeof code === "string" &&
    typeof name === "string" &&
    (live === null || (isObject(live) && typeof live["unconfirmed"] === "boolean")) &&
    typeof batch === "boolean"
  );
}

/** The name of a language in itself, which does not depend on the page's, else as the API calls it. */
export function nameOf({ code, name }: Pick<Language, "code" | "name">): string {
  try {
    const names = new Intl.DisplayNames([code], { type: "language", fallback: "none" });
    // A browser without names in this language gives those of its own.
    const isOwn = names.resolvedOptions().locale.split("-")[0] === code.split("-")[0];
    return (isOwn && names.of(code)) || name;
  } catch {
    // An older browser, or a code that it does not take.
    return name;
  }
}
