// Which event leads from which phase to which. Pure: no clock, no network, no screen.

import type { Feature, Joined, Status } from "../answers.ts";
import { ApiError, hasCode } from "../api.ts";
import { endsParticipation } from "./errors.ts";
import type {
  CallPhase,
  Connected,
  Connecting,
  ConsentAsked,
  ConsultationEvent,
  Ended,
  Failed,
  Idle,
  InCallScreen,
  Joining,
  Left,
  LoadingSdk,
  NotStarted,
  Phase,
  Reconnecting,
  Recovering,
  Retry,
  Stopped,
  Waiting,
} from "./phase.ts";

/** A connection that has run this long was good: what follows it is a new problem. */
const STEADY_MS = 30_000;
/** A report of another device this soon after a reconnection may be of the reconnection itself. */
const RECENT_RECONNECTION_MS = 30_000;
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
    case "consentAsked":
      return fromWaiting(phase, event);
    case "connecting":
    case "inCall":
    case "reconnecting":
    case "recovering":
      return fromCall(phase, event);
  }
}

/** Nothing follows from an event of these types. One that is added to the type of events does not compile here. */
function unchanged<T extends ConsultationEvent["type"]>(
  phase: Phase,
  _event: Extract<ConsultationEvent, { type: T }>,
): Phase {
  return phase;
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
    default:
      return unchanged<
        | "screenReplaced"
        | "joined"
        | "waitingRoom"
        | "consentRequired"
        | "consentAnswered"
        | "joinFailed"
        | "recoveryFailed"
        | "recoveryExhausted"
        | "sdkLoaded"
        | "sdkFailed"
        | "status"
        | "statusFailed"
        | "callStatus"
        | "callStatusFailed"
        | "endConfirmed"
        | "mediaStarted"
        | "mediaReconnecting"
        | "mediaStopped"
      >(phase, event);
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
    case "consentRequired":
      return consentAsked(phase, event.sessionId, event.unanswered);
    case "joinFailed":
      return afterJoinFailed(phase, event.error, event.provider);
    default:
      return unchanged<
        | "enter"
        | "online"
        | "consentAnswered"
        | "recoveryFailed"
        | "recoveryExhausted"
        | "sdkLoaded"
        | "sdkFailed"
        | "status"
        | "statusFailed"
        | "callStatus"
        | "callStatusFailed"
        | "endConfirmed"
        | "mediaStarted"
        | "mediaReconnecting"
        | "mediaStopped"
      >(phase, event);
  }
}

function fromLoadingSdk(phase: LoadingSdk, event: ConsultationEvent): Phase {
  switch (event.type) {
    case "leave":
      return left(phase);
    case "screenReplaced":
      return idle(phase);
    case "sdkLoaded":
      return connecting(phase, phase.call);
    case "sdkFailed":
      return failed(phase, event.error, { type: "enter", checked: false });
    default:
      return unchanged<
        | "enter"
        | "online"
        | "joined"
        | "waitingRoom"
        | "consentRequired"
        | "consentAnswered"
        | "joinFailed"
        | "recoveryFailed"
        | "recoveryExhausted"
        | "status"
        | "statusFailed"
        | "callStatus"
        | "callStatusFailed"
        | "endConfirmed"
        | "mediaStarted"
        | "mediaReconnecting"
        | "mediaStopped"
      >(phase, event);
  }
}

