// A recording with real media: the provider's page starts it, Chime's recorder joins the call, both pages say so while it records, and
// what is played afterwards is what was said and shown meanwhile.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { appEvents, appMessage, button, eventually, screen } from "./fixtures/browser.ts";
import { type LiveCall, LiveCalls } from "./fixtures/live-call.ts";
import { type PlayedFrame, playedFrames, watchFilms } from "./fixtures/played-film.ts";
import { counters, whileSending } from "./fixtures/sending.ts";
import { hearsOnly, type SignatureName, seen, sign as wear } from "./fixtures/signature.ts";

let calls: LiveCalls;
// Of its own, because its clock is moved.
before(async () => {
  calls = await LiveCalls.open({ ownCloud: "media_recording" });
});
after(() => calls.close());

/** Three seconds of a camera. */
const TURN_FRAMES = 30;
/** Half a second: later than any timer with which the player ends a segment. */
const MARGIN_FRAMES = 5;
/** Fewer pictures show nothing. */
const ENOUGH_FRAMES = 5;

const sign = (page: Page) => page.locator(".recording-sign");
const play = (page: Page, on: boolean) => page.evaluate((on) => window.setTone(on), on);

/** Counts the requests and responses of a page; a status is requested by `GET /appointments/{id}/call`. */
function watchSign(page: Page) {
  const watched = { statuses: 0, statusesBeforeRecorder: Number.NaN };
  page.on("request", (request) => {
    if (request.method() === "GET" && new URL(request.url()).pathname.endsWith("/call")) watched.statuses += 1;
  });
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      if (Number.isNaN(watched.statusesBeforeRecorder) && payload.includes("aws:MediaPipeline"))
        watched.statusesBeforeRecorder = watched.statuses;
    }),
  );
  return watched;
}

/** One person speaks, and the other one hears nobody else. */
async function speak(speaker: Page, listener: Page, name: SignatureName): Promise<void> {
  await play(listener, false);
  await play(speaker, true);
  await eventually(() => hearsOnly(listener, name), `${name} is heard`);
  await whileSending(speaker, async () => undefined, { frames: TURN_FRAMES });
}

/** Ends the call and waits until its recording can be played. */
async function recorded({ ask, control, cloud, appointmentId, users }: LiveCall, provider: Page) {
  await button(provider, "Leave").click();
  await button(provider, "End for everyone").click();
  await screen(provider, "ended");
  const headers = { authorization: `Bearer ${users.provider.token}` };
  return eventually(async () => {
    // The time that Chime takes for the file, and the schedule's, by the clock of the cloud.
    await control("clock", { advanceSeconds: 5 });
    const answer = await fetch(`${cloud.api}/appointments/${appointmentId}/recordings`, { headers });
    const [recording] = (await answer.json()).recordings;
    assert.notEqual(recording.state, "failed");
    assert.equal((await ask("provider", "GET", "")).status, 200);
    return recording.state === "ready" && recording;
  }, "the recording is ready");
}

/** The pictures in the middle of a person's turn, when it is settled who is shown. */
function middleOf(frames: PlayedFrame[], name: SignatureName): PlayedFrame[] {
  const turn = frames.filter(({ heard }) => heard.join() === name);
  return turn.slice(Math.ceil(turn.length / 2), Math.floor(turn.length * 0.9));
}

