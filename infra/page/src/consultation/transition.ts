// Which event leads from which phase to which. Pure: no clock, no network, no screen.

import type { Status } from "../answers.ts";
import { ApiError, hasCode } from "../api.ts";
import { endsParticipation } from "./errors.ts";
import type {
  CallPhase,
  Connecting,
  ConsultationEvent,
  Ended,
  Failed,
  Idle,
  Joining,
  Left,
  LoadingSdk,
  NotStarted,
  Phase,
  Reconnecting,
  Retry,
  Stopped,
  Waiting,
} from "./phase.ts";

/** A connection that has run this long was good: what follows it is a new problem. */
const STEADY_MS = 30_000;
/** While the call is starting or ending the server answers with a conflict; it knows more in a moment. */
const CONFLICT_RETRY_MS = 1_500;

/** The phase after an event. The same object if the event changes nothing. */
export function transition(phase: Phase, event: ConsultationEvent): Phase {
  if ("attempt" in event && event.attempt !== phase.attempt) return phase;
  if ("connection" in event && !("connection" in phase && event.connection === phase.connection)) return phase;
  switch (phase.name) {
    case "idle":
    case "stopped":
    case "failed":
    case "ended":
    case "left":
      return fromSettled(phase, event);
    case "joining":
      return fromJoining(phase, event);
    case "loadingSdk":
      return fromLoadingSdk(phase, event);
    case "notStarted":
    case "waiting":
      return fromWaiting(phase, event);
    case "connecting":
    case "inCall":
    case "reconnecting":
    case "recovering":
      return fromCall(phase, event);
  }
}

/** Nothing goes on by itself in these phases: only the person, the app or the network leads out of them. */
function fromSettled(phase: Idle | Stopped | Failed | Ended | Left, event: ConsultationEvent): Phase {
  switch (event.type) {
    case "enter":
      return phase.name === "ended" || phase.name === "left" ? phase : joining(phase, event.checked);
    case "leave":
      return left(phase);
    case "online":
      return phase.name === "stopped" && phase.reason === "unreachable" ? joining(phase, true) : phase;
    case "screenReplaced":
    case "joined":
    case "waitingRoom":
    case "joinFailed":
    case "recoveryFailed":
    case "recoveryExhausted":
    case "sdkLoaded":
    case "sdkFailed":
    case "status":
    case "statusFailed":
    case "callStatus":
    case "callStatusFailed":
    case "endConfirmed":
    case "mediaStarted":
    case "mediaReconnecting":
    case "mediaStopped":
      return phase;
  }
}

function fromJoining(phase: Joining, event: ConsultationEvent): Phase {
  switch (event.type) {
    case "leave":
      return left(phase);
    case "screenReplaced":
      return idle(phase);
    case "joined":
      return { name: "loadingSdk", attempt: next(phase), sessionId: event.call.sessionId, call: event.call };
    case "waitingRoom":
      return { name: "waiting", attempt: next(phase), sessionId: event.sessionId };
    case "joinFailed":
      return afterJoinFailed(phase, event.error, event.provider);
    case "enter":
    case "online":
    case "recoveryFailed":
    case "recoveryExhausted":
    case "sdkLoaded":
    case "sdkFailed":
    case "status":
    case "statusFailed":
    case "callStatus":
    case "callStatusFailed":
    case "endConfirmed":
    case "mediaStarted":
    case "mediaReconnecting":
    case "mediaStopped":
      return phase;
  }
}

function fromLoadingSdk(phase: LoadingSdk, event: ConsultationEvent): Phase {
  switch (event.type) {
    case "leave":
      return left(phase);
    case "screenReplaced":
      return idle(phase);
    case "sdkLoaded":
      return connecting(phase, phase.call, 0);
    case "sdkFailed":
      return failed(phase, event.error, { type: "enter", checked: false });
    case "enter":
    case "online":
    case "joined":
    case "waitingRoom":
    case "joinFailed":
    case "recoveryFailed":
    case "recoveryExhausted":
    case "status":
    case "statusFailed":
    case "callStatus":
    case "callStatusFailed":
    case "endConfirmed":
    case "mediaStarted":
    case "mediaReconnecting":
    case "mediaStopped":
      return phase;
  }
}