function fromWaiting(phase: NotStarted | Waiting | ConsentAsked, event: ConsultationEvent): Phase {
  switch (event.type) {
    case "leave":
      return left(phase);
    case "screenReplaced":
      return idle(phase);
    case "status":
      return afterStatus(phase, event.status);
    case "consentAnswered":
      return phase.name === "consentAsked" ? joining(phase, false) : phase;
    case "statusFailed":
      return failed(phase, event.error, { type: "enter", checked: false });
    default:
      return unchanged<
        | "enter"
        | "online"
        | "joined"
        | "waitingRoom"
        | "consentRequired"
        | "joinFailed"
        | "recoveryFailed"
        | "recoveryExhausted"
        | "sdkLoaded"
        | "sdkFailed"
        | "callStatus"
        | "callStatusFailed"
        | "endConfirmed"
        | "mediaStarted"
        | "mediaReconnecting"
        | "mediaStopped"
      >(phase, event);
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
      return anotherConnection(phase, event.call);
    case "waitingRoom":
      if (phase.name !== "recovering") return phase;
      return { name: "waiting", attempt: next(phase), sessionId: event.sessionId };
    case "consentRequired":
      return phase.name === "recovering" ? consentAsked(phase, event.sessionId, event.unanswered) : phase;
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
      return afterMediaStarted(phase, event.at);
    case "mediaReconnecting":
      return phase.name === "inCall" ? { ...lostAt(phase, event.at), name: "reconnecting" } : phase;
    case "mediaStopped":
      return afterMediaStopped(phase, event.why, event.at);
    default:
      return unchanged<
        "enter" | "joinFailed" | "consentAnswered" | "sdkLoaded" | "sdkFailed" | "status" | "statusFailed"
      >(phase, event);
  }
}

function afterJoinFailed(phase: Joining, error: unknown, provider: boolean): Phase {
  if (hasCode(error, "NO_ACTIVE_CALL") && !provider)
    return { name: "notStarted", attempt: next(phase), sessionId: phase.sessionId };
  if (error instanceof ApiError && error.kind === "conflict") return joining(phase, false, CONFLICT_RETRY_MS);
  return failed(phase, error, { type: "enter", checked: phase.checked });
}

function afterStatus(phase: NotStarted | Waiting | ConsentAsked, status: Status): Phase {
  switch (phase.name) {
    case "notStarted":
      return afterNotStarted(phase, status);
    case "waiting":
      return afterWaitingStatus(phase, status);
    case "consentAsked":
      return afterConsentStatus(phase, status);
  }
}

/** The person may have answered on another device, and what they have refused stops in its own time. */
function afterConsentStatus(phase: ConsentAsked, status: Status): Phase {
  return afterRefusal(phase, status) ?? (status.me.consentRequired.length === 0 ? joining(phase, false) : phase);
}

/** A person who comes before the join window opens waits for it as for the start. */
function afterNotStarted(phase: NotStarted, { hasActiveCall, joinRefusal }: Status): Phase {
  if (joinRefusal) return joinRefusal.code === "JOIN_WINDOW_NOT_OPEN" ? phase : refused(phase, joinRefusal.code);
  return hasActiveCall ? joining(phase, false) : phase;
}

function afterWaitingStatus(phase: Waiting, status: Status): Phase {
  // A call that was started again, or that another page of this person has left, does not know that they wait.
  const known = status.sessionId === phase.sessionId && (status.me.status ?? "waiting") === "waiting";
  return afterRefusal(phase, status) ?? (known && !status.me.admitted ? phase : joining(phase, false));
}

/** The phase of a person to whom a request for a place would give none; nothing if it would. */
function afterRefusal(phase: Waiting | ConsentAsked, status: Status): Phase | undefined {
  const exclusion = exclusionOf(status);
  if (exclusion) return excluded(phase, exclusion);
  if (isOver(status)) return ended(phase, phase.sessionId);
  return status.joinRefusal ? refused(phase, status.joinRefusal.code) : undefined;
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
      return recovering({ ...inCallScreen(phase), returns: 0 }, true, "line");
    case "recovering":
      // A new object in any case: the pause before the next attempt is cut short.
      return { ...phase, returns: 0 };
  }
}

