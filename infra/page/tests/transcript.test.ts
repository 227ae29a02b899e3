// The transcript in the call and after it: the provider's controls, what everyone sees, and the words.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import {
  advanceUntil,
  announcement,
  button,
  eventually,
  notice,
  post,
  screen,
  shownScreen,
} from "./fixtures/browser.ts";
import { both, type Call, CallFixture } from "./fixtures/call-fixture.ts";
import type { ApiResponse } from "./fixtures/cdn-proxy.ts";
import { RECORDER, refused } from "./fixtures/recording-api.ts";
import { TranscriptApi, VTT } from "./fixtures/transcript-api.ts";
import { looks } from "./fixtures/views.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const withTranscripts = (run: (call: Call, api: TranscriptApi) => Promise<void>) =>
  calls.withAppointment(async (call) => {
    const api = new TranscriptApi(call.appointmentId);
    call.proxy.settings.respond = api.respond;
    await run(call, api);
  });

/** Joins both, who agree to a transcript, and opens the provider's panel. */
async function inPanel(call: Call) {
  const joined = await both(call);
  for (const role of ["provider", "patient"] as const)
    assert.equal((await call.ask(role, "PUT", "/consent", { transcription: true })).status, 200);
  await joined.provider.bringToFront();
  await button(joined.provider, "Recording").press("Enter");
  await button(joined.provider, "Start transcript").waitFor();
  return joined;
}

const state = (page: Page, text: string) => page.locator("[data-transcription]", { hasText: text }).waitFor();
const sign = (page: Page) => page.locator(".transcription-sign");
const language = (page: Page) => page.getByLabel("Language that is spoken");

test("the provider starts and stops a transcript in a language, and everyone sees what is done", async () => {
  await withTranscripts(async (call, api) => {
    const { provider, patient } = await inPanel(call);
    await state(provider, "What is said is not being written down.");
    assert.deepEqual(await language(provider).locator("option").allTextContents(), [
      "As set for this consultation",
      "Recognise the language",
      "American English",
      "français canadien",
      "Kiswahili (Kenya) (not yet tried)",
      "Somali (after the consultation)",
      "Lingala (not possible)",
    ]);
    assert.ok(await language(provider).locator("option", { hasText: "not possible" }).isDisabled());
    const among = provider.getByLabel("Languages to recognise, at least two");
    assert.ok(await among.isHidden());
    await language(provider).selectOption("identify");
    await among.selectOption(["en-US"]);
    await button(provider, "Start transcript").press("Enter");
    await notice(provider, "transcription").getByText("Choose at least two languages to recognise.").waitFor();
    assert.ok(api.requests.every(({ method }) => method === "GET"));

    await language(provider).selectOption("fr-CA");
    await button(provider, "Start transcript").press("Enter");
    await state(provider, "The transcript is starting…");
    assert.deepEqual(api.requests.at(-1)?.body, { language: "fr-CA" });
    for (const page of [provider, patient]) assert.ok(await sign(page).isHidden(), "what has not begun is not shown");

    Object.assign(api.current ?? assert.fail(), { state: "active" });
    call.media.requestRefresh();
    await state(provider, "What is said is being written down, in français canadien.");
    for (const page of [provider, patient]) {
      await sign(page).getByText("Transcript").waitFor();
      await announcement(page, "What is said is being written down.");
    }
    await button(provider, "Stop transcript").press("Enter");
    await state(provider, "The transcript is stopping…");
    // The status says that it runs until it has stopped.
    api.statuses.length = 0;
    call.media.requestRefresh();
    await eventually(() => api.statuses.length > 0, "a status is read");
    await state(provider, "The transcript is stopping…");
    Object.assign(api.current ?? assert.fail(), { state: "off", reason: "requested" });
    call.media.requestRefresh();
    await state(provider, "What is said is not being written down.");
    for (const page of [provider, patient]) {
      await sign(page).waitFor({ state: "hidden" });
      await announcement(page, "The transcript has stopped.");
      assert.ok(await notice(page, "transcription").isHidden(), "somebody has asked for it");
    }

    await language(provider).selectOption("identify");
    await among.selectOption(["en-US", "sw-KE"]);
    await button(provider, "Start transcript").press("Enter");
    await state(provider, "The transcript is starting…");
    assert.deepEqual(api.requests.at(-1)?.body, { language: "identify", languageOptions: ["en-US", "sw-KE"] });
  });
});