function fromWaiting(phase: NotStarted | Waiting, event: ConsultationEvent): Phase {
  switch (event.type) {
    case "leave":
      return left(phase);
    case "screenReplaced":
      return idle(phase);
    case "status":
      return phase.name === "waiting" ? afterWaitingStatus(phase, event.status) : afterNotStarted(phase, event.status);
    case "statusFailed":
      return failed(phase, event.error, { type: "enter", checked: false });
    case "enter":
    case "online":
    case "joined":
    case "waitingRoom":
    case "joinFailed":
    case "recoveryFailed":
    case "recoveryExhausted":
    case "sdkLoaded":
    case "sdkFailed":
    case "callStatus":
    case "callStatusFailed":
    case "endConfirmed":
    case "mediaStarted":
    case "mediaReconnecting":
    case "mediaStopped":
      return phase;
  }
}

function fromCall(phase: CallPhase, event: ConsultationEvent): Phase {
  switch (event.type) {
    case "leave":
      return left(phase);
    case "screenReplaced":
      return idle(phase);
    case "online":
      return afterOnline(phase);
    case "joined":
      if (phase.name !== "recovering") return phase;
      return phase.established
        ? reconnecting(phase, event.call, phase.returns + 1)
        : connecting(phase, event.call, phase.returns + 1);
    case "waitingRoom":
      if (phase.name !== "recovering") return phase;
      return { name: "waiting", attempt: next(phase), sessionId: event.sessionId };
    case "recoveryFailed":
      return phase.name === "recovering" ? failed(phase, event.error, { type: "restart" }) : phase;
    case "recoveryExhausted":
      if (phase.name !== "recovering") return phase;
      return phase.reason === "line"
        ? stopped(phase, "unreachable")
        : failed(phase, new ApiError("broken", "MEDIA_REFUSED"), { type: "enter", checked: true });
    case "callStatus":
      return afterCallStatus(phase, event.status);
    case "callStatusFailed":
      return endsParticipation(event.error) ? failed(phase, event.error, { type: "restart" }) : phase;
    case "endConfirmed":
      return event.sessionId === phase.sessionId ? ended(phase, phase.sessionId) : phase;
    case "mediaStarted":
      return phase.name === "inCall" ? phase : { ...inCallScreen(phase), name: "inCall", since: event.at };
    case "mediaReconnecting":
      if (phase.name !== "inCall") return phase;
      return { ...inCallScreen(phase), name: "reconnecting", returns: returnsAfter(phase, event.at) };
    case "mediaStopped":
      return afterMediaStopped(phase, event.why, event.at);
    case "enter":
    case "joinFailed":
    case "sdkLoaded":
    case "sdkFailed":
    case "status":
    case "statusFailed":
      return phase;
  }
}

function afterJoinFailed(phase: Joining, error: unknown, provider: boolean): Phase {
  if (hasCode(error, "NO_ACTIVE_CALL") && !provider)
    return { name: "notStarted", attempt: next(phase), sessionId: phase.sessionId };
  if (error instanceof ApiError && error.kind === "conflict") return joining(phase, false, CONFLICT_RETRY_MS);
  return failed(phase, error, { type: "enter", checked: phase.checked });
}

function afterNotStarted(phase: NotStarted, status: Status): Phase {
  return status.hasActiveCall ? joining(phase, false) : phase;
}

function afterWaitingStatus(phase: Waiting, status: Status): Phase {
  const exclusion = exclusionOf(status);
  if (exclusion) return excluded(phase, exclusion);
  if (isOver(status)) return ended(phase, phase.sessionId);
  if (status.me.admitted) return joining(phase, false);
  // A call that was started again, or that another page of this person has left, does not know that they wait.
  const known = status.sessionId === phase.sessionId && (status.me.status ?? "waiting") === "waiting";
  return known ? phase : joining(phase, false);
}

