// Consent to recording and transcript, the signs that they run, and captions.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { appMessage, button, eventually, notice, screen } from "./fixtures/browser.ts";
import { both, CallFixture } from "./fixtures/call-fixture.ts";
import { consentRequired, isJoin, isStatus } from "./fixtures/cdn-proxy.ts";
import { RECORDER, withRecorder } from "./fixtures/recording-api.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const RECORDING = "May this consultation be recorded?";
const TRANSCRIPT = "May this consultation be transcribed?";

test("the page asks for consent where a recording is requested; the answer is stored and can be changed", async () => {
  await calls.withAppointment(async ({ person, ask, enter }) => {
    const page = await person("provider");
    await screen(page, "check");
    await page.getByLabel("Ask for a recording").check();
    await button(page, "Start the consultation").click();
    const question = page.getByRole("dialog", { name: RECORDING });
    await question.getByRole("button", { name: "I agree" }).click();
    const granted = (value: boolean) =>
      eventually(
        async () => (await ask("provider", "GET", "")).body.consent.recording.granted === value,
        `the API knows: ${value}`,
      );
    await granted(true);
    await button(page, "Settings").click();
    const box = page.getByLabel("I agree to the recording");
    await eventually(() => box.isChecked(), "the settings know the answer");

    // The patient, who has not requested it, is asked too: before they get a place if the recording has begun by then, else in the call.
    const patient = await person("patient");
    await enter(patient);
    const agree = patient.getByRole("button", { name: "I agree", exact: true });
    await agree.waitFor();
    assert.equal((await ask("patient", "GET", "")).body.consent.recording.granted, null);
    await agree.click();
    await appMessage(patient, "MEETING_JOINED");
    await eventually(
      async () => (await ask("provider", "GET", "")).body.consent.recording.allowed,
      "it may be recorded",
    );
    await page.bringToFront();
    await box.uncheck();
    await granted(false);
    assert.equal((await ask("provider", "GET", "")).body.consent.recording.allowed, false);
  });
});

test("a consent question that the person answers on another device is closed", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    await ask("provider", "POST", "", { enableRecording: true, enableTranscription: true });
    const page = await inCall("provider");
    await page.getByRole("dialog", { name: RECORDING }).waitFor();
    await ask("provider", "PUT", "/consent", { recording: true });
    // The question after it is shown in its place.
    await page.getByRole("dialog", { name: TRANSCRIPT }).waitFor();
    assert.equal(await page.locator("dialog").count(), 1);
    await ask("provider", "PUT", "/consent", { transcription: false });
    await page.locator("dialog").waitFor({ state: "detached" });
    assert.ok(await page.locator('[data-notice="consent"]').isHidden(), "nothing is open");
  });
});

test("a consent question that is put off is not answered and stays in reach, however often Escape is pressed", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    await ask("provider", "POST", "", { enableRecording: true });
    const page = await inCall("provider");
    const question = page.getByRole("dialog", { name: RECORDING });
    const notice = page.locator('[data-notice="consent"]');
    const granted = async () => (await ask("provider", "GET", "")).body.consent.recording.granted;
    await question.waitFor();
    assert.ok(await notice.isHidden());
    for (let press = 0; press < 5; press += 1) await page.keyboard.press("Escape");
    await notice.waitFor();
    assert.equal(await page.locator("dialog").count(), 0, "one can go on");
    assert.equal(await granted(), null, "no answer is none");
    for (let time = 0; time < 2; time += 1) {
      await notice.getByRole("button", { name: "Answer" }).press("Enter");
      await question.waitFor();
      for (let press = 0; press < 4; press += 1) await page.keyboard.press("Escape");
      await notice.waitFor();
    }
    assert.equal(await granted(), null);
    await notice.getByRole("button", { name: "Answer" }).press("Enter");
    await question.getByRole("button", { name: "I do not agree" }).press("Enter");
    await eventually(async () => (await granted()) === false, "the answer is known");
    await notice.waitFor({ state: "hidden" });
    assert.equal(
      await page.evaluate(() => document.activeElement?.tagName),
      "H1",
      "the focus is not lost with the notice",
    );
  });
});

