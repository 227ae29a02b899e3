// Recording in the call: the provider's controls, and the sign that everyone sees.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import {
  advanceUntil,
  announcement,
  appEvents,
  appMessage,
  button,
  eventually,
  notice,
  post,
  times,
} from "./fixtures/browser.ts";
import { both, type Call, CallFixture } from "./fixtures/call-fixture.ts";
import type { ApiResponse } from "./fixtures/cdn-proxy.ts";
import { RECORDER, RecordingApi, refused, segment } from "./fixtures/recording-api.ts";
import { TranscriptApi } from "./fixtures/transcript-api.ts";
import { looks } from "./fixtures/views.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const withRecordings = (run: (call: Call, api: RecordingApi) => Promise<void>) =>
  calls.withAppointment(async (call) => {
    const api = new RecordingApi(call.appointmentId);
    call.proxy.settings.respond = api.respond;
    await run(call, api);
  });

/** Joins provider and patient, who have agreed to a recording. */
async function agreed(call: Call) {
  const joined = await both(call);
  for (const role of ["provider", "patient"] as const) {
    const { status } = await call.ask(role, "PUT", "/consent", { recording: true });
    assert.equal(status, 200);
  }
  await joined.provider.bringToFront();
  return joined;
}

const sign = (page: Page) => page.locator(".recording-sign");
const state = (page: Page, text: string) => page.locator("[data-recording]", { hasText: text }).waitFor();
const openPanel = (page: Page) => button(page, "Recording").press("Enter");

/** Waits until this many pages have taken over a status of now: each asks again only after that. */
async function statusesRead({ media }: Call, api: RecordingApi, pages: number): Promise<void> {
  for (const what of ["the statuses are read", "they are read again"]) {
    api.statuses.length = 0;
    media.requestRefresh();
    const readers = () => new Set(api.statuses.map(({ headers }) => headers.authorization)).size;
    await eventually(() => readers() >= pages, what);
  }
}

/** Chime begins to capture, or ends it. */
function capture({ media }: Call, api: RecordingApi, on: boolean): void {
  const [recording] = api.recordings;
  assert.ok(recording);
  recording.capturing = on;
  if (on) {
    recording.segments.push(segment());
    media.addParticipant(RECORDER);
  } else media.removeParticipant(RECORDER.attendeeId);
}

test("the provider starts, pauses, resumes and stops a recording by the keyboard; everyone sees and hears what is done", async () => {
  await withRecordings(async (call, api) => {
    const { provider, patient } = await agreed(call);
    const pages = [provider, patient];
    assert.equal(await button(patient, "Recording").count(), 0, "only the provider has the control");
    await openPanel(provider);
    assert.equal(await provider.evaluate(() => document.activeElement?.textContent), "Recording and transcript");
    await state(provider, "This consultation is not being recorded.");
    const start = button(provider, "Start recording");
    await provider.keyboard.press("Tab");
    await provider.keyboard.press("Tab");
    assert.ok(await start.evaluate((element) => element === document.activeElement), "in the order of the panel");
    const refreshes = () => call.media.messages.filter(({ from }) => from === provider).length;
    const before = refreshes();
    await provider.keyboard.press("Enter");
    await state(provider, "The recording is starting…");
    await eventually(() => refreshes() > before, "the others read the status again");
    for (const page of pages) assert.ok(await sign(page).isHidden(), "what has not begun is not shown");

    capture(call, api, true);
    await state(provider, "This consultation is being recorded.");
    for (const page of pages) {
      await sign(page).getByText("Recording", { exact: true }).waitFor();
      assert.equal(await sign(page).locator("svg").count(), 1, "the sign is a picture and a word");
      await announcement(page, "This consultation is being recorded.");
      assert.equal(await page.locator(".tile[data-attendee=recorder-1]").count(), 0);
    }

    await statusesRead(call, api, 2);
    assert.equal(await provider.evaluate(() => document.activeElement?.textContent), "Pause", "the focus stays");
    await provider.keyboard.press("Enter");
    await state(provider, "The recording is paused.");
    for (const page of pages) assert.ok(await sign(page).getByText("Recording", { exact: true }).isVisible());
    await statusesRead(call, api, 2);
    capture(call, api, false);
    for (const page of pages) {
      await sign(page).getByText("Recording paused").waitFor();
      await announcement(page, "The recording is paused.");
    }

    await provider.keyboard.press("Enter");
    await state(provider, "The recording is starting…");
    capture(call, api, true);
    for (const page of pages) await sign(page).getByText("Recording", { exact: true }).waitFor();
    await statusesRead(call, api, 2);

    await button(provider, "Stop recording").press("Enter");
    await state(provider, "The recording is stopping…");
    assert.ok(
      await button(provider, "Start recording").evaluate((element) => element === document.activeElement),
      "the focus is not lost with the button",
    );
    capture(call, api, false);
    for (const page of pages) {
      await sign(page).waitFor({ state: "hidden" });
      await announcement(page, "The recording has stopped.");
    }
    await state(provider, "The recording has stopped.");
    await provider.keyboard.press("Escape");
    assert.ok(await button(provider, "Recording").evaluate((element) => element === document.activeElement));

    const { body } = await call.ask("provider", "GET", "");
    const [recording] = api.recordings;
    assert.deepEqual(
      api.requests.filter(({ method }) => method === "POST").map(({ path }) => path),
      [
        `/appointments/${call.appointmentId}/call/recordings`,
        ...["pause", "resume", "stop"].map((action) => `/recordings/${recording?.recordingId}/${action}`),
      ],
    );
    for (const page of pages) {
      const events = (await appEvents(page)).filter((event) => event.startsWith("RECORDING"));
      assert.deepEqual(events, ["RECORDING_STARTED", "RECORDING_PAUSED", "RECORDING_STARTED", "RECORDING_STOPPED"]);
      assert.deepEqual((await appMessage(page, "RECORDING_PAUSED")).data, { sessionId: body.sessionId });
    }
  });
});

