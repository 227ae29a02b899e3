// 250 calls at once, Chime's default quota, against the throttle of the API: the page's own code decides when it asks, on a clock
// of this test, and the requests to each route are counted for every second.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, mock, type TestContext, test } from "node:test";
import type { Joined, Status } from "../src/answers.ts";
import { Api } from "../src/api.ts";
import { configOf } from "../src/config.ts";
import { CallRequests } from "../src/consultation/call-requests.ts";
import type { NotStarted, Recovering, Waiting } from "../src/consultation/phase.ts";
import { pollStatus } from "../src/consultation/poll.ts";
import { Recovery } from "../src/consultation/recovery.ts";
import { transition } from "../src/consultation/transition.ts";
import { wait } from "../src/wait.ts";

const CALLS = 250;
const CALL_MS = 15 * 60_000;
/** All appointments begin at the full hour; people arrive within this time of it. */
const ARRIVAL_MS = 60_000;
const STEP_MS = 100;
const SECONDS_OF_STEADY_CALLS = { from: 5 * 60, to: 13 * 60 };

const template = readFileSync(new URL("../../app.yaml", import.meta.url), "utf8");
const limitOf = (parameter: string) =>
  Number(new RegExp(`^  ${parameter}:\\n    Type: Number\\n    Default: (\\d+)$`, "m").exec(template)?.[1]);
/** Requests per second and route that the deployment allows, and at once. */
const RATE = limitOf("ThrottlingRate");
const BURST = limitOf("ThrottlingBurst");

/** Requests by route, then by second. */
let counts: Map<string, Map<number, number>>;
let requestsOfCalls: Map<string, number>;

