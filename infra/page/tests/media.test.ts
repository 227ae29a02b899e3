// Real calls: the page, the functions, the policy and the addresses as in production, through the local media plane.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./fixtures/browser.ts";
import { LiveCalls } from "./fixtures/live-call.ts";
import { heard, seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

test("two participants see and hear each other, and nobody hears themself", async () => {
  await calls.withAppointment(async ({ join, attendee }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const [providerId, patientId] = [await attendee("provider"), await attendee("patient")];
    await eventually(async () => (await seen(provider, patientId)) === "patient", "the provider sees the patient");
    await eventually(async () => (await seen(patient, providerId)) === "provider", "the patient sees the provider");
    await eventually(async () => (await heard(provider)).includes("patient"), "the provider hears the patient");
    await eventually(async () => (await heard(patient)).includes("provider"), "the patient hears the provider");
    assert.deepEqual(await heard(provider), ["patient"]);
    assert.deepEqual(await heard(patient), ["provider"]);
  });
});
