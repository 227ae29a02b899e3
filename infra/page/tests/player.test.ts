// Recordings after the call: the list and the player, under the policy that the page has where calls are recorded.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { advanceUntil, announcement, appMessage, button, eventually, screen } from "./fixtures/browser.ts";
import { type Call, CallFixture } from "./fixtures/call-fixture.ts";
import { type Playback, type Recording, RecordingApi, refused, segment } from "./fixtures/recording-api.ts";
import { type Film, film, type RecordingFiles, serveFiles } from "./fixtures/recording-files.ts";
import { looks } from "./fixtures/views.ts";

let calls: CallFixture;
let made: Film;
let files: RecordingFiles;
before(async () => {
  calls = await CallFixture.open();
  made = await film(calls.chromium);
  files = await serveFiles(made);
});
after(() => Promise.all([calls.close(), files.close()]));

const READY: Partial<Recording> = {
  state: "ready",
  endReason: "call_ended",
  segments: [segment(), segment()],
};
/** Each file is longer than what may be played of it. */
const FIRST_SECONDS = 1.2;
const SECOND_SECONDS = 0.9;

const playback = (expiresInMs = 900_000): Playback => ({
  segments: [
    {
      number: 1,
      url: files.link("r/1.mp4"),
      startedAt: "2026-11-29T10:00:00.000Z",
      durationSeconds: FIRST_SECONDS,
      gapSeconds: 0,
      gapReason: null,
    },
    {
      number: 3,
      url: files.link("r/3.mp4"),
      startedAt: "2026-11-29T10:02:00.000Z",
      durationSeconds: SECOND_SECONDS,
      gapSeconds: 80,
      gapReason: "paused",
    },
  ],
  expiresAt: new Date(Date.now() + expiresInMs).toISOString(),
});

/** The provider comes back to a call that has ended. */
async function withEnded(
  run: (call: Call, api: RecordingApi, open: () => Promise<Page>) => Promise<void>,
  { mediaSource = files.origin }: { mediaSource?: string } = {},
) {
  files.requests.length = 0;
  await calls.withAppointment(async (call) => {
    await call.ask("provider", "POST", "");
    await call.ask("provider", "DELETE", "");
    const api = new RecordingApi(call.appointmentId);
    call.proxy.settings.respond = api.respond;
    call.proxy.settings.mediaSource = mediaSource;
    await call.context.addInitScript(watchFrames);
    await run(call, api, async () => {
      const page = await call.person("provider");
      await button(page, "Recordings of this appointment").click();
      await screen(page, "recordings");
      return page;
    });
  });
}

/** Runs in each page: notes the time of each picture that is shown, and of what is heard, by the file. */
function watchFrames() {
  window.shownFrames = [];
  document.addEventListener(
    "loadstart",
    ({ target }) => {
      if (!(target instanceof HTMLVideoElement) || !target.src.includes("/recordings/")) return;
      const file = /(\d)\.mp4/.exec(target.src)?.[1] ?? "";
      const note = (seconds: number) => {
        if (target.src.includes(`/${file}.mp4`)) window.shownFrames.push({ file, seconds });
      };
      const next = () =>
        target.requestVideoFrameCallback((_, { mediaTime }) => {
          note(mediaTime);
          if (target.src.includes(`/${file}.mp4`)) next();
        });
      next();
    },
    { capture: true },
  );
}

const last = (page: Page, file: string) =>
  page.evaluate(
    (file) => Math.max(...window.shownFrames.filter((frame) => frame.file === file).map(({ seconds }) => seconds)),
    file,
  );

const playButton = (page: Page) => button(page.locator("article"), "Play").first();
const line = (page: Page, text: string) => page.locator(".player > p", { hasText: text }).waitFor();