const ERRORS: { answer: ApiResponse; en: string; fr: string }[] = [
  {
    answer: { status: 429, body: refused("TRANSCRIPTION_BUDGET", { secondsLeft: 90 }) },
    en: "The minutes of today for transcripts are used up. What is left: 1:30.",
    fr: "Les minutes de transcription d’aujourd’hui sont épuisées. Il reste : 1:30.",
  },
  {
    answer: { status: 422, body: refused("INVALID_FIELD", { field: "language" }) },
    en: "A transcript is not possible with this choice of languages.",
    fr: "La transcription n’est pas possible avec ce choix de langues.",
  },
  {
    answer: { status: 503, body: refused("UNAVAILABLE") },
    en: "The transcription service does not answer. Please try again.",
    fr: "Le service de transcription ne répond pas. Veuillez réessayer.",
  },
  {
    answer: { status: 403, body: refused("PROVIDER_ONLY") },
    en: "You may not have this consultation transcribed.",
    fr: "Vous ne pouvez pas faire transcrire cette consultation.",
  },
];

test("each refusal of a start is said in both languages", async () => {
  await withTranscripts(async (call, api) => {
    const { provider } = await inPanel(call);
    const consent = {
      answer: { status: 409, body: refused("CONSENT_REQUIRED", { missing: [call.users.patient.id] }) },
      en: "Not transcribed, for the consent of these people is missing: Patient. They can agree in their settings.",
      fr: "Non transcrit, car il manque l’accord de : Patient. Il peut être donné dans les réglages.",
    };
    for (const { answer, en, fr } of [consent, ...ERRORS]) {
      api.refusals = [[/\/call\/transcription$/, answer]];
      await button(provider, "Start transcript").press("Enter");
      await notice(provider, "transcription").getByText(en).waitFor();
      await announcement(provider, en, { urgent: true });
      await post(provider, { type: "medzen.setLanguage", language: "fr" });
      // A space that does not break comes before French punctuation.
      await provider.waitForFunction(
        (text) =>
          document.querySelector('[data-notice="transcription"] p')?.textContent?.replaceAll("\u00a0", " ") === text,
        fr,
      );
      await post(provider, { type: "medzen.setLanguage", language: "en" });
      await state(provider, "What is said is not being written down.");
    }
  });
});

test("everyone reads why a transcript has ended by itself, and the provider the service's reason; captions have the size that is chosen", async () => {
  const cases = [
    [
      { state: "failed", reason: "chime_failed", message: "LanguageNotSupported" },
      "The transcript has stopped because of a fault.",
    ],
    [{ state: "off", reason: "consent_revoked" }, "because somebody has withdrawn their consent."],
    [{ state: "off", reason: "limit_reached" }, "because its time is used up."],
  ] as const;
  await withTranscripts(async (call, api) => {
    const { provider, patient, other } = await inPanel(call);
    const pages = [provider, patient];
    for (const [change, text] of cases) {
      api.begin({ state: "active" });
      // That of the capture with the text, whose coming and going make the pages read the status at once.
      call.media.addParticipant(RECORDER);
      for (const page of pages) {
        await sign(page).waitFor();
        await notice(page, "transcription").waitFor({ state: "hidden" });
      }
      Object.assign(api.current ?? assert.fail(), change);
      call.media.removeParticipant(RECORDER.attendeeId);
      for (const page of pages) {
        await notice(page, "transcription").getByText(text).waitFor();
        await sign(page).waitFor({ state: "hidden" });
      }
      if (change.state !== "failed") continue;
      await state(provider, "The transcript has failed.");
      await provider.getByText("The service says: LanguageNotSupported").waitFor();
    }

    await button(patient, "Captions: show").press("Enter");
    call.media.caption({ ...other, text: "Good morning", id: "r-1", partial: true });
    const line = patient.locator(".captions p", { hasText: "Good morning" });
    const size = () => line.evaluate((element) => Number.parseFloat(getComputedStyle(element).fontSize));
    const normal = await size();
    await button(patient, "Settings").press("Enter");
    await patient.getByLabel("Size of captions").selectOption({ label: "Very large" });
    await eventually(async () => Math.abs((await size()) / normal - 1.8) < 0.01, "1.8 times as large");
  });
});

