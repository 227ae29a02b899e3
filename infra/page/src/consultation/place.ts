import type { Place } from "../answers.ts";
import type { ConsultationEvent } from "./phase.ts";

/** The event of an answer to a request for a place. */
export function placeEvent(attempt: number, place: Place): ConsultationEvent {
  if (!("status" in place)) return { type: "joined", attempt, call: place };
  return place.status === "waiting"
    ? { type: "waitingRoom", attempt, sessionId: place.sessionId }
    : { type: "consentRequired", attempt, sessionId: place.sessionId, purposes: place.purposes };
}