function afterCallStatus(phase: CallPhase, status: Status): Phase {
  const exclusion = exclusionOf(status);
  if (exclusion) return excluded(phase, exclusion);
  const another = status.sessionId !== null && status.sessionId !== phase.sessionId;
  return another || isOver(status) ? ended(phase, phase.sessionId) : phase;
}

function afterOnline(phase: CallPhase): Phase {
  switch (phase.name) {
    case "connecting":
    case "inCall":
      return phase.returns === 0 ? phase : { ...phase, returns: 0 };
    case "reconnecting":
      return recovering(phase, true, "line", 0);
    case "recovering":
      // A new object in any case: the pause before the next attempt is cut short.
      return { ...phase, returns: 0 };
  }
}

/** What the SDK reports is never the end of the call: the server is asked. */
function afterMediaStopped(phase: CallPhase, why: "elsewhere" | "full" | "refused" | "line", at: number): Phase {
  if (why === "elsewhere" || why === "full") return stopped(phase, why);
  switch (phase.name) {
    case "connecting":
      return recovering(phase, false, why, phase.returns);
    case "inCall":
      return recovering(phase, true, why, returnsAfter(phase, at));
    case "reconnecting":
      return recovering(phase, true, why, phase.returns);
    case "recovering":
      return phase;
  }
}

function returnsAfter({ since, returns }: { since: number; returns: number }, at: number): number {
  return at - since >= STEADY_MS ? 0 : returns;
}

function exclusionOf({ me }: Status): "REMOVED_FROM_CALL" | "TURNED_AWAY" | undefined {
  if (me.status === "removed") return "REMOVED_FROM_CALL";
  return me.status === "turned_away" ? "TURNED_AWAY" : undefined;
}

function isOver({ callStatus }: Status): boolean {
  return callStatus === "ended" || callStatus === "failed";
}

function next({ attempt }: Phase): number {
  return attempt + 1;
}

function idle(phase: Phase): Idle {
  return { name: "idle", attempt: next(phase), sessionId: phase.sessionId };
}

function joining(phase: Phase, checked: boolean, delayMs = 0): Joining {
  return { name: "joining", attempt: next(phase), sessionId: phase.sessionId, checked, delayMs };
}

function connecting(phase: Phase, call: Connecting["call"], returns: number): Connecting {
  const attempt = next(phase);
  return { name: "connecting", attempt, sessionId: call.sessionId, call, connection: attempt, returns };
}

function reconnecting(phase: Phase, call: Connecting["call"], returns: number): Reconnecting {
  return { ...connecting(phase, call, returns), name: "reconnecting" };
}

function recovering(phase: CallPhase, established: boolean, reason: "refused" | "line", returns: number): Phase {
  return { ...inCallScreen(phase), name: "recovering", attempt: next(phase), established, reason, returns };
}

function inCallScreen({ attempt, sessionId, call, connection, returns }: CallPhase) {
  return { attempt, sessionId, call, connection, returns };
}

function stopped(phase: Phase, reason: Stopped["reason"]): Stopped {
  return { name: "stopped", attempt: next(phase), sessionId: phase.sessionId, reason };
}

function failed(phase: Phase, error: unknown, retry: Retry, excluded = false): Failed {
  return { name: "failed", attempt: next(phase), sessionId: phase.sessionId, error, retry, excluded };
}

function excluded(phase: Phase, code: "REMOVED_FROM_CALL" | "TURNED_AWAY"): Failed {
  return failed(phase, new ApiError("forbidden", code), { type: "restart" }, true);
}

function ended(phase: Phase, sessionId: string): Ended {
  return { name: "ended", attempt: next(phase), sessionId };
}

function left(phase: Phase): Left {
  return { name: "left", attempt: next(phase), sessionId: phase.sessionId };
}
