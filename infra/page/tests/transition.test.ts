// The transitions of a consultation, without a browser: every event in every phase, and what a late answer may not do.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Joined, Status } from "../src/answers.ts";
import { ApiError } from "../src/api.ts";
import type { ConsultationEvent, Phase } from "../src/consultation/phase.ts";
import { transition } from "../src/consultation/transition.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";
const OTHER_SESSION = "22222222-2222-4222-8222-222222222222";

const call: Joined = {
  sessionId: SESSION,
  role: "patient",
  meeting: {},
  attendee: {},
  recordingEnabled: false,
  transcriptionEnabled: false,
};

function status(changes: Partial<Status> = {}): Status {
  return {
    sessionId: SESSION,
    callStatus: "active",
    hasActiveCall: true,
    isProvider: false,
    providerName: null,
    endsAt: null,
    joinRefusal: null,
    present: [],
    recording: { state: "off", reason: null, recordingId: null, recorder: false },
    transcription: { state: "off", reason: null, message: null, recorder: false },
    consent: { recording: noConsent, transcription: noConsent },
    me: me("joined"),
    waiting: [],
    ...changes,
  };
}

const noConsent = { granted: null, allowed: false, missing: [] };
const capabilities = { Audio: "SendReceive", Video: "SendReceive", Content: "SendReceive" } as const;

function refusal(code: string): NonNullable<Status["joinRefusal"]> {
  return { code, error: code };
}

function me(status: Status["me"]["status"], admitted = false): Status["me"] {
  return { status, admitted, capabilities, consentRequired: [], rights: [] };
}

type Named<N extends Phase["name"]> = Extract<Phase, { name: N }>;
type Typed<T extends ConsultationEvent["type"]> = Extract<ConsultationEvent, { type: T }>;

const ATTEMPT = 7;
const CONNECTION = 5;
const common = { attempt: ATTEMPT, sessionId: SESSION };
const shown = { ...common, call, connection: CONNECTION, returns: 1, reconnectedAt: null, rejoined: false };

/** Samples of every phase: one that is added to the type has to be added here. */
const PHASES: { [N in Phase["name"]]: Named<N>[] } = {
  idle: [{ ...common, name: "idle" }],
  joining: [
    { ...common, name: "joining", checked: false, delayMs: 0 },
    { ...common, name: "joining", checked: true, delayMs: 1_500 },
  ],
  loadingSdk: [{ ...common, name: "loadingSdk", call }],
  notStarted: [{ ...common, name: "notStarted" }],
  waiting: [{ ...common, name: "waiting" }],
  consentAsked: [{ ...common, name: "consentAsked", unanswered: ["recording"] }],
  connecting: [{ ...shown, name: "connecting" }],
  inCall: [{ ...shown, name: "inCall", since: 1_000 }],
  reconnecting: [{ ...shown, name: "reconnecting" }],
  recovering: [
    { ...shown, name: "recovering", established: true, reason: "line" },
    { ...shown, name: "recovering", established: false, reason: "refused" },
  ],
  stopped: (["elsewhere", "full", "unreachable"] as const).map((reason) => ({ ...common, name: "stopped", reason })),
  failed: [
    { ...common, name: "failed", error: new Error("x"), retry: { type: "restart" }, excluded: true },
    { ...common, name: "failed", error: new Error("x"), retry: { type: "enter", checked: true }, excluded: false },
  ],
  ended: [{ ...common, name: "ended" }],
  left: [{ ...common, name: "left" }],
};

const ERRORS = [
  new ApiError("conflict", "CALL_NOT_READY"),
  new ApiError("missing", "NO_ACTIVE_CALL"),
  new ApiError("forbidden", "NOT_A_MEMBER"),
  new ApiError("offline", "OFFLINE"),
  new Error("x"),
];
const STATUSES = [
  status(),
  status({ hasActiveCall: false, callStatus: "not_started", sessionId: null }),
  status({ callStatus: "ended", hasActiveCall: false }),
  status({ sessionId: OTHER_SESSION }),
  ...(["removed", "turned_away", "waiting"] as const).map((one) => status({ me: me(one) })),
  status({ me: me("waiting", true) }),
  status({ joinRefusal: refusal("APPOINTMENT_CANCELLED") }),
];

