// The API's answers, as far as the page reads them. The types are those of `infra/openapi.json`; the functions check at run time
// what the page relies on, for an answer may come from something else than the API.

import type { components, operations } from "./api-types.ts";

type Schemas = components["schemas"];

export type Role = Schemas["Role"];
export type Capability = Schemas["Direction"];
/** As Chime spells them; a change is requested in the API's own spelling, `Medium`. */
export type Capabilities = Schemas["Capabilities"];
export type Medium = keyof Schemas["CapabilitiesRequest"];
export type Feature = keyof Schemas["ConsentStatus"];
/** The transcription of a call: the one that runs, else the last one. */
export type TranscriptionStatus = Pick<Schemas["FeatureStatus"], "state" | "reason" | "message" | "recorder">;

/** A right of a person to the recordings of their appointments. */
export type Right = Schemas["Right"];
/** Recording or transcription of a call. A recording has its id from its start to its end. */
export type FeatureStatus = Pick<Schemas["FeatureStatus"], "state" | "reason" | "recordingId" | "recorder">;
export type Consent = Schemas["ConsentStatus"];

/** A recording, as far as the page reads it. */
export type Recording = Pick<
  Schemas["Recording"],
  "recordingId" | "state" | "capturing" | "startedAt" | "pauseReason" | "endReason"
> & { segments: Pick<Schemas["RecordingSegment"], "missingSeconds">[] };

/** A place in the call. `meeting` and `attendee` are Chime's own objects: the page passes them on to its SDK unchanged. */
export type Joined = Pick<
  Schemas["JoinInfo"],
  "sessionId" | "role" | "meeting" | "attendee" | "recordingEnabled" | "transcriptionEnabled"
>;

/** A place in the waiting room. */
export type Waiting = Pick<Schemas["WaitingResponse"], "sessionId"> & { status: "waiting" };

/** No place yet: the call is recorded or transcribed, and this person has not consented. */
export type ConsentRequired = Pick<
  Schemas["ConsentRequiredResponse"],
  "status" | "sessionId" | "purposes" | "stopping"
>;

/** The server's answer to a request for a place. */
export type Place = Joined | Waiting | ConsentRequired;

export type WaitingPerson = Pick<Schemas["WaitingParticipant"], "userId" | "displayName" | "role">;

export type Status = Pick<
  Schemas["StatusResponse"],
  | "sessionId"
  | "callStatus"
  | "hasActiveCall"
  | "isProvider"
  | "providerName"
  | "present"
  | "endsAt"
  | "joinRefusal"
  | "consent"
> & {
  recording: FeatureStatus;
  transcription: TranscriptionStatus;
  me: Pick<Schemas["CallerStatus"], "status" | "admitted" | "capabilities" | "consentRequired" | "rights">;
  waiting: WaitingPerson[];
};

export type Person = Pick<
  Schemas["RosterAttendee"],
  "userId" | "displayName" | "role" | "status" | "attendeeId" | "present" | "capabilities"
>;

/** One measurement of the connection, see `quality.ts`. */
export type Sample = { [Name in keyof Schemas["QualitySample"]]: number } & { at: number };

export type StartOptions = Schemas["StartRequest"];
export type Change = Schemas["ChangeRequest"];
export type ConsentChoice = Schemas["ConsentRequest"];

/** Every error code that the document names for a route: one that the API renames does not compile here. */
export type ErrorCode = CodeOf<JsonOf<ResponsesOf<operations[keyof operations]>>>;

type ResponsesOf<O> = O extends { responses: infer R } ? R[keyof R] : never;
type JsonOf<R> = R extends { content: { "application/json": infer J } } ? J : never;
type CodeOf<J> = J extends { error: string; code: infer C } ? C : never;

export type Body = Record<string, unknown>;

export function parseJoined(body: Body): Joined | undefined {
  const { sessionId, role, meeting, attendee, recordingEnabled, transcriptionEnabled } = body;
  const valid =
    isText(sessionId) &&
    isText(role) &&
    isObject(meeting) &&
    isObject(attendee) &&
    isFlag(recordingEnabled) &&
    isFlag(transcriptionEnabled);
  return valid ? (body as Joined) : undefined;
}

export function parseWaiting(body: Body): Waiting | undefined {
  return body["status"] === "waiting" && isText(body["sessionId"]) ? (body as Waiting) : undefined;
}

