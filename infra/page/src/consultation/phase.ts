// The phases of a consultation and the events that lead from one to another. `transition.ts` says which event leads where;
// `consultation.ts` does what belongs to a phase: it shows the screen, asks the server, opens the media.

import type { Feature, Joined, Status } from "../answers.ts";
import type { StopReason } from "../stop-reason.ts";

interface Common {
  /** Grows with each piece of work that is begun; an answer to earlier work is known by its lower number. */
  attempt: number;
  /** The session that this person was in or waited for last. */
  sessionId: string | null;
}

/** The person is at the beginning of the consultation, or another part of the page has taken the screen. */
export interface Idle extends Common {
  name: "idle";
}

/** The server is asked for a place: it starts the call or lets the person join. */
export interface Joining extends Common {
  name: "joining";
  /** Whether the server is to ask Chime first if the meeting still exists. */
  checked: boolean;
  delayMs: number;
}

/** The server has given a place, and the SDK is still being loaded. */
export interface LoadingSdk extends Common {
  name: "loadingSdk";
  call: Joined;
}

/** The patient has come before the call has been started. */
export interface NotStarted extends Common {
  name: "notStarted";
}

/** The person is in the waiting room. */
export interface Waiting extends Common {
  name: "waiting";
  sessionId: string;
}

/** The server gives a place once the person has consented, or what they have refused has stopped. */
export interface ConsentAsked extends Common {
  name: "consentAsked";
  sessionId: string;
  /** The purposes for which the person has to answer. */
  unanswered: Feature[];
}

export interface InCallScreen extends Common {
  sessionId: string;
  call: Joined;
  /** The media connection: the attempt by which it was opened. */
  connection: number;
  /** How often in a row the page has taken a new place without media that lasted. */
  returns: number;
  /** When this page last lost or restored its connection, in milliseconds since the epoch. */
  reconnectedAt: number | null;
  /** Whether the page has rejoined by itself after Chime said that another device had joined. */
  rejoined: boolean;
}

/** The call screen is shown, and media has not run yet. */
export interface Connecting extends InCallScreen {
  name: "connecting";
}

/** Audio and video run. */
export interface Connected extends InCallScreen {
  name: "inCall";
  /** When they began to, in milliseconds since the epoch. */
  since: number;
}

/** The connection was lost, and the SDK tries to restore it or opens a new one. */
export interface Reconnecting extends InCallScreen {
  name: "reconnecting";
}

/** The SDK has given the connection up. The server is asked whether the call goes on, and for a new place. */
export interface Recovering extends InCallScreen {
  name: "recovering";
  /** Whether media has run since the call screen is shown. */
  established: boolean;
  reason: "refused" | "line";
}

/** The call may go on, but not here until the person says so. */
export interface Stopped extends Common {
  name: "stopped";
  reason: "elsewhere" | "full" | "unreachable";
}

export type Retry = { type: "enter"; checked: boolean } | { type: "restart" };

/** The server or the media refuse the person, or something unexpected has happened. */
export interface Failed extends Common {
  name: "failed";
  error: unknown;
  retry: Retry;
  /** Whether the server has said that this person is not in the call any more. */
  excluded: boolean;
}

/** The server says that the call is over. */
export interface Ended extends Common {
  name: "ended";
  sessionId: string;
}

/** The person has left; the call goes on. */
export interface Left extends Common {
  name: "left";
}

/** The phases in which the call screen is shown. */
export type CallPhase = Connecting | Connected | Reconnecting | Recovering;

export type Phase =
  | Idle
  | Joining
  | LoadingSdk
  | NotStarted
  | Waiting
  | ConsentAsked
  | CallPhase
  | Stopped
  | Failed
  | Ended
  | Left;

/**
 * Events with an `attempt` are answers to work of that attempt, events with a `connection` come from that media connection.
 * They change nothing when a later attempt or connection has taken its place.
 */
export type ConsultationEvent =
  // The person, the app or the browser.
  | { type: "enter"; checked: boolean }
  | { type: "leave" }
  | { type: "online" }
  | { type: "screenReplaced" }
  // Answers of the server while joining and recovering.
  | { type: "joined"; attempt: number; call: Joined }
  | { type: "waitingRoom"; attempt: number; sessionId: string }
  | { type: "consentRequired"; attempt: number; sessionId: string; unanswered: Feature[] }
  | { type: "consentAnswered"; attempt: number }
  | { type: "joinFailed"; attempt: number; error: unknown; provider: boolean }
  | { type: "recoveryFailed"; attempt: number; error: unknown }
  | { type: "recoveryExhausted"; attempt: number }
  // The SDK's script.
  | { type: "sdkLoaded"; attempt: number }
  | { type: "sdkFailed"; attempt: number; error: unknown }
  // The status of the call, before and in it.
  | { type: "status"; attempt: number; status: Status }
  | { type: "statusFailed"; attempt: number; error: unknown }
  | { type: "callStatus"; connection: number; status: Status }
  | { type: "callStatusFailed"; connection: number; error: unknown }
  | { type: "endConfirmed"; sessionId: string }
  // The media connection.
  | { type: "mediaStarted"; connection: number; at: number }
  | { type: "mediaReconnecting"; connection: number; at: number }
  | { type: "mediaStopped"; connection: number; at: number; why: StopReason };
