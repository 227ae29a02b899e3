// A recording with real media: the provider's page starts it, Chime's recorder joins the call, and both pages say so while it does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { appEvents, button, eventually, screen } from "./fixtures/browser.ts";
import { LiveCalls } from "./fixtures/live-call.ts";
import { seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

const sign = (page: Page) => page.locator(".recording-sign");

test("a call of two people is recorded as long as the signs say so, and its recording is played after the call", async () => {
  await calls.withAppointment(async ({ join, ask, attendee }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const pages = [provider, patient];
    const [providerId, patientId] = [await attendee("provider"), await attendee("patient")];
    await eventually(async () => (await seen(provider, patientId)) === "patient", "the provider sees the patient");
    await eventually(async () => (await seen(patient, providerId)) === "provider", "the patient sees the provider");

    await provider.bringToFront();
    await button(provider, "Recording").click();
    await button(provider, "Start recording").click();
    await provider.locator('[data-notice="recording"]', { hasText: /Provider.*Patient|Patient.*Provider/ }).waitFor();
    for (const page of pages) assert.ok(await sign(page).isHidden(), "without consent nothing is recorded");
    for (const role of ["provider", "patient"] as const)
      assert.equal((await ask(role, "PUT", "/consent", { recording: true })).status, 200);

    await button(provider, "Start recording").click();
    for (const page of pages) {
      await sign(page).getByText("Recording", { exact: true }).waitFor();
      assert.equal(await page.locator(".tile").count(), 2, "the recorder is no participant");
    }
    await provider.locator("[data-recording]", { hasText: "This consultation is being recorded." }).waitFor();
    assert.equal((await ask("patient", "GET", "")).body.recording.state, "active", "the status confirms it");

    await button(provider, "Stop recording").click();
    for (const page of pages) {
      await sign(page).waitFor({ state: "hidden" });
      const events = (await appEvents(page)).filter((event) => event.startsWith("RECORDING"));
      assert.deepEqual(events, ["RECORDING_STARTED", "RECORDING_STOPPED"]);
    }
    await provider.locator("[data-recording]", { hasText: "The recording has stopped." }).waitFor();

    await button(provider, "Leave").click();
    await button(provider, "End for everyone").click();
    await button(provider, "Recordings of this appointment").click();
    await screen(provider, "recordings");
    await button(provider.locator("article"), "Play").click();
    // Under the policy of the page, with the links of the API.
    await eventually(
      () =>
        provider.locator("video").evaluate((video: HTMLVideoElement) => video.currentTime > 0 && video.videoWidth > 0),
      "the recording is played",
    );
    await provider.locator(".player > p", { hasText: "The recording is over." }).waitFor();
  });
});
