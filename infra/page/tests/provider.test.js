// What the provider does and what the others see of it: waiting room, people, consent, indicators, captions, quality.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, screen, told } from "./stage/browser.js";
import { Stage } from "./stage/consultation.js";

let stage;
before(async () => {
  stage = await Stage.open();
});
after(() => stage.close());

const button = (page, name) => page.getByRole("button", { name });
const all = { audio: "SendReceive", video: "SendReceive", content: "SendReceive" };

/** Provider and patient in the call; the provider's page knows the patient's attendee. */
async function both({ inCall, ask, media, users }) {
  const provider = await inCall("provider");
  const patient = await inCall("patient");
  const { body } = await ask("provider", "GET", "/attendees");
  const { attendeeId } = body.attendees.find(({ userId }) => userId === users.patient.id);
  const other = { attendeeId, externalUserId: users.patient.id };
  media.comes(other);
  await provider.locator(`.tile[data-attendee="${attendeeId}"] .name`, { hasText: "Patient" }).waitFor();
  return { provider, patient, other };
}

test("a patient waits to be let in; the provider sees who, lets them in, and they are in", async () => {
  await stage.appointment(async ({ inCall, person, enter, contract, users }) => {
    contract.waitingRoom = true;
    const provider = await inCall("provider");
    const patient = await person("patient");
    await enter(patient);
    await screen(patient, "waiting");
    assert.equal((await told(patient, "MEETING_WAITING")).data.sessionId, "00000000-0000-4000-8000-00000000000f");
    contract.waiting = [{ userId: users.patient.id, displayName: "Patient", role: "patient", since: "2026-11-20T10:00:00Z" }];
    const notice = provider.locator('[data-notice="waiting"]');
    await notice.getByText("Patient is waiting").waitFor();
    await notice.getByRole("button", { name: "Let in" }).click();
    await eventually(() => contract.changes.length > 0, "the provider's answer");
    assert.deepEqual(contract.changes, [{ method: "PATCH", userId: users.patient.id, admitted: true }]);
    contract.me.set(users.patient.token, { status: "joined", admitted: true });
    await told(patient, "MEETING_JOINED");
    await notice.waitFor({ state: "hidden" });
  });
});

test("who is turned away is told so, and does not get in", async () => {
  await stage.appointment(async ({ inCall, person, enter, contract, users }) => {
    contract.waitingRoom = true;
    const provider = await inCall("provider");
    const patient = await person("patient");
    await enter(patient);
    await screen(patient, "waiting");
    contract.waiting = [{ userId: users.patient.id, displayName: null, role: "patient", since: "2026-11-20T10:00:00Z" }];
    await provider.locator('[data-notice="waiting"]').getByRole("button", { name: "Turn away" }).click();
    await eventually(() => contract.changes.length > 0, "the provider's answer");
    assert.deepEqual(contract.changes[0], { method: "PATCH", userId: users.patient.id, admitted: false });
    contract.me.set(users.patient.token, { status: "turned_away", admitted: false });
    await screen(patient, "turned-away");
    assert.ok((await patient.evaluate(() => window.told.flutter)).includes("MEETING_ERROR:TURNED_AWAY"));
  });
});

test("the provider mutes, stops video and removes, each with the words of the contract", async () => {
  await stage.appointment(async (world) => {
    const { contract, users } = world;
    const { provider, patient } = await both(world);
    await button(provider, "People").click();
    const entry = provider.locator(".person", { hasText: "Patient" }).filter({ has: provider.locator(".person-actions") });
    const change = async (name) => {
      const before = contract.changes.length;
      await entry.getByRole("button", { name }).click();
      await eventually(() => contract.changes.length > before, name);
      return contract.changes.at(-1);
    };
    assert.deepEqual(await change(/^Mute/), { method: "PATCH", userId: users.patient.id, capabilities: { audio: "Receive" } });
    assert.deepEqual(await change(/^Stop video/), { method: "PATCH", userId: users.patient.id, capabilities: { video: "Receive" } });
    await entry.getByRole("button", { name: /^Remove/ }).click();
    const question = provider.getByRole("dialog", { name: "Remove Patient?" });
    await question.getByRole("button", { name: "Cancel" }).click();
    assert.equal(contract.changes.length, 2, "cancel changes nothing");
    await entry.getByRole("button", { name: /^Remove/ }).click();
    await question.getByRole("button", { name: "Remove" }).click();
    await eventually(() => contract.changes.length === 3, "the removal");
    assert.deepEqual(contract.changes[2], { method: "DELETE", userId: users.patient.id });
    contract.me.set(users.patient.token, { status: "removed", admitted: false });
    await screen(patient, "removed");
    assert.ok((await patient.evaluate(() => window.told.flutter)).includes("MEETING_ERROR:REMOVED_FROM_CALL"));
  });
});