/** The SDK's reports are never the end of the call: the server is asked. */
function afterMediaStopped(phase: CallPhase, why: "elsewhere" | "full" | "refused" | "line", at: number): Phase {
  if (why === "full") return stopped(phase, why);
  if (why === "elsewhere") return afterJoinedElsewhere(phase, at);
  switch (phase.name) {
    case "connecting":
      return recovering({ ...inCallScreen(phase), reconnectedAt: at }, false, why);
    case "inCall":
      return recovering(lostAt(phase, at), true, why);
    case "reconnecting":
      return recovering(inCallScreen(phase), true, why);
    case "recovering":
      return phase;
  }
}

/**
 * Chime reports another device also for this page's own reconnection: https://github.com/aws/amazon-chime-sdk-js/issues/2784.
 * Soon after one the page rejoins by itself, once: two devices that rejoin would disconnect each other for ever.
 */
function afterJoinedElsewhere(phase: CallPhase, at: number): Phase {
  const screen = phase.name === "inCall" ? lostAt(phase, at, phase.reconnectedAt) : inCallScreen(phase);
  const recent =
    phase.name === "reconnecting" ||
    phase.name === "recovering" ||
    (phase.reconnectedAt !== null && at - phase.reconnectedAt <= RECENT_RECONNECTION_MS);
  if (!recent || screen.rejoined) return stopped(phase, "elsewhere");
  if (phase.name === "recovering") return phase;
  return recovering({ ...screen, reconnectedAt: at, rejoined: true }, phase.name !== "connecting", "line");
}

function afterMediaStarted(phase: CallPhase, at: number): Phase {
  if (phase.name === "inCall") return phase;
  const first = phase.name === "connecting" && phase.returns === 0;
  const screen = inCallScreen(phase);
  return { ...screen, name: "inCall", since: at, reconnectedAt: first ? screen.reconnectedAt : at };
}

/** The state after a connection that is lost: one that lasted was good, and what follows it is a new problem. */
function lostAt(phase: Connected, at: number, reconnectedAt: number | null = at): InCallScreen {
  const lasted = at - phase.since >= STEADY_MS;
  return {
    ...inCallScreen(phase),
    returns: lasted ? 0 : phase.returns,
    reconnectedAt,
    rejoined: phase.rejoined && !lasted,
  };
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

function consentAsked(phase: Phase, sessionId: string, unanswered: Feature[]): ConsentAsked {
  return { name: "consentAsked", attempt: next(phase), sessionId, unanswered };
}

function connecting(phase: Phase, call: Joined): Connecting {
  const attempt = next(phase);
  const none = { returns: 0, reconnectedAt: null, rejoined: false };
  return { name: "connecting", attempt, sessionId: call.sessionId, call, connection: attempt, ...none };
}

/** The server has given a new place: the connection to it takes the place of the one that was lost. */
function anotherConnection(phase: Recovering, call: Joined): Connecting | Reconnecting {
  const { reconnectedAt, rejoined } = phase;
  return {
    ...connecting(phase, call),
    name: phase.established ? "reconnecting" : "connecting",
    returns: phase.returns + 1,
    reconnectedAt,
    rejoined,
  };
}

function recovering(screen: InCallScreen, established: boolean, reason: "refused" | "line"): Recovering {
  return { ...screen, name: "recovering", attempt: screen.attempt + 1, established, reason };
}

function inCallScreen({
  attempt,
  sessionId,
  call,
  connection,
  returns,
  reconnectedAt,
  rejoined,
}: CallPhase): InCallScreen {
  return { attempt, sessionId, call, connection, returns, reconnectedAt, rejoined };
}

function stopped(phase: Phase, reason: Stopped["reason"]): Stopped {
  return { name: "stopped", attempt: next(phase), sessionId: phase.sessionId, reason };
}

function failed(phase: Phase, error: unknown, retry: Retry, excluded = false): Failed {
  return { name: "failed", attempt: next(phase), sessionId: phase.sessionId, error, retry, excluded };
}

/** The appointment does not allow a call any more, or not now. */
function refused(phase: Phase, code: string): Failed {
  return failed(phase, new ApiError("missing", code), { type: "enter", checked: false });
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
