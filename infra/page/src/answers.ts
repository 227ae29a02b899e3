// The API's answers, as far as the page reads them.

export type Role = "provider" | "patient" | "observer";
export type Capability = "SendReceive" | "Send" | "Receive" | "None";
export type Feature = "recording" | "transcription";

export type Medium = "audio" | "video" | "content";

/** As Chime spells them; a change is requested in the API's own spelling, `Medium`. */
export interface Capabilities {
  Audio: Capability;
  Video: Capability;
  Content: Capability;
}

/** Chime's own objects: the page passes them on to its SDK unchanged. */
export type Opaque = Record<string, unknown>;

export interface Joined {
  sessionId: string;
  role: Role;
  meeting: Opaque;
  attendee: Opaque;
  recordingEnabled: boolean;
  transcriptionEnabled: boolean;
}

export interface Waiting {
  status: "waiting";
  sessionId: string;
  waitingSince?: string;
}

export interface ConsentOf {
  granted: boolean | null;
  allowed: boolean;
  missing: string[];
}

export type Consent = Record<Feature, ConsentOf>;

export interface FeatureState {
  state: "off" | "requested";
  reason: string | null;
}

export interface WaitingPerson {
  userId: string;
  displayName: string | null;
  role: Role;
  since: string;
}

export interface Status {
  sessionId: string | null;
  callStatus: "not_started" | "creating" | "active" | "ending" | "ended" | "failed";
  hasActiveCall: boolean;
  canJoin: boolean;
  isProvider: boolean;
  isPatient: boolean;
  providerName: string | null;
  present: string[];
  recording: FeatureState;
  transcription: FeatureState;
  me?: { status: string | null; admitted: boolean; waitingSince: string | null; capabilities: Capabilities | null };
  waiting?: WaitingPerson[];
  consent?: Consent;
}

export interface Person {
  userId: string;
  displayName: string | null;
  role: Role;
  status: string;
  attendeeId: string | null;
  present: boolean;
  capabilities: Capabilities | null;
}

/** One measurement of the connection, see `quality.ts`. */
export interface Sample {
  at: number;
  packetLossPercent?: number;
  roundTripMs?: number;
  jitterMs?: number;
  bitrateKbps?: number;
}
