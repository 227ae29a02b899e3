// The engine's events equal what happened, and captions name who spoke.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { button, eventually, times } from "./fixtures/browser.ts";
import { type ChimeEvent, LiveCalls, meetingOf } from "./fixtures/live-call.ts";
import { seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

test("the events of the engine equal what happened in a call", async () => {
  await calls.withAppointment(async ({ join, attendee, control, events }) => {
    /** What each step has to publish, as "person event". */
    const steps: string[][] = [];
    const names = new Map<string, string>();
    const told = ({ attendeeId, name }: ChimeEvent) => {
      const [id = "", content] = attendeeId.split("#");
      return `${names.get(id) ?? id}${content ? "'s screen" : ""} ${name}`;
    };
    /** Waits until as many events are published as all steps so far cause. */
    const step = async (...expected: string[]) => {
      steps.push(expected.sort());
      const total = steps.flat().length;
      await eventually(async () => (await events()).length >= total, `the engine publishes ${expected.join(", ")}`);
    };

    const provider = await join("provider");
    const providerId = await attendee("provider");
    names.set(providerId, "provider");
    await step("provider Joined", "provider VideoStarted");

    const patient = await join("patient");
    const patientId = await attendee("patient");
    names.set(patientId, "patient");
    await step("patient Joined", "patient VideoStarted");

    await provider.bringToFront();
    await button(provider, "Screen: share").click();
    await step("provider's screen ContentJoined", "provider's screen ContentVideoStarted");

    await patient.bringToFront();
    await button(patient, "Camera: turn off").click();
    await step("patient VideoStopped");
    await button(patient, "Camera: turn on").click();
    await step("patient VideoStarted");

    await control("media/cut", { attendeeId: patientId });
    await step("patient VideoStopped", "patient Dropped", "patient Joined", "patient VideoStarted");
    await eventually(async () => (await times(patient, "MEETING_RECONNECTED")) === 1, "the patient is back");
    await eventually(async () => (await seen(provider, patientId)) === "patient", "the patient is seen again");

    await provider.bringToFront();
    await button(provider, "Screen: stop sharing").click();
    await step("provider's screen ContentLeft", "provider's screen ContentVideoStopped");

    await button(patient, "Leave").click();
    await step("patient Left", "patient VideoStopped");

    // Events come up to 3 seconds late: after these, one too many would have come.
    await control("clock", { advanceSeconds: 4 });
    // By the time at which they happened, whatever the order in which they came.
    const happened = (await events()).map(told);
    const inSteps = steps.map(({ length }) => happened.splice(0, length).sort());
    assert.deepEqual(inSteps, steps);
    assert.deepEqual(happened, []);
  });
});

test("captions name the speaker, and the final words replace the partial ones", async () => {
  await calls.withAppointment(async ({ join, attendee, control, users }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
    const meeting = await meetingOf(control, ids.patient);
    const say = (...script: object[]) => control(`chime/meetings/${meeting}/captions`, script);
    const pages = [provider, patient];
    await say({ state: "started" });
    for (const page of pages) {
      await button(page, "Captions: show").click();
      await page.getByRole("log", { name: "Captions" }).getByText("Captions appear here").waitFor();
    }

    const words = { attendeeId: ids.patient, resultId: "first" };
    await say({ ...words, text: "My head", partial: true });
    const lines = (page: (typeof pages)[number]) =>
      page
        .locator(".captions p")
        .evaluateAll((lines) =>
          lines.map((line) => [
            line.getAttribute("data-user"),
            line.querySelector(".speaker")?.textContent,
            line.lastElementChild?.textContent?.trim(),
          ]),
        );
    for (const page of pages) {
      await page.locator(".captions").getByText("My head").waitFor();
      assert.deepEqual(await lines(page), [[users.patient.id, "Patient", "My head"]]);
    }
    await say(
      { ...words, text: "My head hurts.", afterMs: 100 },
      { attendeeId: ids.provider, resultId: "second", text: "Since when?", afterMs: 200 },
    );
    for (const page of pages) {
      await page.locator(".captions").getByText("Since when?").waitFor();
      assert.deepEqual(await lines(page), [
        [users.patient.id, "Patient", "My head hurts."],
        [users.provider.id, "Provider", "Since when?"],
      ]);
      await button(page, "Captions: hide").click();
      await page.locator(".captions").waitFor({ state: "hidden" });
    }
  });
});
