// The announcements that a screen reader makes by itself when something changes outside the focus.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Person } from "../src/answers.ts";
import { announcement, appMessage, button, screen } from "./fixtures/browser.ts";
import { type Call, CallFixture } from "./fixtures/call-fixture.ts";
import type { Role } from "./fixtures/cloud.ts";
import { RECORDER, withRecorder } from "./fixtures/recording-api.ts";
import type { Participant } from "./fixtures/scripted-media.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const attendeeOf = async ({ ask, users }: Call, role: Role): Promise<Participant> => {
  const { body } = await ask("provider", "GET", "/attendees");
  return {
    attendeeId: body.attendees.find(({ userId }: Person) => userId === users[role].id).attendeeId,
    externalUserId: users[role].id,
  };
};

test("the page announces that the connection is lost and restored, also while a dialog is open", async () => {
  await calls.withAppointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    await announcement(page, "You are connected.", { urgent: true });
    await media.dropConnections();
    await announcement(page, "The connection was lost. Reconnecting…", { urgent: true });
    await appMessage(page, "MEETING_RECONNECTED");
    await announcement(page, "You are connected again.", { urgent: true });
    await button(page, "Leave").click();
    await page.getByRole("dialog", { name: "Leave the consultation?" }).waitFor();
    await media.dropConnections();
    await page.waitForFunction(
      () =>
        window.announcements.filter(({ text, urgent }) => urgent && text === "You are connected again.").length === 2,
    );
    assert.equal(await announcement(page, "The connection was lost. Reconnecting…", { urgent: true }), 2);
    await page.keyboard.press("Escape");
    await button(page, "Microphone: turn off").click();
    await announcement(page, "Your microphone is off.");
  });
});

test("the page announces that recording and transcript run, and that they have stopped", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    proxy.settings.respond = withRecorder;
    const page = await inCall("provider");
    media.addParticipant(RECORDER);
    await announcement(page, "This consultation is being recorded.");
    media.transcription("STARTED");
    await announcement(page, "What is said is being written down.");
    media.removeParticipant(RECORDER.attendeeId);
    await announcement(page, "The recording has stopped.");
    media.transcription("STOPPED");
    await announcement(page, "The transcript has stopped.");
  });
});

test("the page announces by name, and once each, who has joined and who has left", async () => {
  await calls.withAppointment(async (call) => {
    const { inCall, media } = call;
    const provider = await inCall("provider");
    await inCall("patient");
    const patient = await attendeeOf(call, "patient");
    media.addParticipant(patient);
    await announcement(provider, "Patient has joined.");
    // Another connection reports those again who were there before.
    media.reportMeetingEnded();
    await appMessage(provider, "MEETING_RECONNECTED");
    await provider.locator(`.tile[data-attendee="${patient.attendeeId}"]`).waitFor();
    media.removeParticipant(patient.attendeeId);
    await announcement(provider, "Patient has left.");
    const said = await provider.evaluate(() =>
      window.announcements.map(({ text }) => text ?? "").filter((text) => / has (joined|left)\.$/.test(text)),
    );
    assert.deepEqual(said, ["Patient has joined.", "Patient has left."]);
  });
});

test("the page announces to the provider that somebody waits, and to the patient that they were admitted", async () => {
  await calls.withAppointment(
    async ({ inCall, person, enter }) => {
      const provider = await inCall("provider");
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      await announcement(provider, "Somebody is waiting to be let in.", { urgent: true });
      await provider.bringToFront();
      await provider.locator('[data-notice="waiting"]').getByRole("button", { name: "Let in" }).click();
      await announcement(provider, "Let in.");
      await announcement(patient, "You have been let in.", { urgent: true });
      await appMessage(patient, "MEETING_JOINED");
    },
    { waitingRoom: true },
  );
});

test("the page announces to a patient that the provider has muted them, and that they may speak again", async () => {
  await calls.withAppointment(async (call) => {
    const { inCall, ask } = call;
    await inCall("provider");
    const patient = await inCall("patient");
    const { externalUserId } = await attendeeOf(call, "patient");
    await ask("provider", "PATCH", `/attendees/${externalUserId}`, { capabilities: { audio: "Receive" } });
    await announcement(patient, "Microphone: turned off by your care provider", { urgent: true });
    await ask("provider", "PATCH", `/attendees/${externalUserId}`, { capabilities: { audio: "SendReceive" } });
    await announcement(patient, "You may turn on your microphone again.", { urgent: true });
  });
});