test("the page does not ask for consent when nobody has requested a recording or transcript", async () => {
  await calls.withAppointment(async ({ inCall, proxy }) => {
    const page = await inCall("provider");
    const asked = proxy.requests.length;
    await eventually(() => proxy.requests.slice(asked).some(isStatus), "a status has been read");
    assert.equal(await page.locator("dialog").count(), 0);
  });
});

test("the page asks for each purpose by itself, and consent to one is none to the other", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    await ask("provider", "POST", "", { enableRecording: true, enableTranscription: true });
    const page = await inCall("provider");
    await page.getByRole("dialog", { name: RECORDING }).getByRole("button", { name: "I agree" }).click();
    const consent = async () => (await ask("provider", "GET", "")).body.consent;
    const transcript = page.getByRole("dialog", { name: TRANSCRIPT });
    await transcript.waitFor();
    assert.deepEqual(
      [(await consent()).recording.granted, (await consent()).transcription.granted],
      [true, null],
      "the first answer is stored, and is none to the second question",
    );
    await transcript.getByRole("button", { name: "I do not agree" }).click();
    await eventually(async () => (await consent()).transcription.granted === false, "the second answer is stored");
    assert.equal((await consent()).recording.granted, true);
    assert.equal(await page.locator("dialog").count(), 0);
  });
});

test("the question of consent does not cover the notice that somebody waits", async () => {
  await calls.withAppointment(
    async ({ inCall, person, enter, ask }) => {
      await ask("provider", "POST", "", { enableRecording: true });
      const provider = await inCall("provider");
      const question = provider.getByRole("dialog", { name: RECORDING });
      await question.waitFor();
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      await provider.bringToFront();
      await notice(provider, "waiting").getByText("Patient is waiting").waitFor();
      // A click that another element receives fails.
      await notice(provider, "waiting").getByRole("button", { name: "Let in" }).click();
      await appMessage(patient, "MEETING_JOINED");
      await notice(provider, "waiting").waitFor({ state: "hidden" });
      assert.ok(await question.isVisible(), "the question is still open");
      await question.getByRole("button", { name: "I agree" }).click();
      await question.waitFor({ state: "detached" });
      assert.ok(
        await provider.evaluate(() => document.querySelector('[data-notice="waiting"]')?.closest(".main") !== null),
        "the notice is where it was",
      );
    },
    { waitingRoom: true },
  );
});

for (const stage of ["joins", "comes back into a call"] as const) {
  test(`a person who ${stage} while it is recorded is asked before they get a place`, async () => {
    await calls.withAppointment(async ({ appointmentId, person, enter, inCall, proxy, media, ask }) => {
      const { sessionId } = (await ask("provider", "POST", "", {})).body;
      const page = stage === "joins" ? await person("patient") : await inCall("patient");
      const answers: unknown[] = [];
      const required = (purposes: string[], stopping: string[]) =>
        consentRequired(appointmentId, sessionId, purposes, stopping);
      let stops = 0;
      proxy.settings.respond = async (request, real) => {
        if (request.method === "PUT") {
          answers.push(request.body);
          return undefined;
        }
        if (isStatus(request) && request.headers.authorization && answers.length === 2 && stops === 1) {
          const answer = await real();
          stops += 1;
          return { ...answer, body: { ...answer.body, me: { ...answer.body.me, consentRequired: [] } } };
        }
        if (!isJoin(request)) return undefined;
        if (answers.length === 0) return required(["recording", "transcription"], []);
        if (answers.length === 2 && stops === 0) {
          stops = 1;
          return required(["transcription"], ["transcription"]);
        }
        return undefined;
      };
      if (stage === "joins") await enter(page);
      else media.reportMeetingEnded();
      await screen(page, "consent");
      await page.getByRole("heading", { name: RECORDING }).waitFor();
      await button(page, "I agree").click();
      await page.getByRole("heading", { name: TRANSCRIPT }).waitFor();
      assert.deepEqual(answers, [{ recording: true }]);
      await button(page, "I do not agree").click();
      // The refused capture is being stopped: nothing more is asked.
      await screen(page, "joining");
      await page.waitForFunction(
        (count) => window.appMessages.chime.filter(({ event }) => event === "MEETING_JOINED").length === count,
        stage === "joins" ? 1 : 2,
      );
      assert.deepEqual(answers, [{ recording: true }, { transcription: false }]);
      assert.equal(stops, 2);
    });
  });
}