test("who may not speak or be seen is told, and cannot turn it on until it is allowed again", async () => {
  await stage.appointment(async ({ inCall, contract, users }) => {
    const page = await inCall("provider");
    contract.me.set(users.provider.token, { capabilities: { ...all, audio: "Receive", video: "Receive" } });
    const microphone = button(page, /^Microphone/);
    const camera = button(page, /^Camera/);
    await page.locator('button:disabled[aria-label="Microphone: turned off by your care provider"]').waitFor();
    await page.locator('button:disabled[aria-label="Camera: turned off by your care provider"]').waitFor();
    contract.me.set(users.provider.token, { capabilities: all });
    await button(page, "Microphone: turn on").waitFor();
    assert.ok(await microphone.isEnabled());
    assert.ok(await camera.isEnabled());
  });
});

test("consent is asked for where somebody wishes a recording, is noted, and can be changed", async () => {
  await stage.appointment(async ({ person, contract, stage: front }) => {
    const nothing = () => ({ granted: null, allowed: false, missing: [] });
    contract.consent = { recording: nothing(), transcription: nothing() };
    const page = await person("provider");
    await screen(page, "check");
    await page.getByLabel("Ask for a recording").check();
    await button(page, "Start the consultation").click();
    const question = page.getByRole("dialog", { name: "Recording and transcript" });
    await question.waitFor();
    assert.deepEqual(front.asked.find(({ method, path }) => method === "POST" && /\/call$/.test(path)).body, { enableRecording: true, enableTranscription: false });
    // There is no way around an answer: Escape is none.
    await page.keyboard.press("Escape");
    assert.ok(await question.isVisible());
    await question.getByRole("button", { name: "I agree" }).click();
    await eventually(() => contract.changes.length === 1, "the answer is noted");
    assert.deepEqual(contract.changes[0], { method: "PUT", recording: true });
    await button(page, "Settings").click();
    const box = page.getByLabel("I agree to the recording");
    await eventually(() => box.isChecked(), "the settings know the answer");
    await box.uncheck();
    await eventually(() => contract.changes.length === 2, "the change is noted");
    assert.deepEqual(contract.changes[1], { method: "PUT", recording: false });
  });
});

test("nobody is asked for consent to what nobody wishes", async () => {
  await stage.appointment(async ({ inCall, contract, stage: front }) => {
    const nothing = () => ({ granted: null, allowed: false, missing: [] });
    contract.consent = { recording: nothing(), transcription: nothing() };
    const page = await inCall("provider");
    const asked = front.asked.length;
    await eventually(() => front.asked.slice(asked).filter(({ method, path }) => method === "GET" && /\/call$/.test(path)).length >= 1, "a status has been read");
    assert.equal(await page.locator("dialog").count(), 0);
  });
});

test("everyone sees that the call is recorded and written down, as soon as it is and only then", async () => {
  await stage.appointment(async (world) => {
    const { contract, media } = world;
    const { provider, patient } = await both(world);
    const signs = (page) => [page.locator(".recording-sign"), page.locator(".transcription-sign")];
    contract.recording = { state: "requested", reason: null };
    for (const page of [provider, patient]) for (const sign of signs(page)) assert.ok(await sign.isHidden());
    contract.recording = { state: "started", reason: null };
    media.transcription("STARTED");
    for (const page of [provider, patient]) for (const sign of signs(page)) await sign.waitFor();
    contract.recording = { state: "failed", reason: "x" };
    media.transcription("STOPPED");
    for (const page of [provider, patient]) for (const sign of signs(page)) await sign.waitFor({ state: "hidden" });
  });
});