/** Samples of every event, all of the current attempt or connection: one that is added to the type has to be added here. */
function events(attempt: number, connection: number): { [T in ConsultationEvent["type"]]: Typed<T>[] } {
  return {
    enter: [true, false].map((checked) => ({ type: "enter", checked })),
    leave: [{ type: "leave" }],
    online: [{ type: "online" }],
    screenReplaced: [{ type: "screenReplaced" }],
    joined: [{ type: "joined", attempt, call: { ...call, sessionId: OTHER_SESSION } }],
    waitingRoom: [{ type: "waitingRoom", attempt, sessionId: OTHER_SESSION }],
    consentRequired: [{ type: "consentRequired", attempt, sessionId: OTHER_SESSION, unanswered: ["recording"] }],
    consentAnswered: [{ type: "consentAnswered", attempt }],
    joinFailed: ERRORS.flatMap((error) =>
      [true, false].map((provider) => ({ type: "joinFailed" as const, attempt, error, provider })),
    ),
    recoveryFailed: ERRORS.map((error) => ({ type: "recoveryFailed", attempt, error })),
    recoveryExhausted: [{ type: "recoveryExhausted", attempt }],
    sdkLoaded: [{ type: "sdkLoaded", attempt }],
    sdkFailed: ERRORS.map((error) => ({ type: "sdkFailed", attempt, error })),
    status: STATUSES.map((status) => ({ type: "status", attempt, status })),
    statusFailed: ERRORS.map((error) => ({ type: "statusFailed", attempt, error })),
    callStatus: STATUSES.map((status) => ({ type: "callStatus", connection, status })),
    callStatusFailed: ERRORS.map((error) => ({ type: "callStatusFailed", connection, error })),
    endConfirmed: [SESSION, OTHER_SESSION].map((sessionId) => ({ type: "endConfirmed", sessionId })),
    mediaStarted: [{ type: "mediaStarted", connection, at: 2_000 }],
    mediaReconnecting: [{ type: "mediaReconnecting", connection, at: 3_000 }],
    mediaStopped: (["elsewhere", "full", "refused", "line"] as const).map((why) => ({
      type: "mediaStopped",
      connection,
      at: 60_000,
      why,
    })),
  };
}

const allPhases: Phase[] = Object.values(PHASES).flat();
const allEvents = (attempt: number, connection: number): ConsultationEvent[] =>
  Object.values(events(attempt, connection)).flat();
const connectionOf = (phase: Phase) => ("connection" in phase ? phase.connection : 0);

/** Seeded, so that a failure can be repeated: https://en.wikipedia.org/wiki/Linear_congruential_generator */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Leads through random events, and calls `visit` at every step. */
function walk(visit: (before: Phase, event: ConsultationEvent, after: Phase) => void): void {
  for (let seed = 1; seed <= 100; seed += 1) {
    const next = random(seed);
    let phase: Phase = { name: "idle", attempt: 0, sessionId: null };
    for (let step = 0; step < 200; step += 1) {
      const types = Object.values(events(phase.attempt, connectionOf(phase)));
      const samples = types[next(types.length)] ?? [];
      const event = samples[next(samples.length)];
      assert.ok(event);
      const after: Phase = transition(phase, event);
      visit(phase, event, after);
      // Nothing leads out of these two.
      phase = after.name === "ended" || after.name === "left" ? { name: "idle", attempt: 0, sessionId: null } : after;
    }
  }
}

test("every event in every phase leads to a phase, and the attempt never decreases", () => {
  for (const phase of allPhases) {
    for (const event of allEvents(ATTEMPT, CONNECTION)) {
      const after = transition(phase, event);
      assert.ok(after.name in PHASES, `${event.type} in ${phase.name} leads to ${after.name}`);
      assert.ok(after.attempt >= phase.attempt, `${event.type} in ${phase.name}`);
    }
  }
});

test("a transition changes neither the phase nor the event that it is given", () => {
  for (const phase of allPhases) {
    for (const event of allEvents(ATTEMPT, CONNECTION)) {
      const before = structuredClone({ ...phase, error: undefined });
      transition(Object.freeze(phase), Object.freeze(event));
      assert.deepEqual({ ...phase, error: undefined }, before);
    }
  }
});

test("an answer to an earlier attempt and a callback of an earlier connection change nothing in any phase", () => {
  for (const phase of allPhases) {
    for (const event of allEvents(ATTEMPT - 1, CONNECTION - 1)) {
      if (!("attempt" in event || "connection" in event)) continue;
      assert.equal(transition(phase, event), phase, `a late ${event.type} in ${phase.name}`);
    }
  }
});