const ERRORS: { answer: ApiResponse; en: string; fr: string }[] = [
  {
    answer: { status: 409, body: refused("RECORDING_PAUSED") },
    en: "There is already a recording, which is paused: resume it.",
    fr: "Un enregistrement existe déjà et il est en pause : reprenez-le.",
  },
  {
    answer: { status: 503, body: refused("RECORDING_CAPACITY") },
    en: "The recording cannot be started: too many others are running. Try again in a few minutes.",
    fr: "L’enregistrement ne peut pas démarrer : trop d’autres sont en cours. Réessayez dans quelques minutes.",
  },
  {
    answer: { status: 503, body: refused("UNAVAILABLE") },
    en: "The recording service does not answer. Please try again.",
    fr: "Le service d’enregistrement ne répond pas. Veuillez réessayer.",
  },
  {
    answer: { status: 429, body: { message: "Too Many Requests" } },
    en: "Too many requests. Wait a moment, then try again.",
    fr: "Trop de demandes. Attendez un instant, puis réessayez.",
  },
  {
    answer: { status: 403, body: refused("PROVIDER_ONLY") },
    en: "You may not record this consultation.",
    fr: "Vous ne pouvez pas enregistrer cette consultation.",
  },
];

test("each refusal of a start is said in both languages, and the call goes on", async () => {
  await withRecordings(async (call, api) => {
    const { users } = call;
    const { provider } = await agreed(call);
    await openPanel(provider);
    const missing = [users.patient.id, "00000000-0000-4000-8000-000000000001"];
    const consent = {
      answer: { status: 409, body: refused("CONSENT_REQUIRED", { missing }) },
      en: "Not recorded, for the consent of these people is missing: Patient, Participant. They can agree in their settings.",
      fr: "Non enregistré, car il manque l’accord de : Patient, Participant. Il peut être donné dans les réglages.",
    };
    for (const { answer, en, fr } of [consent, ...ERRORS]) {
      api.refusals = [[/\/call\/recordings$/, answer]];
      await button(provider, "Start recording").press("Enter");
      await notice(provider, "recording").getByText(en).waitFor();
      await announcement(provider, en, { urgent: true });
      await post(provider, { type: "medzen.setLanguage", language: "fr" });
      // A space that does not break comes before French punctuation.
      await provider.waitForFunction(
        (text) =>
          document.querySelector('[data-notice="recording"] p')?.textContent?.replaceAll("\u00a0", " ") === text,
        fr,
      );
      await post(provider, { type: "medzen.setLanguage", language: "en" });
      await state(provider, "This consultation is not being recorded.");
    }
    api.refusals = [];
    await button(provider, "Start recording").press("Enter");
    await notice(provider, "recording").waitFor({ state: "hidden" });
    await state(provider, "The recording is starting…");
    api.refusals = [[/\/pause$/, { status: 409, body: refused("RECORDING_ENDED") }]];
    await button(provider, "Pause").press("Enter");
    await notice(provider, "recording").getByText("That recording has already ended.").waitFor();
  });
});

