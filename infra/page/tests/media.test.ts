// Real calls: the page, the functions, the policy and the addresses as in production, through the local media plane.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { button, eventually } from "./fixtures/browser.ts";
import { LiveCalls } from "./fixtures/live-call.ts";
import { heard, hearsOnly, seen } from "./fixtures/signature.ts";

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
    await eventually(() => hearsOnly(provider, "patient"), "the provider hears the patient and not themself");
    await eventually(() => hearsOnly(patient, "provider"), "the patient hears the provider and not themself");
    await provider.locator(`.tile[data-attendee="${patientId}"] .name`, { hasText: "Patient" }).waitFor();
    await patient.getByRole("heading", { name: "Provider" }).waitFor();
    await button(provider, "People").click();
    await provider.getByRole("heading", { name: "People" }).waitFor();
    await provider.locator(".person", { hasText: "Patient" }).getByText("Patient", { exact: true }).first().waitFor();

    await patient.evaluate(() => {
      for (const audio of document.querySelectorAll("audio")) audio.volume = 0;
    });
    assert.deepEqual(await heard(patient), [], "sound that is received and not played is not heard");
  });
});