beforeEach(() => {
  counts = new Map();
  requestsOfCalls = new Map();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(globalThis, "fetch", answer);
  // Seeded, so that a failure can be repeated: https://en.wikipedia.org/wiki/Linear_congruential_generator
  let state = 1;
  mock.method(Math, "random", () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  });
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

/** One call, as the server knows it. */
class ServerCall {
  readonly id: string;
  readonly inCall: { person: string; requests: CallRequests }[] = [];
  readonly waiting = new Set<string>();
  active = false;

  constructor(id: string) {
    this.id = id;
  }

  /** The connection of everyone who is in the call reports who has come. */
  enter(person: string, requests: CallRequests): void {
    this.inCall.push({ person, requests });
    for (const one of this.inCall)
      for (const other of this.inCall) {
        one.requests.present.add(other.person);
        one.requests.changed();
      }
  }

  status(person: string): Status {
    const capabilities = { Audio: "SendReceive", Video: "SendReceive", Content: "SendReceive" } as const;
    const none = { granted: null, allowed: false, missing: [] };
    const present = this.inCall.map((one) => one.person);
    return {
      sessionId: this.active ? this.id : null,
      callStatus: this.active ? "active" : "not_started",
      hasActiveCall: this.active,
      isProvider: person === "provider",
      providerName: null,
      endsAt: null,
      joinRefusal: null,
      present,
      recording: { state: "off", reason: null, recordingId: null, recorder: false },
      transcription: { state: "off", reason: null, message: null, recorder: false },
      consent: { recording: none, transcription: none },
      me: {
        status: present.includes(person) ? "joined" : this.waiting.has(person) ? "waiting" : null,
        admitted: false,
        capabilities,
        consentRequired: [],
        rights: [],
      },
      waiting: [],
    };
  }
}

const calls = new Map<string, ServerCall>();

/** The server: counts the request and answers as the API does. */
async function answer(url: string | URL | Request, { method = "GET", headers }: RequestInit = {}) {
  const [, id = "", path = ""] = /^\/appointments\/([^/]+)\/call(.*)$/.exec(String(url)) ?? [];
  const route = `${method} /call${path}`;
  const second = Math.floor(Date.now() / 1_000);
  const seconds = counts.get(route) ?? new Map<number, number>();
  counts.set(route, seconds);
  seconds.set(second, (seconds.get(second) ?? 0) + 1);
  requestsOfCalls.set(id, (requestsOfCalls.get(id) ?? 0) + 1);

  const call = calls.get(id);
  assert.ok(call, String(url));
  const person = new Headers(headers).get("authorization")?.replace("Bearer ", "") ?? "";
  const place = (): Joined => ({
    sessionId: id,
    role: person === "provider" ? "provider" : "patient",
    meeting: {},
    attendee: {},
    recordingEnabled: false,
    transcriptionEnabled: false,
  });
  const bodies: Record<string, () => object> = {
    "GET /call": () => call.status(person),
    "POST /call": () => {
      call.active = true;
      return place();
    },
    "POST /call/attendees": place,
    "GET /call/attendees": () => ({ attendees: [] }),
    "POST /call/quality": () => ({}),
    "DELETE /call": () => ({}),
  };
  const body = bodies[route];
  assert.ok(body, route);
  const text = JSON.stringify(body());
  return { status: 200, headers: new Headers(), text: async () => text } as Response;
}

function openCalls(): ServerCall[] {
  calls.clear();
  for (let number = 0; number < CALLS; number += 1) calls.set(`call-${number}`, new ServerCall(`call-${number}`));
  return [...calls.values()];
}

const apiOf = (call: ServerCall, person: string) =>
  new Api(call.id, configOf({}), { current: person, renew: async () => undefined });

/** Moves the clock while everything that is due runs. */
async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += STEP_MS) {
    mock.timers.tick(STEP_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const arrival = () => wait(Math.random() * ARRIVAL_MS);
/** The person looks at the device check. */
const deviceCheck = () => wait(5_000 + Math.random() * 20_000);

/** Polls as in this phase, until another one follows. */
async function pollUntilChange(api: Api, phase: NotStarted | Waiting, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  signal.addEventListener("abort", () => over.abort(signal.reason), { once: true });
  await pollStatus(api, phase, over.signal, (event) => {
    if (transition(phase, event) !== phase) over.abort(new DOMException("the phase is over", "AbortError"));
  });
}

/** Is in the call with the page's own intervals, until the signal. */
function beInCall(call: ServerCall, person: string, api: Api, signal: AbortSignal): void {
  const requests = new CallRequests(api, signal, {
    readStatus: () => api.status(),
    showRoster: () => undefined,
    sample: () => ({ at: Date.now(), roundTripMs: 50 }),
    showUnauthorized: () => assert.fail("the token is good"),
    excluded: (error) => assert.fail(error as Error),
  });
  call.enter(person, requests);
  requests.begin();
}

/** One person from the opened page to the end of the call. */
async function attend(call: ServerCall, person: "provider" | "patient", over: AbortController): Promise<void> {
  const api = apiOf(call, person);
  await arrival();
  await api.status();
  await deviceCheck();
  if (person === "provider") await api.start({});
  else {
    if (!call.active) await pollUntilChange(api, { name: "notStarted", attempt: 1, sessionId: null }, over.signal);
    await api.join(false);
  }
  beInCall(call, person, api, over.signal);
  if (person !== "provider") return;
  await wait(CALL_MS);
  await api.end(call.id);
  over.abort(new DOMException("the call is over", "AbortError"));
}

/** The most requests to a route in one second, by route. */
const peaks = () => [...counts].map(([route, seconds]) => [route, Math.max(...seconds.values())] as const);

/** Requests to all routes in a second. */
const inSecond = (second: number) => [...counts.values()].reduce((sum, seconds) => sum + (seconds.get(second) ?? 0), 0);

function belowTheThrottle(context: TestContext): void {
  const found = peaks();
  context.diagnostic(`most requests in a second, by route: ${JSON.stringify(Object.fromEntries(found))}`);
  assert.ok(RATE > 0 && BURST >= RATE, "the template's limits are read");
  for (const [route, peak] of found) assert.ok(peak < RATE, `${peak} requests in one second to ${route}`);
}

test("250 calls of two people that begin within a minute stay below the throttle in every second", async (context) => {
  const working = openCalls().flatMap((call) => {
    const over = new AbortController();
    return [attend(call, "provider", over), attend(call, "patient", over)];
  });
  await pass(ARRIVAL_MS + CALL_MS + 60_000);
  await Promise.all(working);

  belowTheThrottle(context);
  let steady = 0;
  const { from, to } = SECONDS_OF_STEADY_CALLS;
  for (let second = from; second < to; second += 1) steady += inSecond(second);
  const mean = steady / (to - from);
  const most = Math.max(...requestsOfCalls.values());
  context.diagnostic(`${mean.toFixed(1)} requests a second while all talk; at most ${most} of one call`);
  assert.ok(mean > 15 && mean < RATE / 10, `${mean} requests a second while all talk`);
  assert.equal(requestsOfCalls.size, CALLS);
  assert.ok(most <= 150, `${most} requests of one call`);
});

test("500 people who wait in the waiting room at the same time stay below the throttle in every second", async (context) => {
  const ends: AbortController[] = [];
  const working = openCalls().flatMap((call) => {
    call.active = true;
    return ["one", "another"].map(async (person) => {
      const over = new AbortController();
      ends.push(over);
      call.waiting.add(person);
      await arrival();
      await pollUntilChange(apiOf(call, person), { name: "waiting", attempt: 1, sessionId: call.id }, over.signal);
    });
  });
  await pass(ARRIVAL_MS + 5 * 60_000);
  for (const over of ends) over.abort(new DOMException("the test is over", "AbortError"));
  await Promise.all(working);
  belowTheThrottle(context);
  assert.ok(inSecond(50) > CALLS / 10, "they ask");
});

test("500 people who lose their connection in the same moment stay within the burst", async (context) => {
  let returned = 0;
  const working = openCalls().flatMap((call) =>
    ["provider", "patient"].map((person) => {
      call.active = true;
      const api = apiOf(call, person);
      const phase: Recovering = {
        name: "recovering",
        attempt: 1,
        sessionId: call.id,
        call: {
          sessionId: call.id,
          role: "patient",
          meeting: {},
          attendee: {},
          recordingEnabled: false,
          transcriptionEnabled: false,
        },
        connection: 1,
        returns: 0,
        reconnectedAt: null,
        rejoined: false,
        established: true,
        reason: "line",
      };
      const recovery = new Recovery(
        {
          phase: () => phase,
          checkCall: async () => void (await api.status()),
          join: () => (person === "provider" ? api.start({ checked: true }) : api.join(true)),
          showUnauthorized: () => assert.fail("the token is good"),
          dispatch: ({ type }) => {
            assert.equal(type, "joined");
            returned += 1;
          },
        },
        new AbortController().signal,
      );
      return recovery.run();
    }),
  );
  await pass(5_000);
  await Promise.all(working);
  assert.equal(returned, 2 * CALLS);
  const found = peaks();
  context.diagnostic(`most requests in a second, by route: ${JSON.stringify(Object.fromEntries(found))}`);
  for (const [route, peak] of found) assert.ok(peak <= BURST / 2, `${peak} requests in one second to ${route}`);
});