test("a button whose request is under way asks once, however often it is pressed", async () => {
  await withRecordings(async (call, api) => {
    const { provider } = await agreed(call);
    await openPanel(provider);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    call.proxy.settings.respond = async (request, real) => {
      if (request.path.endsWith("/call/recordings")) await held;
      return api.respond(request, real);
    };
    const posts = () => call.proxy.requests.filter(({ path }) => path.endsWith("/call/recordings")).length;
    await button(provider, "Start recording").press("Enter");
    await state(provider, "The recording is starting…");
    for (let time = 0; time < 3; time += 1) await provider.keyboard.press("Enter");
    assert.equal(await button(provider, "Start recording").getAttribute("aria-disabled"), "true");
    release();
    await button(provider, "Pause").waitFor();
    assert.equal(posts(), 1);
  });
});

test("what the server does to a recording is said with its reason", async () => {
  const cases = [
    [{ state: "paused", pauseReason: "consent_missing" }, "The recording is paused, because somebody who has joined"],
    [{ state: "processing", endReason: "consent_revoked" }, "because somebody has withdrawn their consent."],
    [{ state: "processing", endReason: "capture_failed" }, "The recording has stopped because of a fault."],
    [{ state: "failed", endReason: "capture_failed", segments: [] }, "The recording could not be started."],
    [{ state: "failed", endReason: "capacity", segments: [] }, "too many others are running"],
  ] as const;
  await withRecordings(async (call, api) => {
    const { provider } = await agreed(call);
    await openPanel(provider);
    for (const [change, text] of cases) {
      api.recordings.length = 0;
      const recording = api.begin();
      // The recorder's coming and going make the page read the status at once.
      capture(call, api, true);
      await state(provider, "This consultation is being recorded.");
      await notice(provider, "recording").waitFor({ state: "hidden" });
      Object.assign(recording, structuredClone(change));
      capture(call, api, false);
      await notice(provider, "recording").getByText(text).waitFor();
      await state(provider, text);
    }
  });
});

/** Joins as the patient, stops the page's clock, and lets the page read a status: the gap between two has just begun. */
async function stopped(call: Call, api: RecordingApi): Promise<Page> {
  await call.ask("provider", "POST", "");
  await call.context.clock.install();
  const page = await call.inCall("patient");
  await page.locator(".tile.self").waitFor();
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1_000));
  api.statuses.length = 0;
  call.media.requestRefresh();
  await advanceUntil(page, () => api.statuses.length > 0, "a status is read", 100);
  api.statuses.length = 0;
  return page;
}

test("half a second after the recorder has come, one status makes the sign appear, however recently another one was read", async () => {
  await withRecordings(async (call, api) => {
    const page = await stopped(call, api);
    // The server has not received yet that the capture runs.
    const recording = api.begin({ capturing: false });
    api.recorder = true;
    call.media.addParticipant(RECORDER);
    // The page has received the recorder's presence, since it knows those who came after it.
    call.media.addParticipant({ attendeeId: "later", externalUserId: "later" });
    await page.locator(".tile[data-attendee=later]").waitFor();
    assert.ok(await sign(page).isHidden(), "the presence alone does not say that it records");
    assert.equal(api.statuses.length, 0);
    await page.clock.runFor(500);
    await sign(page).getByText("Recording", { exact: true }).waitFor();
    assert.equal(api.statuses.length, 1);
    // It confirms what is shown as soon as it knows, and is asked until then.
    recording.capturing = true;
    await advanceUntil(page, () => api.statuses.length === 2, "the status is read again", 100);
    await page.clock.runFor(10_000);
    assert.equal(api.statuses.length, 2);
  });
});

