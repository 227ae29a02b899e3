// What the SDK's reasons for giving a connection up mean to the person. That a call has ended is none of them: only the
// server says so.

import type * as Chime from "amazon-chime-sdk-js";

/**
 * `elsewhere`: the same person has come in on another device, and stays there. `full`: there is no room. `refused`: what we
 * came with does not hold, or something is wrong in here: a new place may help. `line`: nothing was to be reached.
 */
export type Stop = "elsewhere" | "full" | "refused" | "line";

/** All of them, so that one that a later SDK adds does not compile. */
const STOPS: Record<keyof typeof Chime.MeetingSessionStatusCode, Stop> = {
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

export function stopOf(code: number, codes: typeof Chime.MeetingSessionStatusCode): Stop {
  const name = codes[code] as keyof typeof STOPS | undefined;
  return name === undefined ? "line" : STOPS[name];
}
