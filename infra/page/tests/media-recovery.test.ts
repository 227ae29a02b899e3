// Connections that are lost in a call: the page comes back by itself, as the same attendee, who has dropped and not left.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { appEvents, eventually, times } from "./fixtures/browser.ts";
import { type LiveCall, LiveCalls, namesOf } from "./fixtures/live-call.ts";
import { counters } from "./fixtures/sending.ts";
import { heard, seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  // The media server that is stopped here is that of no other test.
  calls = await LiveCalls.open({ ownCloud: "media_recovery" });
});
after(() => calls.close());

interface TwoPeople {
  provider: Page;
  patient: Page;
  ids: { provider: string; patient: string };
}

/** Both see and hear each other, and there is one tile of each. */
async function together({ provider, patient, ids }: TwoPeople, when: string): Promise<void> {
  await eventually(async () => (await seen(provider, ids.patient)) === "patient", `the provider sees ${when}`);
  await eventually(async () => (await seen(patient, ids.provider)) === "provider", `the patient sees ${when}`);
  await eventually(async () => (await heard(provider)).includes("patient"), `the provider hears ${when}`);
  await eventually(async () => (await heard(patient)).includes("provider"), `the patient hears ${when}`);
  for (const page of [provider, patient]) assert.equal(await page.locator(".tile").count(), 2, `one tile each ${when}`);
}

async function joined({ join, attendee }: LiveCall): Promise<TwoPeople> {
  const provider = await join("provider");
  const patient = await join("patient");
  const people = {
    provider,
    patient,
    ids: { provider: await attendee("provider"), patient: await attendee("patient") },
  };
  await together(people, "before");
  return people;
}

/** Waits until this page has come back, and checks that the engine has published a drop and a second join, and no leave. */
async function cameBack({ attendee, events, ask }: LiveCall, people: TwoPeople, ...roles: ("provider" | "patient")[]) {
  for (const role of roles)
    await eventually(async () => (await times(people[role], "MEETING_RECONNECTED")) >= 1, `the ${role} is back`);
  await together(people, "after");
  for (const role of roles) {
    const id = people.ids[role];
    assert.equal(await attendee(role), id, "the attendee is the same");
    await people[role].locator('[data-notice="line"]').waitFor({ state: "hidden" });
    assert.deepEqual(
      (await appEvents(people[role])).filter((event) => /ENDED|LEFT|ERROR/.test(event)),
      [],
    );
    assert.equal((await ask(role, "GET", "")).body.callStatus, "active");
    const count = (names: string[], name: string) => names.filter((one) => one === name).length;
    const names = await eventually(async () => {
      const names = namesOf(await events(), id);
      const back = count(names, "Joined") === count(names, "Dropped") + 1 && names.includes("Dropped");
      return back && count(names, "VideoStarted") === count(names, "VideoStopped") + 1 && names;
    }, `the engine publishes that the ${role} has dropped and joined again`);
    assert.ok(!names.includes("Left"), names.join());
  }
}

for (const [how, code] of [
  ["ends without a close frame", undefined],
  ["is closed with the code 4500", 4500],
] as const) {
  test(`a participant whose signalling socket ${how} comes back`, async () => {
    await calls.withAppointment(async (call) => {
      const people = await joined(call);
      await call.control("media/cut", { attendeeId: people.ids.patient, ...(code ? { code } : {}) });
      await cameBack(call, people, "patient");
      assert.equal(await times(people.provider, "MEETING_RECONNECTING"), 0, "the other one stays connected");
      assert.deepEqual(namesOf(await call.events(), people.ids.provider).sort(), ["Joined", "VideoStarted"]);
    });
  });
}

test("both participants come back after the media server has stopped and started again", async () => {
  await calls.withAppointment(async (call) => {
    const people = await joined(call);
    await call.control("media/stop");
    for (const role of ["provider", "patient"] as const)
      await eventually(async () => (await times(people[role], "MEETING_RECONNECTING")) >= 1, `the ${role} notices`);
    await call.control("media/start");
    await cameBack(call, people, "provider", "patient");
  });
});

test("a participant whose datagrams are all lost comes back once they arrive again", async () => {
  await calls.withAppointment(async (call) => {
    const people = await joined(call);
    const link = { attendeeId: people.ids.patient, lossPercent: 100, delayMs: 0 };
    await call.control("media/link", link);
    try {
      await eventually(async () => (await times(people.patient, "MEETING_RECONNECTING")) >= 1, "the patient notices");
    } finally {
      await call.control("media/link", undefined, "DELETE");
    }
    await cameBack(call, people, "patient");
    assert.equal(await times(people.provider, "MEETING_RECONNECTING"), 0, "the other one stays connected");
  });
});

test("a call goes on over a link that loses a tenth of its datagrams and is slow", async () => {
  await calls.withAppointment(async (call) => {
    await call.control("media/link", { lossPercent: 10, delayMs: 100 });
    try {
      const people = await joined(call);
      for (const page of [people.provider, people.patient]) {
        const { framesDecoded } = await counters(page);
        await eventually(async () => (await counters(page)).framesDecoded >= framesDecoded + 100, "pictures go on");
      }
      await together(people, "after a while");
      for (const page of [people.provider, people.patient])
        assert.equal(await times(page, "MEETING_RECONNECTING"), 0, "nobody is disconnected");
    } finally {
      await call.control("media/link", undefined, "DELETE");
    }
  });
});
