import type { Place } from "../answers.ts";
import type { ConsultationEvent } from "./phase.ts";

/** The event of an answer to a request for a place. */
export function placeEvent(attempt: number, place: Place): ConsultationEvent {
  if (!("status" in place)) return { type: "joined", attempt, call: place };
  const { sessionId } = place;
  if (place.status === "waiting") return { type: "waitingRoom", attempt, sessionId };
  // A capture that is being stopped, because somebody has refused, needs no other answer.
  const unanswered = place.purposes.filter((purpose) => !place.stopping.includes(purpose));
  return { type: "consentRequired", attempt, sessionId, unanswered };
}
