// A transcript and the results of a search, as the API gives them.

import { type Body, isObject } from "../answers.ts";
import type { components } from "../api-types.ts";

type Schemas = components["schemas"];

/** Its times are seconds from the beginning of the call. */
export type Segment = Pick<
  Schemas["TranscriptSegment"],
  "number" | "start" | "text" | "language" | "source" | "revoked"
> & { speaker: Pick<Schemas["TranscriptSpeaker"], "role" | "label"> };
export type Gap = Schemas["TranscriptGap"];
export type Transcript = Pick<Schemas["Transcript"], "state"> & { segments: Segment[]; gaps: Gap[] };
/** The snippet is HTML whose only element is `mark`: the words that were found. */
export type Found = Omit<Schemas["SearchResult"], "transcriptId">;
export type SearchResults = Pick<Schemas["SearchResponse"], "nextCursor"> & { results: Found[] };

export function parseTranscript({ state, segments, gaps }: Body): Transcript | undefined {
  const valid =
    (state === "ready" || state === "incomplete" || state === "failed") &&
    Array.isArray(segments) &&
    segments.every(isSegment) &&
    Array.isArray(gaps) &&
    gaps.every(isGap);
  return valid ? { state, segments, gaps } : undefined;
}

export function parseResults({ results, nextCursor }: Body): SearchResults | undefined {
  const valid =
    Array.isArray(results) && results.every(isFound) && (nextCursor === null || typeof nextCursor === "string");
  return valid ? { results, nextCursor } : undefined;
}

function isSegment(value: unknown): value is Segment {
  if (!isObject(value) || !isObject(value["speaker"])) return false;
  const { number, start, speaker, text, language, source, revoked } = value;
  return (
    typeof number === "number" &&
    typeof start === "number" &&
    (speaker["role"] === null || typeof speaker["role"] === "string") &&
    typeof speaker["label"] === "string" &&
    typeof text === "string" &&
    typeof language === "string" &&
    (source === "live" || source === "batch") &&
    typeof revoked === "boolean"
  );
}

function isGap(value: unknown): value is Gap {
  return (
    isObject(value) &&
    typeof value["start"] === "number" &&
    typeof value["end"] === "number" &&
    typeof value["reason"] === "string"
  );
}

function isFound(value: unknown): value is Found {
  if (!isObject(value)) return false;
  const { appointmentId, sessionId, segment, start, snippet } = value;
  return (
    typeof appointmentId === "string" &&
    typeof sessionId === "string" &&
    typeof segment === "number" &&
    typeof start === "number" &&
    typeof snippet === "string"
  );
}

/** Segments and gaps in the order of time. */
export function timeline({ segments, gaps }: Pick<Transcript, "segments" | "gaps">): (Segment | Gap)[] {
  return [...segments, ...gaps].sort((a, b) => a.start - b.start);
}

const ESCAPED: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

/** The text of a piece of HTML without elements. */
function unescaped(html: string): string {
  return html.replace(/&(?:amp|lt|gt);/g, (entity) => ESCAPED[entity] ?? entity);
}

/** The parts of a snippet as text, each with whether it was found. */
export function marked(snippet: string): { text: string; found: boolean }[] {
  return snippet
    .split(/(<mark>[\s\S]*?<\/mark>)/)
    .filter((part) => part !== "")
    .map((part) => {
      const [, inner] = /^<mark>([\s\S]*)<\/mark>$/.exec(part) ?? [];
      return { text: unescaped(inner ?? part), found: inner !== undefined };
    });
}
