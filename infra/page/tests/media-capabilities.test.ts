// What the server allows an attendee to send holds whatever the attendee's client does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { button, eventually } from "./fixtures/browser.ts";
import { type LiveCall, LiveCalls, namesOf } from "./fixtures/live-call.ts";
import { counters, whileSending } from "./fixtures/sending.ts";
import { filterSignals } from "./fixtures/signal-filter.ts";
import { heard, hearsOnly, seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

const ALL = { Audio: "SendReceive", Video: "SendReceive", Content: "SendReceive" };
/** `VideoCallSwitchToViewOnly`, by which the server tells a client that its camera is not received. */
const VIEW_ONLY = 206;

/** A client that takes itself for allowed to send everything: neither the API nor the media server can tell it otherwise. */
async function disobedient(page: Page): Promise<void> {
  await page.route(/\/call(\/attendees)?$/, async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    if (body.me) body.me.capabilities = ALL;
    if (body.attendee?.Capabilities) body.attendee.Capabilities = ALL;
    await route.fulfill({ response: answer, json: body });
  });
  await filterSignals(page, { fromServer: (frame) => (frame.error?.status === VIEW_ONLY ? null : frame) });
}

/** Checks, while the client sends sound and pictures, that neither reaches the provider. */
async function reachesNobody(sender: Page, receiver: Page, id: string, name: "guest" | "patient"): Promise<void> {
  await whileSending(
    sender,
    async () => {
      assert.ok(!(await heard(receiver)).includes(name), "the tone is not heard");
      assert.equal(await seen(receiver, id), null, "the picture is not seen");
    },
    { frames: 10 },
  );
}

async function reaches(receiver: Page, id: string, name: "guest" | "patient"): Promise<void> {
  await eventually(async () => (await seen(receiver, id)) === name, `the ${name} is seen`);
  await eventually(async () => (await heard(receiver)).includes(name), `the ${name} is heard`);
}

const allow = async ({ ask, users }: LiveCall, capability: "Receive" | "SendReceive") => {
  const capabilities = { audio: capability, video: capability, content: "Receive" };
  const { status, body } = await ask("provider", "PATCH", `/attendees/${users.patient.id}`, { capabilities });
  assert.equal(status, 200, JSON.stringify(body));
};

test("media of one who may no longer send reaches nobody at once, although their client keeps sending", async () => {
  await calls.withAppointment(async (call) => {
    const { join, attendee } = call;
    const provider = await join("provider");
    const patient = await join("patient", "patient", disobedient);
    const id = await attendee("patient");
    await reaches(provider, id, "patient");
    await allow(call, "Receive");
    await eventually(async () => (await seen(provider, id)) === null, "the picture is gone");
    await eventually(() => hearsOnly(provider), "the sound is gone");
    await reachesNobody(patient, provider, id, "patient");
    await eventually(() => hearsOnly(patient, "provider"), "the patient still hears the provider");
    assert.equal(await provider.locator(`.tile[data-attendee="${id}"]`).count(), 1, "the patient is in the call");

    await allow(call, "SendReceive");
    await eventually(async () => (await heard(provider)).includes("patient"), "the patient is heard again");
    // The server has ended the stream of the camera: the client starts another one.
    await button(patient, "Camera: turn off").click();
    await button(patient, "Camera: turn on").click();
    await reaches(provider, id, "patient");

    await allow(call, "Receive");
    await eventually(async () => (await seen(provider, id)) === null, "the picture is gone again");
    await eventually(() => hearsOnly(provider), "the sound is gone again");
    await reachesNobody(patient, provider, id, "patient");
  });
});

test("an observer who only watches is neither seen nor heard, although their client sends, and sees and hears the others", async () => {
  await calls.withAppointment(async ({ join, invite, attendee }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    await invite({ observerKind: "student" });
    const student = await join("stranger", "guest", disobedient);
    const ids = { provider: await attendee("provider"), student: await attendee("stranger") };
    await eventually(() => hearsOnly(student, "provider", "patient"), "the student hears both");
    await eventually(async () => (await seen(student, ids.provider)) === "provider", "the student sees the provider");
    await eventually(async () => (await counters(student)).microphone > 0.05, "the client sends sound");
    await eventually(async () => (await counters(student)).framesSent > 0, "the client sends pictures");
    for (const page of [provider, patient]) {
      await page.locator(`.tile[data-attendee="${ids.student}"]`).waitFor();
      await reachesNobody(student, page, ids.student, "guest");
    }
  });
});

test("the screen of one who may no longer share it is gone at once, and a new share of it reaches nobody", async () => {
  await calls.withAppointment(async (call) => {
    const { join, attendee, ask, users, events } = call;
    const provider = await join("provider");
    const patient = await join("patient", "patient", disobedient);
    const content = `${await attendee("patient")}#content`;
    const share = async () => {
      await patient.bringToFront();
      await button(patient, "Screen: share").click();
    };
    await share();
    await eventually(async () => (await seen(provider, content)) === "screen", "the screen is seen");
    await eventually(async () => (await heard(provider)).includes("screen"), "the screen is heard");
    const { status } = await ask("provider", "PATCH", `/attendees/${users.patient.id}`, {
      capabilities: { content: "Receive" },
    });
    assert.equal(status, 200);
    await provider.locator(".tile.content").waitFor({ state: "detached" });
    await eventually(() => hearsOnly(provider, "patient"), "the screen is not heard any more");
    await eventually(
      async () => namesOf(await events(), content).includes("ContentDropped"),
      "the engine publishes that the share has dropped",
    );
    await button(patient, "Screen: share").waitFor();

    await share();
    await button(patient, "Screen: stop sharing").waitFor();
    await whileSending(
      patient,
      async () => {
        assert.ok(!(await heard(provider)).includes("screen"), "the sound of the screen is not heard");
        assert.equal(await provider.locator(".tile.content.seen").count(), 0);
      },
      { of: "screen", frames: 10 },
    );
  });
});
