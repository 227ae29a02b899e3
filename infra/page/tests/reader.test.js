// What a screen reader says by itself, of what happens beside the focus.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { heard, screen, told } from "./stage/browser.js";
import { Stage } from "./stage/consultation.js";

let stage;
before(async () => {
  stage = await Stage.open();
});
after(() => stage.close());

const button = (page, name) => page.getByRole("button", { name });
const attendeeOf = async ({ ask, users }, role) => {
  const { body } = await ask("provider", "GET", "/attendees");
  return {
    attendeeId: body.attendees.find(({ userId }) => userId === users[role].id).attendeeId,
    externalUserId: users[role].id,
  };
};

test("that the line is lost and is back is heard, also while a question is open", async () => {
  await stage.appointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    await heard(page, "You are connected.", { urgent: true });
    await media.cuts();
    await heard(page, "The connection was lost. Reconnecting…", { urgent: true });
    await told(page, "MEETING_RECONNECTED");
    await heard(page, "You are connected again.", { urgent: true });
    await button(page, "Leave").click();
    await page.getByRole("dialog", { name: "Leave the consultation?" }).waitFor();
    await media.cuts();
    await page.waitForFunction(
      () => window.spoken.filter(({ words, urgent }) => urgent && words === "You are connected again.").length === 2,
    );
    assert.equal(await heard(page, "The connection was lost. Reconnecting…", { urgent: true }), 2);
    await page.keyboard.press("Escape");
    await button(page, "Microphone: turn off").click();
    await heard(page, "Your microphone is off.");
  });
});

test("that one is recorded and written down is heard, and that it has stopped", async () => {
  await stage.appointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    const recorder = { attendeeId: "recorder-1", externalUserId: "aws:MediaPipeline-7d9f1c5e", video: false };
    media.comes(recorder);
    await heard(page, "This consultation is being recorded.");
    media.transcription("STARTED");
    await heard(page, "What is said is being written down.");
    media.goes(recorder.attendeeId);
    await heard(page, "The recording has stopped.");
    media.transcription("STOPPED");
    await heard(page, "The transcript has stopped.");
  });
});

test("who comes and who goes is heard by name, once each", async () => {
  await stage.appointment(async (world) => {
    const { inCall, media } = world;
    const provider = await inCall("provider");
    await inCall("patient");
    const patient = await attendeeOf(world, "patient");
    media.comes(patient);
    await heard(provider, "Patient has joined.");
    // Another connection tells of those who were there all the time.
    media.saysEnded();
    await told(provider, "MEETING_RECONNECTED");
    await provider.locator(`.tile[data-attendee="${patient.attendeeId}"]`).waitFor();
    media.goes(patient.attendeeId);
    await heard(provider, "Patient has left.");
    const said = await provider.evaluate(() =>
      window.spoken.map(({ words }) => words).filter((words) => / has (joined|left)\.$/.test(words)),
    );
    assert.deepEqual(said, ["Patient has joined.", "Patient has left."]);
  });
});

test("that somebody waits, and that one has been let in, is heard", async () => {
  await stage.appointment(
    async ({ inCall, person, enter }) => {
      const provider = await inCall("provider");
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      await heard(provider, "Somebody is waiting to be let in.", { urgent: true });
      await provider.bringToFront();
      await provider.locator('[data-notice="waiting"]').getByRole("button", { name: "Let in" }).click();
      await heard(provider, "Let in.");
      await heard(patient, "You have been let in.", { urgent: true });
      await told(patient, "MEETING_JOINED");
    },
    { waitingRoom: true },
  );
});

test("whoever is muted by the provider hears so, and that they may speak again", async () => {
  await stage.appointment(async (world) => {
    const { inCall, ask } = world;
    await inCall("provider");
    const patient = await inCall("patient");
    const { externalUserId } = await attendeeOf(world, "patient");
    await ask("provider", "PATCH", `/attendees/${externalUserId}`, { capabilities: { audio: "Receive" } });
    await heard(patient, "Microphone: turned off by your care provider", { urgent: true });
    await ask("provider", "PATCH", `/attendees/${externalUserId}`, { capabilities: { audio: "SendReceive" } });
    await heard(patient, "You may turn on your microphone again.", { urgent: true });
  });
});