test("in random consultations everything of an earlier phase is late once another attempt has begun", () => {
  const seen = new Set<string>();
  walk((before, _, after) => {
    seen.add(after.name);
    if (after.attempt === before.attempt) return;
    for (const late of allEvents(before.attempt, connectionOf(before))) {
      if ("attempt" in late) assert.equal(transition(after, late), after, `a late ${late.type} in ${after.name}`);
      else if ("connection" in late && connectionOf(after) !== connectionOf(before))
        assert.equal(transition(after, late), after, `a late ${late.type} in ${after.name}`);
    }
  });
  assert.deepEqual([...seen].sort(), Object.keys(PHASES).sort(), "the walks reach every phase");
});

test("a phase of another name has a later attempt, except where the same connection goes on", () => {
  walk((before, event, after) => {
    if (after.name === before.name || after.attempt > before.attempt) return;
    assert.equal(connectionOf(after), connectionOf(before));
    assert.ok(connectionOf(after) > 0, `${event.type} leads from ${before.name} to ${after.name}`);
  });
});

test("a call that has ended and a person who has left stay so until the page begins again", () => {
  for (const phase of [...PHASES.ended, ...PHASES.left]) {
    for (const event of allEvents(ATTEMPT, CONNECTION))
      if (event.type !== "leave") assert.equal(transition(phase, event), phase, `${event.type} in ${phase.name}`);
  }
});

test("leaving works in every phase", () => {
  for (const phase of allPhases) {
    const { name, sessionId } = transition(phase, { type: "leave" });
    assert.deepEqual({ name, sessionId }, { name: "left", sessionId: phase.sessionId }, phase.name);
  }
});

test("only the server ends a call: what the media connection reports never does", () => {
  for (const phase of allPhases) {
    for (const event of allEvents(ATTEMPT, CONNECTION)) {
      if (transition(phase, event).name !== "ended" || phase.name === "ended") continue;
      assert.ok(["status", "callStatus", "endConfirmed"].includes(event.type), `${event.type} in ${phase.name}`);
    }
  }
});

test("a person who joins on another device comes back only by their own decision", () => {
  const [elsewhere] = PHASES.stopped;
  assert.ok(elsewhere);
  for (const event of allEvents(ATTEMPT, CONNECTION)) {
    const { name } = transition(elsewhere, event);
    assert.equal(name, event.type === "enter" ? "joining" : event.type === "leave" ? "left" : "stopped", event.type);
  }
});

const elsewhere = (phase: Phase, at: number) =>
  transition(phase, { type: "mediaStopped", connection: connectionOf(phase), at, why: "elsewhere" });

test("a report of another device soon after the page's own reconnection makes it rejoin by itself, once", () => {
  const [inCall] = PHASES.inCall;
  assert.ok(inCall);
  assert.equal(elsewhere(inCall, 2_000).name, "stopped", "without a reconnection it is asked for");
  const lost = transition(inCall, { type: "mediaReconnecting", connection: CONNECTION, at: 40_000 });
  assert.equal(elsewhere(lost, 41_000).name, "recovering", "during the reconnection");
  const restored = transition(lost, { type: "mediaStarted", connection: CONNECTION, at: 42_000 });
  assert.equal(elsewhere(restored, 72_001).name, "stopped", "30 seconds after it is no sign of it");
  const recovering = elsewhere(restored, 72_000);
  assert.equal(recovering.name, "recovering");

  const joined = transition(recovering, { type: "joined", attempt: recovering.attempt, call });
  const again = transition(joined, { type: "mediaStarted", connection: connectionOf(joined), at: 73_000 });
  assert.equal(again.name, "inCall");
  assert.deepEqual(
    [elsewhere(joined, 73_000), elsewhere(again, 80_000)].map(({ name }) => name),
    ["stopped", "stopped"],
    "the second time in a row it is asked for",
  );
  const later = transition(again, { type: "mediaReconnecting", connection: connectionOf(again), at: 110_000 });
  assert.equal(elsewhere(later, 111_000).name, "recovering", "a connection that lasted is a new beginning");
});

test("a person who has to answer about consent joins once the server needs no answer any more", () => {
  const [joining] = PHASES.joining;
  const [recovering] = PHASES.recovering;
  assert.ok(joining && recovering);
  for (const phase of [joining, recovering]) {
    const asked = transition(phase, {
      type: "consentRequired",
      attempt: ATTEMPT,
      sessionId: SESSION,
      unanswered: ["recording"],
    });
    assert.equal(asked.name, "consentAsked", phase.name);
    const { attempt } = asked;
    const after = (answer: Status) => transition(asked, { type: "status", attempt, status: answer }).name;
    assert.equal(after(status({ me: { ...me(null), consentRequired: ["recording"] } })), "consentAsked");
    assert.equal(after(status({ me: { ...me(null), consentRequired: [] } })), "joining");
    assert.equal(after(status({ callStatus: "ended" })), "ended");
    assert.equal(after(status({ me: me("removed") })), "failed");
    assert.equal(transition(asked, { type: "consentAnswered", attempt }).name, "joining");
  }
});

