// What the statuses with which the SDK stops mean to the person. None of them means that the call has ended: only the server
// says so.

import type * as Chime from "amazon-chime-sdk-js";

/**
 * `elsewhere`: the same person has joined on another device, and stays there. `full`: the call has no room. `refused`: the
 * attendee is not valid, or the page has a defect: a new place may help. `line`: the media service was not reached.
 */
export type StopReason = "elsewhere" | "full" | "refused" | "line";

/** Every status, so that one that a later SDK adds does not compile. */
const STOP_REASONS: Record<keyof typeof Chime.MeetingSessionStatusCode, StopReason> = {
  OK: "line",
  Left: "line",
  AudioJoinedFromAnotherDevice: "elsewhere",
  AudioAuthenticationRejected: "refused",
  AudioCallAtCapacity: "full",
  MeetingEnded: "refused",
  AudioInternalServerError: "line",
  AudioServiceUnavailable: "line",
  AudioDisconnected: "line",
  VideoCallSwitchToViewOnly: "line",
  VideoCallAtSourceCapacity: "full",
  SignalingBadRequest: "refused",
  SignalingInternalServerError: "line",
  SignalingRequestFailed: "refused",
  SignalingChannelClosedUnexpectedly: "line",
  ICEGatheringTimeoutWorkaround: "line",
  ConnectionHealthReconnect: "line",
  RealtimeApiFailed: "refused",
  TaskFailed: "line",
  IncompatibleSDP: "refused",
  TURNCredentialsForbidden: "refused",
  NoAttendeePresent: "line",
  AudioAttendeeRemoved: "refused",
  AudioVideoWasRemovedFromPrimaryMeeting: "refused",
  AudioVideoDisconnectedWhilePromoted: "line",
  AudioDisconnectAudio: "line",
  EncodedTransformManagerFailed: "line",
};

export function stopReasonOf(code: number, codes: typeof Chime.MeetingSessionStatusCode): StopReason {
  const name = codes[code] as keyof typeof STOP_REASONS | undefined;
  return name === undefined ? "line" : STOP_REASONS[name];
}