export function parseConsentRequired(body: Body): ConsentRequired | undefined {
  const { status, sessionId, purposes, stopping } = body;
  const valid =
    status === "consent_required" &&
    isText(sessionId) &&
    isListOf(purposes, isPurposeName) &&
    isListOf(stopping, isPurposeName);
  return valid ? (body as unknown as ConsentRequired) : undefined;
}

export function parsePlace(body: Body): Place | undefined {
  return parseConsentRequired(body) ?? parseWaiting(body) ?? parseJoined(body);
}

export function parseStatus(body: Body): Status | undefined {
  const { sessionId, callStatus, hasActiveCall, isProvider, providerName, present, endsAt, joinRefusal, me, waiting } =
    body;
  const valid =
    isNullable(sessionId, isText) &&
    isText(callStatus) &&
    isFlag(hasActiveCall) &&
    isFlag(isProvider) &&
    isNullable(providerName, isText) &&
    isListOf(present, isText) &&
    isNullable(endsAt, isText) &&
    isNullable(joinRefusal, isRefusal) &&
    isObject(me) &&
    isNullable(me["status"], isText) &&
    isFlag(me["admitted"]) &&
    isListOf(me["consentRequired"], isPurposeName) &&
    isCapabilities(me["capabilities"]) &&
    isListOf(me["rights"], isText) &&
    isListOf(waiting, isWaitingPerson) &&
    isFeature(body["recording"]) &&
    isTranscription(body["transcription"]) &&
    isConsent(body["consent"]);
  return valid ? (body as unknown as Status) : undefined;
}

export function parseRecording(body: Body): Recording | undefined {
  const { recordingId, state, capturing, startedAt, pauseReason, endReason, segments } = body;
  const valid =
    isText(recordingId) &&
    isText(state) &&
    isFlag(capturing) &&
    isText(startedAt) &&
    isNullable(pauseReason, isText) &&
    isNullable(endReason, isText) &&
    isListOf(segments, isSegment);
  return valid ? (body as unknown as Recording) : undefined;
}

export function parseRecordings({ recordings }: Body): Recording[] | undefined {
  return isListOf(recordings, (one) => isObject(one) && parseRecording(one) !== undefined)
    ? (recordings as Recording[])
    : undefined;
}

export function parseRoster({ attendees }: Body): Person[] | undefined {
  return isListOf(attendees, isPerson) ? (attendees as unknown as Person[]) : undefined;
}

export function parseConsent({ consent }: Body): Consent | undefined {
  return isConsent(consent) ? (consent as Consent) : undefined;
}

function isRefusal(value: unknown): boolean {
  return isObject(value) && isText(value["code"]);
}

function isWaitingPerson(value: unknown): value is Body {
  return isObject(value) && isText(value["userId"]) && isNullable(value["displayName"], isText);
}

function isPerson(value: unknown): value is Body {
  return (
    isWaitingPerson(value) &&
    isText(value["role"]) &&
    isText(value["status"]) &&
    isNullable(value["attendeeId"], isText) &&
    isFlag(value["present"]) &&
    isCapabilities(value["capabilities"])
  );
}

function isCapabilities(value: unknown): boolean {
  return isObject(value) && [value["Audio"], value["Video"], value["Content"]].every(isText);
}

function isFeature(value: unknown): boolean {
  return (
    isObject(value) && isText(value["state"]) && isNullable(value["recordingId"], isText) && isFlag(value["recorder"])
  );
}

function isTranscription(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value["state"]) &&
    isNullable(value["reason"], isText) &&
    isNullable(value["message"], isText) &&
    isFlag(value["recorder"])
  );
}

function isSegment(value: unknown): boolean {
  return isObject(value) && isNullable(value["missingSeconds"], (seconds) => typeof seconds === "number");
}

function isPurposeName(value: unknown): value is Feature {
  return value === "recording" || value === "transcription";
}

function isConsent(value: unknown): boolean {
  return isObject(value) && [value["recording"], value["transcription"]].every(isPurpose);
}

function isPurpose(value: unknown): boolean {
  return isObject(value) && isNullable(value["granted"], isFlag);
}

export function isObject(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isNullable(value: unknown, check: (value: unknown) => boolean): boolean {
  return value === null || check(value);
}

function isListOf(value: unknown, check: (value: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(check);
}
