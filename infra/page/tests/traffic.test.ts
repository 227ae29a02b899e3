// How often the page asks the server, and how it learns of changes in between.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { pollInterval } from "../src/consultation/poll.ts";
import { appMessage, button, eventually, screen } from "./fixtures/browser.ts";
import { both, CallFixture } from "./fixtures/call-fixture.ts";
import { isStatus } from "./fixtures/cdn-proxy.ts";

/** The requests that a call of two people may make in 15 minutes, from the first page to the end. */
const MAX_REQUESTS: number = JSON.parse(await readFile(new URL("../budget.json", import.meta.url), "utf8")).call
  .requests;
const CALL_MS = 15 * 60_000;
/** The server takes one who waits and has not asked for this long for gone. */
const HEARTBEAT_MS = 90_000;

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

test("a call of two people of 15 minutes makes at most 150 requests", async (context) => {
  await calls.withAppointment(
    async (call) => {
      const { inCall, person, enter, media, users, ask, proxy } = call;
      // Before anything is opened: the SDK's timers are on the page's clock too. It ticks by itself until the steps below.
      await call.context.clock.install();
      const provider = await inCall("provider");
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      await provider.bringToFront();
      await provider.locator('[data-notice="waiting"]').getByRole("button", { name: "Let in" }).click();
      await appMessage(patient, "MEETING_JOINED");
      // The connection reports each to the other one.
      const { body } = await ask("provider", "GET", "/attendees");
      for (const role of ["provider", "patient"] as const) {
        const { attendeeId } = body.attendees.find(({ userId }: { userId: string }) => userId === users[role].id);
        media.addParticipant({ attendeeId, externalUserId: users[role].id, video: false });
      }
      const pages = [provider, patient];
      // In steps in which the page's own timers fire in turn, and the SDK's exchange with the service keeps up.
      for (let passed = 0; passed < CALL_MS; passed += 2_000) await call.context.clock.runFor(2_000);
      for (const page of pages) assert.equal(await page.evaluate(() => document.body.dataset["screen"]), "call");
      await provider.bringToFront();
      await button(provider, "Leave").click();
      await button(provider, "End for everyone").click();
      for (const page of pages) await endReached(page);

      const counts = new Map<string, number>();
      for (const { method, path } of proxy.requests) {
        const name = `${method} ${path.replace(/^.*\/call/, "/call").replace(/[0-9a-f-]{36}/, "{userId}")}`;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      const total = proxy.requests.length;
      context.diagnostic(`${total} requests: ${JSON.stringify(Object.fromEntries(counts))}`);
      assert.ok(total <= MAX_REQUESTS, `${total} requests: ${JSON.stringify(Object.fromEntries(counts))}`);
      // It is a call in which all was asked that has to be asked.
      for (const name of ["GET /call", "GET /call/attendees", "POST /call/quality", "DELETE /call"])
        assert.ok((counts.get(name) ?? 0) > 0, name);
      assert.ok((counts.get("GET /call") ?? 0) >= 2 * (CALL_MS / 30_000), "each asks at least every 30 seconds");
      const samples = proxy.requests
        .filter(({ path }) => path.endsWith("/quality"))
        .reduce((sum, { body }) => sum + body.samples.length, 0);
      assert.ok(samples >= 2 * 80, `${samples} samples, one each ten seconds, are sent together`);
    },
    { waitingRoom: true },
  );
});

/** The page waits by its own clock. */
const endReached = (page: Page) =>
  eventually(async () => {
    await page.clock.runFor(1_000);
    return (await page.evaluate(() => document.body.dataset["screen"])) === "ended";
  }, "the call has ended");

test("what the provider does reaches the other page at once, by a message over the connection", async () => {
  await calls.withAppointment(async (call) => {
    const { provider, patient, other } = await both(call);
    const { media, proxy } = call;
    await button(provider, "People").click();
    await patient.clock.install();
    await patient.clock.pauseAt(await patient.evaluate(() => Date.now() + 60_000));
    const asked = proxy.requests.filter(isStatus).length;
    await provider.bringToFront();
    await provider.locator(".person", { hasText: "Patient" }).getByRole("button", { name: /^Mute/ }).click();
    await eventually(() => media.messages.some(({ topic }) => topic === "medzen-refresh"), "the message is sent");
    // Far less than the interval passes.
    await patient.clock.runFor(3_000);
    await patient.locator('button:disabled[aria-label="Microphone: turned off by your care provider"]').waitFor();
    assert.ok(proxy.requests.filter(isStatus).length > asked, other.attendeeId);
  });
});

test("a participant who sends many messages makes the other page ask at most every two seconds", async () => {
  await calls.withAppointment(async (call) => {
    const { patient } = await both(call);
    const { media, proxy, users } = call;
    await patient.clock.install();
    await patient.clock.runFor(5_000);
    const asked = () =>
      proxy.requests.filter(
        (request) => isStatus(request) && request.headers.authorization === `Bearer ${users.patient.token}`,
      ).length;
    const before = asked();
    for (let second = 0; second < 20; second += 1) {
      for (let message = 0; message < 10; message += 1) media.requestRefresh();
      await patient.clock.runFor(1_000);
    }
    await eventually(() => asked() > before, "it asks");
    assert.ok(asked() - before <= 11, `${asked() - before} requests in 20 seconds`);
  });
});

test("a person who waits asks well within the time after which the server takes them for gone", () => {
  for (let waited = 0; waited < 24 * 3_600_000; waited += 10_000) {
    const interval = pollInterval(waited);
    assert.ok(interval >= 5_000 && interval <= HEARTBEAT_MS / 4, `${interval} ms after ${waited} ms`);
  }
});
