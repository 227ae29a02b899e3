// Who sees and hears whom in a call, also when somebody joins later.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./fixtures/browser.ts";
import { LiveCalls } from "./fixtures/live-call.ts";
import { counters } from "./fixtures/sending.ts";
import { heard, hearsOnly, type SignatureName, seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

test("a third person who joins a running call sees and hears both others, and both see and hear them", async () => {
  await calls.withAppointment(async ({ join, invite, attendee }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    // The first frames, which can be decoded without others, are long gone.
    await eventually(async () => (await counters(provider)).framesDecoded > 30, "the pictures have run for a while");
    await invite();
    const guest = await join("stranger");
    const pages = { provider, patient, guest };
    const names = Object.keys(pages) as (keyof typeof pages)[];
    const ids: Record<keyof typeof pages, string> = {
      provider: await attendee("provider"),
      patient: await attendee("patient"),
      guest: await attendee("stranger"),
    };
    for (const name of names) {
      const others: SignatureName[] = names.filter((other) => other !== name);
      for (const other of others as typeof names)
        await eventually(async () => (await seen(pages[name], ids[other])) === other, `${name} sees ${other}`);
      await eventually(() => hearsOnly(pages[name], ...others), `${name} hears the others and not themself`);
      assert.equal(await pages[name].locator(".tile").count(), 3, `${name} has one tile of each`);
    }
  });
});

test("a person who leaves is neither seen nor heard any more, and can come back", async () => {
  await calls.withAppointment(async ({ join, attendee, enter }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const patientId = await attendee("patient");
    await eventually(async () => (await seen(provider, patientId)) === "patient", "the provider sees the patient");
    await eventually(async () => (await heard(provider)).includes("patient"), "the provider hears the patient");
    await patient.getByRole("button", { name: "Leave" }).click();
    await provider.locator(`.tile[data-attendee="${patientId}"]`).waitFor({ state: "detached" });
    await eventually(async () => (await heard(provider)).length === 0, "the patient is not heard any more");
    await patient.getByRole("button", { name: "Come back" }).click();
    await enter(patient);
    const again = () => attendee("patient");
    await eventually(async () => (await seen(provider, await again())) === "patient", "the patient is seen again");
    await eventually(async () => (await heard(provider)).includes("patient"), "the patient is heard again");
    assert.equal(await provider.locator(".tile:not(.self)").count(), 1);
  });
});
