// Links to the parts of a recording, as the API gives them, and their places on the timeline.

import { type Body, isObject } from "../answers.ts";
import type { components } from "../api-types.ts";

/** Playback of a segment ends after its duration, although the file may be longer. The gap is the time without a recording before it. */
export type Segment = components["schemas"]["PlaybackSegment"];
export type Playback = Pick<components["schemas"]["PlaybackResponse"], "segments" | "expiresAt">;

export function parsePlayback({ segments, expiresAt }: Body): Playback | undefined {
  if (!Array.isArray(segments) || segments.length === 0 || !segments.every(isSegment)) return undefined;
  return typeof expiresAt === "string" ? { segments, expiresAt } : undefined;
}

function isSegment(value: unknown): value is Segment {
  if (!isObject(value)) return false;
  const { number, url, startedAt, durationSeconds, gapSeconds } = value;
  return (
    typeof number === "number" &&
    typeof url === "string" &&
    typeof startedAt === "string" &&
    typeof durationSeconds === "number" &&
    durationSeconds > 0 &&
    typeof gapSeconds === "number"
  );
}

/** How long the segments are together, in seconds. */
export function lengthOf(segments: readonly Pick<Segment, "durationSeconds">[]): number {
  return segments.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
}

/** The segment at a time of the timeline, which has no gaps, and the time in that segment. */
export function placeAt(
  segments: readonly Pick<Segment, "durationSeconds">[],
  seconds: number,
): { index: number; within: number } {
  let within = Math.max(0, seconds);
  let index = 0;
  for (const { durationSeconds } of segments.slice(0, -1)) {
    if (within < durationSeconds) break;
    within -= durationSeconds;
    index += 1;
  }
  return { index, within: Math.min(within, segments[index]?.durationSeconds ?? 0) };
}

/** A length of time, as `1:02:03` or `2:03`. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  const hours = Math.floor(whole / 3600);
  if (hours > 0) parts.unshift(hours);
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

/** The local time of day. */
export function timeOfDay(timestamp: string): string {
  const date = new Date(timestamp);
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** The local date, the same in every language. */
export function dateOf(timestamp: string): string {
  const date = new Date(timestamp);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
}
