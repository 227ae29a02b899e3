// The meaning of the API's errors to a consultation.

import { ApiError, hasCode } from "../api.ts";

/** Whether the error passes by itself: the network, the service, or a call that is just starting or ending. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return ["offline", "busy", "down", "conflict"].includes(error.kind) || hasCode(error, "NO_ACTIVE_CALL");
}

/** Whether the server has said that this person takes no part in the call. */
export function endsParticipation(error: unknown): boolean {
  return error instanceof ApiError && ["forbidden", "missing", "gone"].includes(error.kind);
}

export function isUnauthorized(error: unknown): boolean {
  return error instanceof ApiError && error.kind === "unauthorized";
}

/** Milliseconds that the server asks to wait before the next request, 30 seconds at most. */
export function retryDelay(error: unknown): number {
  return error instanceof ApiError ? 1_000 * Math.min(30, error.retryAfterSeconds) : 0;
}

/** Whether the work was ended from here, because its screen or its phase is over. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
