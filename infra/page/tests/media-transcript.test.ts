// A transcript with real media: the provider's page starts it, both read captions, and after the call the provider reads who said what
// and downloads it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { button, eventually, screen } from "./fixtures/browser.ts";
import { LiveCalls, meetingOf } from "./fixtures/live-call.ts";

let calls: LiveCalls;
// Of its own, because its clock is moved.
before(async () => {
  calls = await LiveCalls.open({ ownCloud: "media_transcript" });
});
after(() => calls.close());

test("two people with captions have a transcript with both after the call, which is downloaded as VTT", async () => {
  await calls.withAppointment(async ({ join, ask, attendee, control, cloud, appointmentId, users, context }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
    for (const role of ["provider", "patient"] as const)
      assert.equal((await ask(role, "PUT", "/consent", { transcription: true })).status, 200);
    await provider.bringToFront();
    await button(provider, "Recording").click();
    await button(provider, "Start transcript").click();
    for (const page of [provider, patient]) await page.locator(".transcription-sign").getByText("Transcript").waitFor();
    assert.equal(await provider.locator(".tile").count(), 2, "the capture of the speech is no participant");

    for (const page of [provider, patient]) await button(page, "Captions: show").click();
    const meeting = await meetingOf(control, ids.patient);
    const said = { provider: "Since when does it hurt?", patient: "Since Monday, <here> & there." };
    const words = (role: "provider" | "patient", afterMs: number) => ({
      ...{ attendeeId: ids[role], resultId: role, text: said[role], afterMs },
    });
    await control(`chime/meetings/${meeting}/captions`, [words("provider", 100), words("patient", 900)]);
    for (const page of [provider, patient])
      for (const text of Object.values(said)) await page.locator(".captions").getByText(text).waitFor();

    await button(provider, "Leave").click();
    await button(provider, "End for everyone").click();
    await screen(provider, "ended");
    const headers = { authorization: `Bearer ${users.provider.token}` };
    await eventually(async () => {
      // The time that Chime takes for the files, and the schedule's, by the clock of the cloud.
      await control("clock", { advanceSeconds: 5 });
      return (await fetch(`${cloud.api}/appointments/${appointmentId}/transcript`, { headers })).ok;
    }, "the transcript is ready");
    await button(provider, "Transcript").click();
    await screen(provider, "transcripts");
    await provider.locator("[data-segment]").first().waitFor();
    const lines = (await provider.locator("[data-segment]").allInnerTexts()).map((text) => text.split(/\s*\n+\s*/));
    assert.deepEqual(
      lines.map(([speaker, , text]) => [speaker, text]),
      [
        ["Care provider", said.provider],
        ["Patient", said.patient],
      ],
    );

    const [download] = await Promise.all([
      provider.waitForEvent("download"),
      button(provider, "Download as a file (VTT)").click(),
    ]);
    const file = await readFile(await download.path(), "utf8");
    assert.ok(file.startsWith("WEBVTT\n"), file);
    // A browser's own parser reads it, in a page without a policy.
    const cues = await (await context.newPage()).evaluate(async (text) => {
      const video = document.createElement("video");
      const track = document.createElement("track");
      track.src = URL.createObjectURL(new Blob([text], { type: "text/vtt" }));
      track.default = true;
      const loaded = new Promise((resolve, reject) => {
        track.onload = resolve;
        track.onerror = () => reject(new Error("no subtitles"));
      });
      video.append(track);
      document.body.append(video);
      track.track.mode = "hidden";
      await loaded;
      return [...(track.track.cues ?? [])].map((cue) => {
        const html = (cue as VTTCue).getCueAsHTML();
        return [html.querySelector("span")?.title ?? "", html.textContent ?? "", cue.startTime < cue.endTime] as const;
      });
    }, file);
    const spoken = cues.filter(([speaker]) => speaker);
    assert.deepEqual(spoken, [
      ["provider", said.provider, true],
      ["patient", said.patient, true],
    ]);
  });
});
