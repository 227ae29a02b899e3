// The fields on which the page relies in the API's answers: without it an answer is rejected, and with more it is accepted.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Body,
  type Consent,
  type ConsentRequired,
  type Joined,
  type Person,
  parseConsent,
  parseConsentRequired,
  parseJoined,
  parseRoster,
  parseStatus,
  parseWaiting,
  type Status,
  type Waiting,
} from "../src/answers.ts";

const consent: Consent = {
  recording: { granted: null, allowed: false, missing: ["u-1"] },
  transcription: { granted: true, allowed: true, missing: [] },
};
const capabilities = { Audio: "SendReceive", Video: "Receive", Content: "None" } as const;
const person: Person = {
  userId: "u-1",
  displayName: null,
  role: "patient",
  status: "joined",
  attendeeId: "a-1",
  present: true,
  capabilities,
};
const status: Status = {
  sessionId: "s-1",
  callStatus: "active",
  hasActiveCall: true,
  isProvider: false,
  providerName: "Provider",
  endsAt: null,
  joinRefusal: { code: "APPOINTMENT_CANCELLED", error: "The appointment is cancelled." },
  present: ["u-1"],
  recording: { state: "paused", reason: "requested", recordingId: "r-1", recorder: false },
  transcription: { state: "requested", reason: null, message: null, recorder: false },
  consent,
  me: { status: "joined", admitted: true, capabilities, consentRequired: ["recording"], rights: [] },
  waiting: [{ userId: "u-2", displayName: "Patient", role: "patient" }],
};
const joined: Joined = {
  sessionId: "s-1",
  role: "patient",
  meeting: { MeetingId: "m" },
  attendee: { AttendeeId: "a" },
  recordingEnabled: false,
  transcriptionEnabled: true,
};
const waiting: Waiting = { status: "waiting", sessionId: "s-1" };

const required: ConsentRequired = {
  status: "consent_required",
  sessionId: "s-1",
  purposes: ["recording", "transcription"],
  stopping: ["transcription"],
};

const CASES: [string, (body: Body) => unknown, Body][] = [
  ["a status", parseStatus, status],
  ["a place", parseJoined, joined],
  ["a place in the waiting room", parseWaiting, waiting],
  ["a place that requires consent", parseConsentRequired, required],
  ["a roster", parseRoster, { attendees: [person] }],
  ["a consent", parseConsent, { consent }],
];

/** Fields on which the page does not rely: Chime's own, and those that it does not read by themselves. */
const FREE = /\.(MeetingId|AttendeeId|missing|allowed|reason|error)$|waiting\.0\.role$/;

/** The path of every field of a value, as `consent.recording.granted`. */
function pathsOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => [`${path}.${name}`, ...pathsOf(field, `${path}.${name}`)]);
}

function withField(body: Body, path: string, change: (owner: Body, name: string) => void): Body {
  const copy = structuredClone(body);
  const names = path.split(".").slice(1);
  const last = names.pop() ?? "";
  let owner: Body = copy;
  for (const name of names) owner = owner[name] as Body;
  change(owner, last);
  return copy;
}

for (const [name, parse, body] of CASES) {
  test(`${name} is accepted as the API gives it, also with fields that the page does not know`, () => {
    assert.ok(parse(body));
    assert.ok(parse({ ...body, later: { added: true } }));
  });

  test(`${name} is rejected if a field on which the page relies is missing or of another type`, () => {
    for (const path of pathsOf(body)) {
      if (FREE.test(path) || /\.\d+$/.test(path)) continue;
      const missing = withField(body, path, (owner, field) => delete owner[field]);
      assert.equal(parse(missing), undefined, `without ${path}`);
      const other = withField(body, path, (owner, field) => {
        owner[field] = 7;
      });
      assert.equal(parse(other), undefined, `${path} is a number`);
    }
  });
}

test("an answer of something else than the API is rejected", () => {
  for (const [name, parse] of CASES) {
    for (const body of [{}, { status: "ok" }, { message: "Forbidden" }, { attendees: {} }, { consent: [] }])
      assert.equal(parse(body), undefined, `${name}: ${JSON.stringify(body)}`);
  }
});
