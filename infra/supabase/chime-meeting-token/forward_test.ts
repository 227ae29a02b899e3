// `make test-supabase`: in Deno, as Supabase runs the function, against an API that repeats what it receives.

import assert from "node:assert/strict";
import { forward, settings } from "./forward.ts";

const CONFIG = settings((name) =>
  ({ CHIME_API_ENDPOINT: "https://api.example.com/", CHIME_ALLOWED_ORIGINS: "https://app.example.com" })[name]
);
const ADDRESS = "https://project.example/functions/v1/chime-meeting-token";
const START = JSON.stringify({ action: "create", appointmentId: "00000000-0000-4000-8000-0000000000a1" });

/** An API that answers this, and what it was sent. */
function api(answer: () => Response | Promise<Response>) {
  const sent: Request[] = [];
  const send = (input: string | URL | Request, init?: RequestInit) => {
    sent.push(new Request(input, init));
    return Promise.resolve(answer());
  };
  return { sent, send: send as typeof fetch };
}

function post(body: string, headers: Record<string, string> = {}) {
  const given = { authorization: "Bearer supabase-key", apikey: "supabase-key", "x-firebase-token": "token" };
  return new Request(ADDRESS, { method: "POST", body, headers: { ...given, ...headers } });
}

Deno.test("the body and the Firebase token reach the API, and Supabase's key does not", async () => {
  const { sent, send } = api(() => Response.json({ meeting: { MeetingId: "m" }, attendee: { JoinToken: "j" } }));
  const answer = await forward(post(START, { "user-agent": "an app" }), CONFIG, send);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { meeting: { MeetingId: "m" }, attendee: { JoinToken: "j" } });
  assert.equal(sent.length, 1);
  const [request] = sent;
  assert.ok(request);
  assert.deepEqual([request.method, request.url], ["POST", "https://api.example.com/meetings"]);
  assert.equal(await request.text(), START);
  assert.equal(request.headers.get("x-firebase-token"), "token");
  assert.equal(request.headers.get("user-agent"), "an app");
  assert.ok(![...request.headers.values()].some((value) => value.includes("supabase-key")));
});

Deno.test("the token is in the header that the API reads", async () => {
  for (
    const [header, given, expected] of [
      ["Authorization", "token", "Bearer token"],
      ["authorization", "Bearer token", "Bearer token"],
      ["X-Token", "token", "token"],
    ] as const
  ) {
    const { sent, send } = api(() => Response.json({}));
    await forward(post(START, { "x-firebase-token": given }), { ...CONFIG, tokenHeader: header }, send);
    assert.equal(sent[0]?.headers.get(header), expected);
    if (header === "X-Token") assert.equal(sent[0]?.headers.get("authorization"), null);
  }
});

Deno.test("a started call is answered 200 as before, and every other answer as the API gives it", async () => {
  for (
    const [status, expected] of [
      [201, 200],
      [202, 202],
      [403, 403],
      [410, 410],
      [429, 429],
    ] as const
  ) {
    const headers = { "content-type": "application/json", "retry-after": "3", location: "/poll", "set-cookie": "a=b" };
    const { send } = api(() => new Response('{"code": "CODE"}', { status, headers }));
    const answer = await forward(post(START), CONFIG, send);
    assert.equal(answer.status, expected);
    assert.equal(await answer.text(), '{"code": "CODE"}');
    assert.deepEqual([answer.headers.get("retry-after"), answer.headers.get("location")], ["3", "/poll"]);
    assert.equal(answer.headers.get("set-cookie"), null);
  }
});

Deno.test("a request without a token, of another method or too long does not reach the API", async () => {
  const { sent, send } = api(() => Response.json({}));
  const cases: [Request, number, string][] = [
    [post(START, { "x-firebase-token": " " }), 401, "NO_IDENTITY"],
    [new Request(ADDRESS, { headers: { "x-firebase-token": "token" } }), 405, "METHOD_NOT_ALLOWED"],
    [post("x".repeat(64 * 1024 + 1)), 413, "MALFORMED_REQUEST"],
  ];
  for (const [request, status, code] of cases) {
    const answer = await forward(request, CONFIG, send);
    assert.deepEqual([answer.status, (await answer.json()).code], [status, code]);
  }
  assert.equal(sent.length, 0);
});

Deno.test("an API that does not answer is 503, and nothing of the request is logged", async () => {
  const logged: string[] = [];
  const before = console.error;
  console.error = (...parts: unknown[]) => logged.push(parts.join(" "));
  try {
    const { send } = api(() => Promise.reject(new TypeError("cannot reach https://api.example.com/?token")));
    const answer = await forward(post(START), CONFIG, send);
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
    assert.equal((await answer.json()).code, "UNAVAILABLE");
    assert.deepEqual(logged, ["the API did not answer: TypeError"]);
  } finally {
    console.error = before;
  }
});

Deno.test("listed origins may call it, others not", async () => {
  for (
    const [origin, granted] of [
      ["https://app.example.com", "https://app.example.com"],
      ["https://evil.example", null],
      ["null", null],
    ] as const
  ) {
    const { send } = api(() => Response.json({}));
    const preflight = await forward(new Request(ADDRESS, { method: "OPTIONS", headers: { origin } }), CONFIG, send);
    assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [204, granted]);
    const answer = await forward(post(START, { origin }), CONFIG, send);
    assert.equal(answer.headers.get("access-control-allow-origin"), granted);
  }
});

Deno.test("an endpoint that is no origin is an error that names the secret", () => {
  for (const endpoint of [undefined, "", "calls.example.com", "https://api.example.com/prod"]) {
    assert.throws(
      () => settings((name) => (name === "CHIME_API_ENDPOINT" ? endpoint : undefined)),
      /CHIME_API_ENDPOINT/,
    );
  }
});

Deno.test("the function itself serves, and forwards over HTTP", async () => {
  let received = "";
  const upstream = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    received = await request.text();
    return Response.json({ token: request.headers.get("x-firebase-token") }, { status: 201 });
  });
  const config = settings((
    name,
  ) => (name === "CHIME_API_ENDPOINT" ? `http://127.0.0.1:${upstream.addr.port}` : undefined));
  const served = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => forward(request, config),
  );
  try {
    const headers = { "x-firebase-token": "token" };
    const answer = await fetch(`http://127.0.0.1:${served.addr.port}`, { method: "POST", body: START, headers });
    assert.deepEqual([answer.status, await answer.json(), received], [200, { token: "token" }, START]);
  } finally {
    await served.shutdown();
    await upstream.shutdown();
  }
});