test("captions show who says what, a later text in place of an earlier one", async () => {
  await stage.appointment(async (world) => {
    const { media } = world;
    const { provider, other } = await both(world);
    media.transcription("STARTED");
    await button(provider, "Captions: show").click();
    const captions = provider.getByRole("log", { name: "Captions" });
    await captions.getByText("Captions appear here").waitFor();
    media.says({ ...other, id: "r1", text: "My head", partial: true });
    await captions.getByText("My head").waitFor();
    media.says({ ...other, id: "r1", text: "My head hurts." });
    await captions.getByText("My head hurts.").waitFor();
    assert.equal(await captions.locator("p").count(), 1);
    assert.equal(await captions.locator(".speaker").textContent(), "Patient");
    await button(provider, "Captions: hide").click();
    await captions.waitFor({ state: "hidden" });
  });
});

test("the line is measured, shown and told to the API", async () => {
  await stage.appointment(async ({ inCall, contract }) => {
    const page = await inCall("provider");
    await eventually(() => contract.samples.length > 0, "a sample");
    const [sample] = contract.samples;
    assert.equal(typeof sample.at, "number");
    assert.ok(sample.roundTripMs >= 0 && sample.bitrateKbps > 0, JSON.stringify(sample));
    for (const name of Object.keys(sample)) assert.ok(["at", "packetLossPercent", "roundTripMs", "jitterMs", "bitrateKbps"].includes(name), name);
    await page.getByRole("img", { name: /^Connection: (good|fair|poor)$/ }).waitFor();
  });
});

test("a screen is shared, seen on top, and taken back", async () => {
  await stage.appointment(async (world) => {
    const { media } = world;
    const { provider, other } = await both(world);
    media.shares(other);
    await provider.locator('.tiles[data-layout="shared"] .tile.content.seen').waitFor();
    await provider.getByText("Screen of Patient").waitFor();
    media.goes(`${other.attendeeId}#content`);
    await provider.locator('.tiles[data-layout="pair"]').waitFor();
    await button(provider, "Screen: share").click();
    await button(provider, "Screen: stop sharing").waitFor();
    assert.ok(await eventually(() => media.sharing, "the screen is on the line"));
    await button(provider, "Screen: stop sharing").click();
    await button(provider, "Screen: share").waitFor();
  });
});

test("microphone and camera go off and on, and devices are changed in the call", async () => {
  await stage.appointment(async ({ inCall, context }) => {
    await context.addInitScript(() => {
      window.opened = [];
      // An empty page has no devices.
      if (!navigator.mediaDevices) return;
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        const stream = await open(constraints);
        window.opened.push(...stream.getTracks().map((track) => track.getSettings().deviceId));
        return stream;
      };
    });
    const page = await inCall("provider");
    await button(page, "Microphone: turn off").click();
    await button(page, "Microphone: turn on").click();
    await button(page, "Microphone: turn off").waitFor();
    await button(page, "Camera: turn off").click();
    await page.locator(".tile.self:not(.seen)").waitFor();
    await button(page, "Camera: turn on").click();
    await page.locator(".tile.self.seen").waitFor();
    await button(page, "Settings").click();
    for (const kind of ["Camera", "Microphone"]) {
      const select = page.getByLabel(kind, { exact: true });
      await select.waitFor();
      const other = await select.evaluate((select) => [...select.options].map(({ value }) => value).find((value) => value !== select.value && value !== "default"));
      await select.selectOption(other);
      await page.waitForFunction((id) => window.opened.includes(id), other);
    }
    assert.ok(await page.getByLabel("Speaker", { exact: true }).isVisible());
  });
});

test("all of it is done by keyboard, and the focus goes where one is", async () => {
  await stage.appointment(async ({ inCall }) => {
    const page = await inCall("provider");
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);
    assert.equal(await focused(), "Consultation", "the heading has the focus when the screen is shown");
    const order = [];
    for (let step = 0; step < 9; step += 1) {
      await page.keyboard.press("Tab");
      order.push(await focused());
    }
    assert.deepEqual(order.slice(0, 8), ["Français", "Microphone: turn off", "Camera: turn off", "Screen: share", "Captions: show", order[5], "Settings", "Leave"]);
    assert.match(order[5], /^People/);
    await button(page, "People").focus();
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "People");
    await page.keyboard.press("Escape");
    assert.match(await focused(), /^People: /);
    await button(page, "Leave").focus();
    await page.keyboard.press("Space");
    await page.getByRole("dialog", { name: "Leave the consultation?" }).waitFor();
    for (let step = 0; step < 6; step += 1) {
      await page.keyboard.press("Tab");
      assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null), "the focus does not leave the question");
    }
    await page.keyboard.press("Escape");
    assert.equal(await focused(), "Leave", "and returns to where it was");
  });
});