test("a deployment without transcripts has no controls of them, and is asked once", async () => {
  await withTranscripts(async (call, api) => {
    api.deployed = false;
    await call.ask("provider", "POST", "");
    const provider = await call.inCall("provider");
    await button(provider, "Recording").press("Enter");
    await button(provider, "Start recording").waitFor();
    for (const what of ["a status is read", "another one is read"]) {
      api.statuses.length = 0;
      call.media.requestRefresh();
      await eventually(() => api.statuses.length > 0, what);
    }
    assert.equal(await button(provider, "Start transcript").count(), 0);
    assert.equal(api.requests.length, 1);
  });
});

/** A call that has ended, with a transcript. */
const withEnded = (run: (call: Call, api: TranscriptApi) => Promise<void>) =>
  withTranscripts(async (call, api) => {
    await call.ask("provider", "POST", "");
    await call.ask("provider", "DELETE", "");
    api.begin({ state: "off", reason: "call_ended" });
    api.say("provider", "provider", "How are you?");
    api.say("patient (shared content)", "patient", "My chest hurts.", { revoked: true });
    api.say("speaker 1", null, "متى بدأ ذلك؟", { language: "ar-SA", source: "batch" });
    api.gaps = [{ start: 24, end: 29, reason: "interrupted" }];
    await run(call, api);
  });

async function opened(call: Call, role: "provider" | "patient" = "provider"): Promise<Page> {
  const page = await call.person(role);
  await button(page, "Transcripts").click();
  await screen(page, "transcripts");
  return page;
}

const words = (page: Page) => page.locator(".transcript > li").allInnerTexts();

test("after the call the provider reads who said what and what is missing, and downloads it as VTT", async () => {
  await withEnded(async (call, api) => {
    const page = await opened(call);
    await page.locator("[data-segment]").first().waitFor();
    assert.deepEqual(
      (await words(page)).map((text) => text.split(/\s*\n+\s*/)),
      [
        ["Care provider", "0:10", "How are you?"],
        ["Patient", "shared screen", "0:20", "My chest hurts.", "Said before a consent was withdrawn."],
        ["Not transcribed for 0:05: the service was interrupted."],
        ["speaker 1", "0:30", "متى بدأ ذلك؟", "Written down after the consultation."],
      ],
    );
    const arabic = page.locator("[data-segment='3'] > p").first();
    assert.deepEqual(
      await arabic.evaluate((element: HTMLElement) => [element.lang, getComputedStyle(element).direction]),
      ["ar-SA", "rtl"],
    );
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      button(page, "Download as a file (VTT)").click(),
    ]);
    assert.equal(download.suggestedFilename(), "consultation.vtt");
    assert.equal(await readFile(await download.path(), "utf8"), VTT);

    await page.getByLabel("Hide personal details").check();
    await eventually(() => api.requests.at(-1)?.query === "view=redacted", "the redacted view is asked for");
    await button(page, "Back").click();
    await screen(page, "check");
  });
});

