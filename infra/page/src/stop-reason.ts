// The meaning to the person of the statuses with which the SDK stops. None of them means that the call has ended: only the
// server says so.

import type * as Chime from "amazon-chime-sdk-js";

/**
 * `elsewhere`: the same person has joined on another device, and stays there. `full`: the call has no room. `refused`: the
 * attendee is not valid, or the page has a defect: a new place may help. `line`: the media service was not reached.
 */
export type StopReason = "elsewhere" | "full" | "refused" | "line";

/** Statuses after which the page asks the server and comes back. Those without an entry below are these, and unknown ones. */
type LineStatus =
  | "OK"
  | "Left"
  | "AudioInternalServerError"
  | "AudioServiceUnavailable"
  | "AudioDisconnected"
  | "VideoCallSwitchToViewOnly"
  | "SignalingInternalServerError"
  | "SignalingChannelClosedUnexpectedly"
  | "ICEGatheringTimeoutWorkaround"
  | "ConnectionHealthReconnect"
  | "TaskFailed"
  | "NoAttendeePresent"
  | "AudioVideoDisconnectedWhilePromoted"
  | "AudioDisconnectAudio"
  | "EncodedTransformManagerFailed";

/** Every other status, so that one that a later SDK adds does not compile. */
const STOP_REASONS: Record<
  Exclude<keyof typeof Chime.MeetingSessionStatusCode, LineStatus>,
  Exclude<StopReason, "line">
> = {
  AudioJoinedFromAnotherDevice: "elsewhere",
  AudioAuthenticationRejected: "refused",
  AudioCallAtCapacity: "full",
  MeetingEnded: "refused",
  VideoCallAtSourceCapacity: "full",
  SignalingBadRequest: "refused",
  SignalingRequestFailed: "refused",
  RealtimeApiFailed: "refused",
  IncompatibleSDP: "refused",
  TURNCredentialsForbidden: "refused",
  AudioAttendeeRemoved: "refused",
  AudioVideoWasRemovedFromPrimaryMeeting: "refused",
};

export function stopReasonOf(code: number, codes: typeof Chime.MeetingSessionStatusCode): StopReason {
  const reasons: Record<string, StopReason | undefined> = STOP_REASONS;
  return reasons[codes[code] ?? ""] ?? "line";
}