test("the segments are played in order, each to the end of what may be played, and the gap between them is said", async () => {
  await withEnded(async ({ proxy }, api, open) => {
    const { recordingId } = api.begin(READY);
    api.playback = () => playback();
    const page = await open();
    assert.equal(proxy.files.filter(({ path }) => path.includes("recordings-")).length, 1, "the player is loaded");
    await playButton(page).press("Enter");
    await announcement(page, "Not recorded for 1:20: the recording was paused.");
    await line(page, "The recording is over.");
    await announcement(page, "The recording is over.");
    assert.ok(made.seconds > 2 * FIRST_SECONDS, "the file is longer");
    for (const [file, seconds] of [
      ["1", FIRST_SECONDS],
      ["3", SECOND_SECONDS],
    ] as const) {
      const shown = await last(page, file);
      assert.ok(shown > seconds / 2, `file ${file} was played, to ${shown}`);
      // One picture of the film takes a tenth of a second.
      assert.ok(shown <= seconds + 0.1, `file ${file} was shown until ${shown} of ${seconds}`);
    }
    assert.deepEqual(
      [...new Set(files.requests.map(({ path }) => path))],
      ["/recordings/r/1.mp4", "/recordings/r/3.mp4"],
    );
    assert.ok(files.requests.every(({ status }) => status < 300));
    assert.equal(await page.getByText(/^0:02 \/ 0:02$/).count(), 1, "the tail does not count");

    // Again from the beginning, by the keyboard; the position can be moved into another segment.
    const before = await page.evaluate(() => window.shownFrames.length);
    await button(page.locator(".player"), "Play").press("Enter");
    await eventually(
      async () =>
        (await page.evaluate((before) => window.shownFrames.slice(before), before)).some(({ file }) => file === "1"),
      "it is played again",
    );
    await page.getByLabel("Position in the recording").press("End");
    await line(page, "The recording is over.");
    assert.ok((await last(page, "3")) <= SECOND_SECONDS + 0.1);
    // As a media key does.
    const video = page.locator("video");
    await video.evaluate((video: HTMLVideoElement) => {
      video.currentTime = 2.5;
    });
    await eventually(
      () =>
        video.evaluate(
          (video: HTMLVideoElement, end) => !video.seeking && video.paused && video.currentTime <= end,
          SECOND_SECONDS,
        ),
      "the tail cannot be reached",
    );
    assert.equal(api.requests.filter(({ path }) => path === `/recordings/${recordingId}/playback`).length, 1);
  });
});

test("new links are asked for when S3 refuses one, and the recording goes on where it was", async () => {
  await withEnded(async (_, api, open) => {
    api.begin(READY);
    let asked = 0;
    api.playback = () => {
      asked += 1;
      const links = playback();
      // The links of the first answer work only until its first segment is loaded.
      return links;
    };
    const page = await open();
    await playButton(page).click();
    await eventually(() => page.evaluate(() => window.shownFrames.length > 0), "the first segment is played");
    files.expire();
    await line(page, "The recording is over.");
    assert.equal(asked, 2);
    assert.ok(files.requests.some(({ path, status }) => path.endsWith("/3.mp4") && status === 403));
    assert.ok((await last(page, "3")) > SECOND_SECONDS / 2);

    // Links that never work end with what to do, and not with ever more requests.
    const real = api.playback;
    api.playback = (id) => {
      const links = real(id);
      files.expire();
      return links;
    };
    files.expire();
    // Its newest link has not been used, so that the browser has nothing of it.
    await button(page, /^Part 1/).click();
    await line(page, "The recording cannot be played just now. Please try again.");
    assert.equal(asked, 3);
    api.playback = real;
    await button(page.locator(".player"), "Play").click();
    await line(page, "The recording is over.");
  });
});

test("new links are asked for before a segment is loaded with links that have expired", async () => {
  await withEnded(async (call, api, open) => {
    api.begin(READY);
    api.playback = () => playback();
    await call.context.clock.install();
    const page = await open();
    await playButton(page).click();
    await line(page, "The recording is over.");
    const links = () => api.requests.filter(({ path }) => path.endsWith("/playback")).length;
    assert.equal(links(), 1);
    await page.clock.fastForward("16:00");
    files.expire();
    files.requests.length = 0;
    await button(page, /^Part 3/).click();
    await eventually(() => links() === 2, "links are asked for");
    await eventually(() => files.requests.length > 0, "the segment is loaded");
    assert.deepEqual(
      files.requests.filter(({ status }) => status === 403),
      [],
    );
  });
});

test("those without the right to list are not asked for recordings, and those without the right to play for links", async () => {
  await withEnded(async ({ person }, api, open) => {
    api.begin(READY);
    api.rights = [];
    for (const [role, shown] of [
      ["provider", "check"],
      ["patient", "ended"],
    ] as const) {
      const page = await person(role);
      await screen(page, shown);
      await eventually(() => page.evaluate(() => document.readyState === "complete"), "the page is there");
      assert.equal(await button(page, "Recordings of this appointment").count(), 0);
    }
    assert.deepEqual(api.requests, [], "the server audits what it refuses");
    api.rights = ["list"];
    const page = await open();
    await page.locator("article").waitFor();
    assert.equal(await page.getByRole("button", { name: "Play" }).count(), 0);
    assert.ok(!JSON.stringify(api.requests.map(({ path }) => path)).includes("playback"));
  });
});