test("what is played of a recording has both, each while they speak, and nothing from before the consent or after its withdrawal", async () => {
  await calls.withAppointment(async (call) => {
    const { join, ask, attendee, context } = call;
    await watchFilms(context, /\/recordings\/.+\.mp4\?/);
    const watched = new Map<Page, ReturnType<typeof watchSign>>();
    const watch = async (page: Page) => {
      watched.set(page, watchSign(page));
    };
    // Before the consent both are somebody else.
    const provider = await join("provider", "guest", watch);
    const patient = await join("patient", "guest", watch);
    const pages = [provider, patient];
    const [providerId, patientId] = [await attendee("provider"), await attendee("patient")];
    await eventually(async () => (await seen(provider, patientId)) === "guest", "the provider sees the patient");
    await eventually(() => hearsOnly(patient, "guest"), "the patient hears the provider");

    await provider.bringToFront();
    await button(provider, "Recording").click();
    await button(provider, "Start recording").click();
    await provider.locator('[data-notice="recording"]', { hasText: /Provider.*Patient|Patient.*Provider/ }).waitFor();
    for (const page of pages) assert.ok(await sign(page).isHidden(), "without consent nothing is recorded");
    await wear(provider, "provider");
    await wear(patient, "patient");
    for (const page of pages) await play(page, false);
    await eventually(async () => (await seen(provider, patientId)) === "patient", "the patient's own colour");
    await eventually(async () => (await seen(patient, providerId)) === "provider", "the provider's own colour");
    for (const page of pages) await eventually(() => hearsOnly(page), "it is quiet");

    // The recording was requested, so it starts with the last consent.
    for (const role of ["provider", "patient"] as const)
      assert.equal((await ask(role, "PUT", "/consent", { recording: true })).status, 200);
    for (const page of pages) {
      await sign(page).getByText("Recording", { exact: true }).waitFor();
      const { statuses, statusesBeforeRecorder } = watched.get(page) ?? assert.fail();
      // One that was on its way when the recorder came, and the one that its coming has caused.
      const asked = statuses - statusesBeforeRecorder;
      assert.ok(asked >= 1 && asked <= 2, `${asked} statuses from the recorder's coming to the sign`);
      assert.equal(await page.locator(".tile").count(), 2, "the recorder is no participant");
    }
    await provider.locator("[data-recording]", { hasText: "This consultation is being recorded." }).waitFor();

    await speak(provider, patient, "provider");
    await speak(patient, provider, "patient");

    await patient.bringToFront();
    await button(patient, "Settings").click();
    const agrees = patient.locator("#consent-recording");
    assert.ok(await agrees.isChecked());
    await agrees.click();
    await eventually(
      async () => (await ask("patient", "GET", "")).body.consent.recording.granted === false,
      "the patient has withdrawn the consent",
    );
    // The capture goes on for a moment, which must not be played.
    const { framesSent } = await counters(patient);
    await eventually(async () => (await counters(patient)).framesSent > framesSent + MARGIN_FRAMES, "the tail begins");
    for (const page of pages) {
      await wear(page, "screen");
      await play(page, true);
    }
    for (const page of pages) {
      await sign(page).waitFor({ state: "hidden" });
      await appMessage(page, "RECORDING_STOPPED");
      const events = (await appEvents(page)).filter((event) => event.startsWith("RECORDING"));
      assert.deepEqual(events, ["RECORDING_STARTED", "RECORDING_STOPPED"]);
    }
    await provider.locator('[data-notice="recording"]', { hasText: "withdrawn their consent" }).waitFor();

    await provider.bringToFront();
    const { segments } = await recorded(call, provider);
    assert.equal(segments.length, 1);
    await button(provider, "Recordings of this appointment").click();
    await screen(provider, "recordings");
    // Under the policy of the page, with the links of the API.
    await button(provider.locator("article"), "Play").click();
    await provider.locator(".player > p", { hasText: "The recording is over." }).waitFor();

    const frames = await playedFrames(provider);
    for (const name of ["provider", "patient"] as const) {
      const turn = middleOf(frames, name);
      assert.ok(turn.length >= ENOUGH_FRAMES, `${turn.length} pictures while only ${name} speaks`);
      assert.deepEqual([...new Set(turn.map((frame) => frame.seen))], [name], `${name} is seen while they speak`);
    }
    const foreign = frames.filter(({ seen, heard }) =>
      [seen, ...heard].some((name) => name === "guest" || name === "screen"),
    );
    assert.deepEqual(foreign, [], "nothing of the time without consent");
    // The file has what the player leaves out.
    await provider.evaluate(playFrom, segments[0].durationSeconds);
    const rest = (await playedFrames(provider)).slice(frames.length);
    assert.ok(
      rest.some(({ seen }) => seen === "screen"),
      "the tail is in the file",
    );
  });
});

/** Runs in a page: plays the rest of the file that its player shows, to its end. */
function playFrom(seconds: number): Promise<void> {
  const rest = document.createElement("video");
  const ended = new Promise<void>((resolve, reject) => {
    rest.onended = () => resolve();
    rest.onerror = () => reject(new Error(rest.error?.message));
  });
  rest.src = document.querySelector("video")?.src ?? "";
  rest.currentTime = seconds;
  document.body.append(rest);
  return rest.play().then(() => ended);
}