test("Chime's recorder has no tile and does not count as a person", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    proxy.settings.respond = withRecorder;
    const page = await inCall("provider");
    media.addParticipant(RECORDER);
    // The page knows of the recorder, so it would show it.
    await page.locator(".recording-sign").waitFor();
    assert.equal(await page.locator(".tile").count(), 1);
    assert.ok(await page.getByText("Nobody else is here yet.").isVisible());
  });
});

test("everyone sees the signs of recording and transcript exactly while they run", async () => {
  await calls.withAppointment(async (call) => {
    const { media, ask, proxy } = call;
    proxy.settings.respond = withRecorder;
    await ask("provider", "POST", "", { enableRecording: true, enableTranscription: true });
    const { provider, patient } = await both(call);
    const signs = (page: Page) => [page.locator(".recording-sign"), page.locator(".transcription-sign")];
    const { body } = await ask("patient", "GET", "");
    assert.deepEqual([body.recording.state, body.transcription.state], ["requested", "requested"]);
    for (const page of [provider, patient]) await page.getByRole("dialog", { name: RECORDING }).waitFor();
    for (const page of [provider, patient]) for (const sign of signs(page)) assert.ok(await sign.isHidden());
    media.addParticipant(RECORDER);
    media.transcription("STARTED");
    for (const page of [provider, patient]) for (const sign of signs(page)) await sign.waitFor();
    // Another status, which knows only the request, does not change the signs.
    const asked = proxy.requests.length;
    media.requestRefresh();
    await eventually(
      () =>
        new Set(
          proxy.requests
            .slice(asked)
            .filter((one) => isStatus(one) && one.status === 200)
            .map(({ headers }) => headers.authorization),
        ).size === 2,
      "both have read the status again",
    );
    for (const page of [provider, patient]) for (const sign of signs(page)) assert.ok(await sign.isVisible());
    media.removeParticipant(RECORDER.attendeeId);
    media.transcription("STOPPED");
    for (const page of [provider, patient]) for (const sign of signs(page)) await sign.waitFor({ state: "hidden" });
  });
});

test("a person who joins later sees the signs at once, and a new connection keeps them", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    proxy.settings.respond = withRecorder;
    media.addParticipant(RECORDER);
    const page = await inCall("provider");
    const [recording, transcription] = [page.locator(".recording-sign"), page.locator(".transcription-sign")];
    await recording.waitFor();
    media.transcription("STARTED");
    await transcription.waitFor();
    await page.evaluate(() => {
      window.signChanges = [];
      for (const sign of document.querySelectorAll<HTMLElement>(".sign-on"))
        new MutationObserver(() => window.signChanges.push(sign.hidden === true)).observe(sign, {
          attributeFilter: ["hidden"],
        });
    });
    media.reportMeetingEnded();
    await appMessage(page, "MEETING_RECONNECTED");
    const asked = proxy.requests.length;
    media.requestRefresh();
    await eventually(
      () => proxy.requests.slice(asked).some((one) => isStatus(one) && one.status === 200),
      "the status is read again",
    );
    assert.deepEqual(await page.evaluate(() => window.signChanges), []);
    assert.ok((await recording.isVisible()) && (await transcription.isVisible()));
  });
});