test("a provider who may no longer play a recording sees no player", async () => {
  await withEnded(async (_, api, open) => {
    api.begin(READY);
    api.refusals = [[/\/playback$/, { status: 403, body: refused("RECORDING_RIGHT_MISSING") }]];
    const page = await open();
    await playButton(page).click();
    await page.locator("article").getByText("You may not play this recording.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Play" }).count(), 0);
  });
});

test("a patient with the rights is offered the recordings at the end of the call and afterwards, and plays them", async () => {
  await calls.withAppointment(async (call) => {
    const api = new RecordingApi(call.appointmentId);
    api.rights = ["list", "play"];
    api.playback = () => playback();
    call.proxy.settings.respond = api.respond;
    call.proxy.settings.mediaSource = files.origin;
    await call.ask("provider", "POST", "");
    const page = await call.inCall("patient");
    const processing = api.begin({ ...READY, state: "processing" });
    await call.ask("provider", "DELETE", "");
    call.media.requestRefresh();
    await screen(page, "ended");
    await button(page, "Recordings of this appointment").click();
    await page.getByText("This recording is being prepared.").waitFor();
    processing.state = "ready";
    await button(page, "Back").click();
    await screen(page, "ended");
    await button(page, "Recordings of this appointment").click();
    await playButton(page).click();
    await line(page, "The recording is over.");
  });
});

test("the list says what is being prepared, incomplete, failed and deleted, and follows it until nothing changes any more", async () => {
  await withEnded(async (call, api, open) => {
    api.begin({ state: "deleted" });
    api.begin({ state: "failed" });
    api.begin({ state: "incomplete", segments: [segment(12.4), segment()] });
    const processing = api.begin({ state: "processing" });
    await call.context.clock.install();
    const page = await open();
    await page.locator("article").nth(3).waitFor();
    assert.deepEqual(await page.locator("article > p:not([hidden])").allTextContents(), [
      "This recording is being prepared. It can be played here as soon as it is ready.",
      "This recording is incomplete: 0:12 of it are missing.",
      "This recording could not be made.",
      "This recording has been deleted.",
    ]);
    assert.equal(await page.getByRole("button", { name: "Play" }).count(), 1, "what is there of the incomplete one");
    await playButton(page).click();
    await page.locator("article").getByText("This recording cannot be played yet.").waitFor();
    processing.state = "ready";
    const lists = () => api.requests.filter(({ path }) => path.endsWith("/recordings")).length;
    await advanceUntil(
      page,
      async () => (await page.getByRole("button", { name: "Play" }).count()) === 2,
      "it is ready",
    );
    const before = lists();
    await page.clock.fastForward("10:00");
    await button(page, "Back").click();
    await screen(page, "check");
    await button(page, "Recordings of this appointment").waitFor();
    assert.equal(lists(), before + 1, "only the next screen has asked again");
  });
});

test("the provider who ends a call is offered its recording", async () => {
  await calls.withAppointment(async (call) => {
    const api = new RecordingApi(call.appointmentId);
    call.proxy.settings.respond = api.respond;
    const page = await call.inCall("provider");
    api.begin({ state: "processing", endReason: "call_ended" });
    await button(page, "Leave").click();
    await button(page, "End for everyone").click();
    await appMessage(page, "MEETING_ENDED_BY_PROVIDER");
    await button(page, "Recordings of this appointment").click();
    await page.getByText("This recording is being prepared.").waitFor();
    await button(page, "Back").click();
    await screen(page, "check");
  });
});

test("a recording is played only from the origin that the policy names", async () => {
  await assert.rejects(
    withEnded(
      async (_, api, open) => {
        api.begin(READY);
        api.playback = () => playback();
        const page = await open();
        await playButton(page).click();
        await line(page, "The recording cannot be played just now.");
        assert.deepEqual(files.requests, []);
      },
      { mediaSource: "" },
    ),
    /content security policy: media-src/,
  );
});

test("a script of the player that was altered or does not arrive is not run, and the page says so", async () => {
  await withEnded(async ({ proxy, person }, api) => {
    api.begin(READY);
    proxy.settings.alter = [/assets\/recordings-/, (contents) => Buffer.concat([contents, Buffer.from(";")])];
    const page = await person("provider");
    const offer = button(page, "Recordings of this appointment");
    await offer.click();
    await page.getByText("This could not be loaded.").waitFor();
    proxy.settings.alter = undefined;
    await offer.click();
    await screen(page, "recordings");
  });
});

test("list and player have no accessibility violation in any view", async () => {
  await withEnded(async (_, api, open) => {
    api.begin({ state: "processing" });
    api.begin(READY);
    api.playback = () => playback();
    const page = await open();
    await playButton(page).click();
    await line(page, "The recording is over.");
    await looks(page, "player");
  });
});