test("the end of a connection that lasted is a new problem, and one that did not counts", () => {
  const [inCall] = PHASES.inCall;
  assert.ok(inCall);
  const lostAfter = (milliseconds: number) =>
    transition(inCall, {
      type: "mediaStopped",
      connection: CONNECTION,
      at: inCall.since + milliseconds,
      why: "line",
    });
  assert.equal((lostAfter(29_999) as Named<"recovering">).returns, 1);
  assert.equal((lostAfter(30_000) as Named<"recovering">).returns, 0);
});

test("a new place opens another connection, and is counted", () => {
  for (const phase of PHASES.recovering) {
    const after = transition(phase, { type: "joined", attempt: ATTEMPT, call });
    assert.ok("connection" in after);
    assert.equal(after.name, phase.established ? "reconnecting" : "connecting");
    assert.ok(after.connection > phase.connection);
    assert.equal(after.returns, phase.returns + 1);
    const late = transition(after, { type: "mediaStarted", connection: phase.connection, at: 0 });
    assert.equal(late, after, "the connection that was given up does not start any more");
  }
});

test("the SDK may restore the connection while the page asks for a new place, whose answer is then late", () => {
  const [inCall] = PHASES.inCall;
  assert.ok(inCall);
  const lost = transition(inCall, { type: "mediaReconnecting", connection: CONNECTION, at: 2_000 });
  const recovering = transition(lost, { type: "online" });
  assert.equal(recovering.name, "recovering");
  const restored = transition(recovering, { type: "mediaStarted", connection: CONNECTION, at: 3_000 });
  assert.equal(restored.name, "inCall");
  assert.equal(transition(restored, { type: "joined", attempt: recovering.attempt, call }), restored);
});

test("a patient whom the provider admits, and one whom the server does not know any more, join again", () => {
  const [waiting] = PHASES.waiting;
  assert.ok(waiting);
  const after = (answer: Status) => transition(waiting, { type: "status", attempt: ATTEMPT, status: answer }).name;
  assert.equal(after(status({ me: me("waiting") })), "waiting");
  assert.equal(after(status({ me: me("waiting", true) })), "joining");
  assert.equal(after(status({ me: me("waiting"), sessionId: OTHER_SESSION })), "joining");
  assert.equal(after(status({ me: me("turned_away") })), "failed");
  assert.equal(after(status({ me: me("waiting"), callStatus: "ended" })), "ended");
});

test("a person who could not join any more learns it from the status, without a request to join", () => {
  const [notStarted] = PHASES.notStarted;
  const [waiting] = PHASES.waiting;
  const [asked] = PHASES.consentAsked;
  assert.ok(notStarted && waiting && asked);
  const after = (phase: Phase, code: string, changes: Partial<Status>) =>
    transition(phase, {
      type: "status",
      attempt: ATTEMPT,
      status: status({ joinRefusal: refusal(code), me: me("waiting"), ...changes }),
    });
  const none = { hasActiveCall: false, callStatus: "not_started", sessionId: null } as const;
  const cases: [Phase, Partial<Status>][] = [
    [notStarted, none],
    [notStarted, {}],
    [waiting, {}],
    [waiting, { me: me("left") }],
    [asked, {}],
  ];
  for (const code of ["APPOINTMENT_CANCELLED", "VIDEO_NOT_ENABLED", "JOIN_WINDOW_CLOSED"])
    for (const [phase, changes] of cases) {
      const refused = after(phase, code, changes);
      assert.equal(refused.name, "failed", `${phase.name}: ${code}`);
      const { error, excluded, retry } = refused as Named<"failed">;
      assert.ok(error instanceof ApiError && error.kind === "missing" && error.code === code);
      assert.deepEqual({ excluded, retry }, { excluded: false, retry: { type: "enter", checked: false } });
    }
  assert.equal(after(notStarted, "JOIN_WINDOW_NOT_OPEN", none), notStarted, "it opens later");
  assert.equal(after(waiting, "APPOINTMENT_CANCELLED", { callStatus: "ended" }).name, "ended");
  assert.equal((after(waiting, "X", { me: me("turned_away") }) as Named<"failed">).excluded, true);
});