test("a transcript that is being prepared is asked for until it is there", async () => {
  await withEnded(async (call, api) => {
    api.refusals = [[/\/transcript$/, { status: 409, body: refused("TRANSCRIPT_NOT_READY") }]];
    await call.context.clock.install();
    const page = await opened(call);
    await page.locator(".card").getByText("The transcript is being prepared.").waitFor();
    assert.ok(await button(page, "Download as a file (VTT)").isHidden());
    api.refusals = [];
    await advanceUntil(page, () => page.locator("[data-segment]").first().isVisible(), "it is ready");
    api.refusals = [[/\/transcript$/, { status: 403, body: refused("TRANSCRIPT_RIGHT_MISSING") }]];
    await page.getByLabel("Hide personal details").check();
    await page.locator(".card").getByText("You may not read this transcript.").waitFor();
    assert.equal(await page.locator("[data-segment]").count(), 0);

    api.refusals = [];
    await page.getByLabel("Hide personal details").uncheck();
    await page.locator("[data-segment]").first().waitFor();
    api.refusals = [[/\/transcript$/, { status: 409, body: refused("TRANSCRIPT_NOT_MARKED") }]];
    await page.getByLabel("Hide personal details").check();
    await page.locator(".card").getByText("Personal details were not marked").waitFor();
    api.refusals = [];
    await page.getByLabel("Hide personal details").uncheck();
    await page.locator("[data-segment]").first().waitFor();
  });
});

test("a patient is offered the transcript with the right, in the form that the right allows, and has no search", async () => {
  await withEnded(async (call, api) => {
    api.rights = ["transcript.read_redacted"];
    const page = await opened(call, "patient");
    await page.locator("[data-segment]").first().waitFor();
    assert.deepEqual(
      api.requests.map(({ path, query }) => `${path}?${query}`),
      [`/appointments/${call.appointmentId}/transcript?view=redacted`],
    );
    assert.equal(await page.getByRole("search").count(), 0);
    assert.equal(await page.getByLabel("Hide personal details").count(), 0);
    api.rights = [];
    const other = await call.person("patient");
    await screen(other, "ended");
    await eventually(() => other.evaluate(() => document.readyState === "complete"), "the page is there");
    assert.equal(await button(other, "Transcripts").count(), 0);
    assert.equal(api.requests.length, 1);
  });
});

test("a provider searches in the transcripts of the own calls, reads on, and opens what was found", async () => {
  await withEnded(async (call, api) => {
    const result = (segment: number, snippet: string) => ({
      transcriptId: randomUUID(),
      appointmentId: call.appointmentId,
      sessionId: "00000000-0000-4000-8000-000000000001",
      segment,
      start: 20,
      snippet,
    });
    api.found = [[result(2, "My <mark>chest</mark> hurts <b>")], [result(1, "the <mark>chest</mark>")]];
    const page = await opened(call);
    await page.locator("[data-segment]").first().waitFor();
    const search = page.getByRole("search");
    await search.getByLabel("Search in the transcripts of your consultations").fill("chest");
    await page.keyboard.press("Enter");
    await announcement(page, "Results: 1");
    assert.deepEqual(api.requests.at(-1)?.body, { query: "chest" });
    const first = button(search, /My chest hurts <b>/);
    assert.deepEqual(await first.locator("mark").allTextContents(), ["chest"]);
    await button(search, "More results").click();
    await announcement(page, "Results: 2");
    assert.deepEqual(api.requests.at(-1)?.body, { query: "chest", cursor: "1" });
    assert.ok(await button(search, "More results").isHidden());
    await first.click();
    await eventually(
      () => page.evaluate(() => document.activeElement?.getAttribute("data-segment") === "2"),
      "the place is shown",
    );
    assert.equal(api.requests.at(-1)?.query, "sessionId=00000000-0000-4000-8000-000000000001");
    api.found = [];
    await search.getByLabel("Search in the transcripts of your consultations").fill("nothing");
    await button(search, "Search").click();
    await announcement(page, "Nothing was found.");
    assert.equal(await shownScreen(page), "transcripts");
  });
});

test("transcript and search have no accessibility violation in any view", async () => {
  await withEnded(async (call, api) => {
    api.found = [
      [
        {
          transcriptId: randomUUID(),
          appointmentId: randomUUID(),
          sessionId: randomUUID(),
          segment: 1,
          start: 1,
          snippet: "<mark>x</mark>",
        },
      ],
    ];
    const page = await opened(call);
    await page.locator("[data-segment]").first().waitFor();
    await page.getByRole("search").getByRole("searchbox").fill("x");
    await page.keyboard.press("Enter");
    await announcement(page, "Results: 1");
    await looks(page, "transcripts");
  });
});
