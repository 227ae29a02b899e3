// Microphone and camera during a call: what the others hear and see of what a person chooses.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { announcement, button, chooseAnother, eventually } from "./fixtures/browser.ts";
import { LiveCalls } from "./fixtures/live-call.ts";
import { counters, whileSending } from "./fixtures/sending.ts";
import { heard, hearsOnly, seen, signChosenDevices } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

/** Chooses another device of this kind than the current one. */
const another = (page: Page, kind: string) => chooseAnother(page.getByLabel(kind, { exact: true }));

/** Waits until a second of the page's silence has been sent. */
async function secondOfSilence(page: Page): Promise<void> {
  const before = await counters(page);
  await eventually(async () => {
    const now = await counters(page);
    assert.equal(now.microphone, 0, "the page sends silence");
    return now.framesSent > before.framesSent + 8;
  }, "a second's pictures are sent");
}

test("a patient whom the provider mutes sends silence until they unmute themselves", async () => {
  await calls.withAppointment(async ({ join, ask, users }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    await eventually(() => hearsOnly(provider, "patient"), "the patient is heard");
    const allow = (audio: string) =>
      ask("provider", "PATCH", `/attendees/${users.patient.id}`, { capabilities: { audio } });
    await allow("Receive");
    await eventually(async () => (await counters(patient)).microphone === 0, "the patient's page sends silence");
    await eventually(() => hearsOnly(provider), "the patient is not heard");
    await allow("SendReceive");
    await announcement(patient, "You may turn on your microphone again.", { urgent: true });
    await secondOfSilence(patient);
    assert.deepEqual(await heard(provider), []);
    await button(patient, "Microphone: turn on").click();
    await eventually(() => hearsOnly(provider, "patient"), "the patient is heard again");
  });
});

test("the others see and hear the camera and the microphone that a person chooses during the call", async () => {
  await calls.withAppointment(async ({ join, attendee }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const id = await attendee("provider");
    await eventually(async () => (await seen(patient, id)) === "provider", "the first camera is seen");
    await eventually(() => hearsOnly(patient, "provider"), "the first microphone is heard");
    await signChosenDevices(provider, "guest");
    await button(provider, "Settings").click();
    await another(provider, "Camera");
    await eventually(async () => (await seen(patient, id)) === "guest", "the other camera is seen");
    await eventually(() => hearsOnly(patient, "provider"), "the microphone is still the first one");
    await another(provider, "Microphone");
    await eventually(() => hearsOnly(patient, "guest"), "the other microphone is heard, and the first one no more");
    await whileSending(provider, async () => assert.ok(!(await heard(patient)).includes("provider")));
    const speaker = await another(provider, "Speaker");
    await provider.waitForFunction((speaker) => document.querySelector("audio")?.sinkId === speaker, speaker);
  });
});

test("a muted person who chooses another microphone stays muted for the others", async () => {
  await calls.withAppointment(async ({ join }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    await eventually(() => hearsOnly(patient, "provider"), "the microphone is heard");
    await signChosenDevices(provider, "guest");
    await button(provider, "Settings").click();
    await button(provider, "Microphone: turn off").click();
    await eventually(() => hearsOnly(patient), "nothing is heard");
    // The browser's level decays, by a quarter for each tenth of a second.
    await eventually(async () => (await counters(provider)).microphone === 0, "the page sends silence");
    const microphone = await another(provider, "Microphone");
    await provider.waitForFunction(
      (id) => window.deviceTracks.some((track) => track.kind === "audio" && track.getSettings().deviceId === id),
      microphone,
    );
    await secondOfSilence(provider);
    assert.deepEqual(await heard(patient), []);
    await button(provider, "Microphone: turn on").click();
    await eventually(() => hearsOnly(patient, "guest"), "the other microphone is heard");
  });
});