test("a recorder that captures for the transcript only shows no recording; its name may be in its attendee's id, and it has no tile", async () => {
  await withRecordings(async (call, api) => {
    const page = await stopped(call, api);
    api.text = true;
    const recorder = { attendeeId: "aws:MediaPipeline-1", externalUserId: "1" };
    call.media.addParticipant(recorder);
    await advanceUntil(page, () => api.statuses.length > 0, "the status is read", 100);
    await page.clock.runFor(5_000);
    assert.equal(api.statuses.length, 1, "the status has said for what the recorder captures");
    assert.ok(await sign(page).isHidden());
    assert.equal(await page.locator(".tile").count(), 1);
    assert.ok(await page.getByText("Nobody else is here yet.").isVisible());

    // A recording begins: that capture ends, and the next one has another recorder.
    api.begin({ capturing: true, segments: [segment()] });
    call.media.removeParticipant(recorder.attendeeId);
    call.media.addParticipant(RECORDER);
    await advanceUntil(page, () => sign(page).isVisible(), "it is recorded", 100);
    assert.equal(await times(page, "RECORDING_STARTED"), 1);
  });
});

test("a recorder of which the status does not know yet is asked about again, and at most five times in a row", async () => {
  await withRecordings(async (call, api) => {
    const page = await stopped(call, api);
    call.media.addParticipant(RECORDER);
    await advanceUntil(page, () => api.statuses.length >= 6, "it is asked about again", 100);
    await page.clock.runFor(5_000);
    assert.equal(api.statuses.length, 6);
    assert.ok(await sign(page).isHidden());
  });
});

test("a status that says that Chime captures while no recorder is there is read again, and believed when it says so twice", async () => {
  await withRecordings(async (call, api) => {
    const page = await stopped(call, api);
    const recording = api.begin({ capturing: true });
    call.media.requestRefresh();
    await advanceUntil(page, () => sign(page).isVisible(), "the sign is shown", 100);
    assert.ok(api.statuses.length >= 2, `${api.statuses.length} statuses`);
    // The page does not ask in this pace for ever.
    await advanceUntil(page, () => api.statuses.length >= 6, "it is asked six times", 100);
    await page.clock.runFor(5_000);
    assert.equal(api.statuses.length, 6);
    assert.equal(await times(page, "RECORDING_STARTED"), 1);
    recording.capturing = false;
    recording.state = "ready";
    call.media.requestRefresh();
    await advanceUntil(page, () => sign(page).isHidden(), "it is hidden", 100);
    assert.ok(api.statuses.length <= 8, `${api.statuses.length} statuses`);
  });
});

test("controls whose script was altered or does not arrive are not run, and are loaded again when the provider wants it", async () => {
  await withRecordings(async (call) => {
    const { settings } = call.proxy;
    settings.alter = [/assets\/controls-/, (contents) => Buffer.concat([contents, Buffer.from(";")])];
    const { provider, patient } = await agreed(call);
    await openPanel(provider);
    await provider.getByText("This could not be loaded.").waitFor();
    settings.alter = undefined;
    await button(provider, "Try again").press("Enter");
    await button(provider, "Start recording").press("Enter");
    await state(provider, "The recording is starting…");
    const scripts = (page: Page) => page.locator('script[src*="controls-"]').count();
    assert.deepEqual([await scripts(provider), await scripts(patient)], [1, 0]);
  });
});

test("the controls of recording and transcript and their notices are accessible in every view", async () => {
  await withRecordings(async (call, api) => {
    const transcripts = new TranscriptApi(call.appointmentId);
    transcripts.refusals = [[/\/call\/transcription$/, { status: 503, body: refused("UNAVAILABLE") }]];
    call.proxy.settings.respond = async (request, real) =>
      request.path.includes("/transcription") ? transcripts.respond(request, real) : api.respond(request, real);
    const { provider } = await agreed(call);
    await openPanel(provider);
    await provider.getByLabel("Language that is spoken").selectOption("identify");
    await provider.getByLabel("Languages to recognise, at least two").selectOption(["en-US", "fr-CA"]);
    await button(provider, "Start transcript").press("Enter");
    await notice(provider, "transcription").waitFor();
    await button(provider, "Start recording").press("Enter");
    await state(provider, "The recording is starting…");
    capture(call, api, true);
    await sign(provider).waitFor();
    api.refusals = [[/\/pause$/, { status: 503, body: refused("UNAVAILABLE") }]];
    await button(provider, "Pause").press("Enter");
    await notice(provider, "recording").waitFor();
    await looks(provider, "recording");
  });
});
