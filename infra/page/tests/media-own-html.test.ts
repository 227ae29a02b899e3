// An app with its own HTML, whose origin is `null`, has a real call by the SDK from here and the API's answer.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { context, eventually } from "./fixtures/browser.ts";
import { requestApi } from "./fixtures/call-fixture.ts";
import { built, type Manifest } from "./fixtures/cdn-proxy.ts";
import { LiveCalls } from "./fixtures/live-call.ts";
import { hearsOnly, SIGNATURES, seen, synthesizeDevices } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

test("a page of origin null connects with the SDK from the CDN, and sees the other, and both hear each other", async () => {
  await calls.withAppointment(async ({ join, attendee, appointmentId, users, cloud }) => {
    const provider = await join("provider");
    const providerId = await attendee("provider");
    const { status, body } = await requestApi(cloud, appointmentId, users.patient.token, "POST", "/attendees", {});
    assert.equal(status, 200);
    const manifest: Manifest = JSON.parse(readFileSync(`${built}/manifest.json`, "utf8"));
    const sdk = manifest.files.find(({ path }) => path.startsWith("assets/chime-sdk-"));
    assert.ok(sdk);
    const made = await context(calls.chromium);
    try {
      const page = await made.context.newPage();
      await page.setContent(
        `<!doctype html><title>app</title><audio autoplay></audio>
         <script src="${cloud.page}/${sdk.path}" integrity="${sdk.integrity}" crossorigin="anonymous"></script>`,
      );
      assert.equal(await page.evaluate(() => origin), "null");
      await page.evaluate(synthesizeDevices, SIGNATURES.screen);
      const started = await page.evaluate(
        async ({ meeting, attendee, tone }) => {
          const sdk = window.ChimeSDK;
          if (!sdk) return "no SDK";
          const logger = new sdk.NoOpLogger(sdk.LogLevel.OFF);
          const configuration = new sdk.MeetingSessionConfiguration(meeting, attendee);
          const { audioVideo } = new sdk.DefaultMeetingSession(
            configuration,
            logger,
            new sdk.DefaultDeviceController(logger),
          );
          // A page that is no secure context has no microphone: this app sends a tone that it makes.
          const context = new AudioContext();
          const oscillator = context.createOscillator();
          oscillator.frequency.value = tone;
          const destination = context.createMediaStreamDestination();
          oscillator.connect(destination);
          oscillator.start();
          await audioVideo.startAudioInput(destination.stream);
          const audio = document.querySelector("audio");
          if (audio) await audioVideo.bindAudioElement(audio);
          return new Promise((resolve) => {
            audioVideo.addObserver({
              audioVideoDidStart: () => resolve("started"),
              audioVideoDidStop: (status) => resolve(`stopped: ${status.statusCode()}`),
              videoTileDidUpdate: ({ tileId, boundAttendeeId, localTile }) => {
                if (tileId === null || localTile) return;
                const id = `tile-${tileId}`;
                const tile = document.getElementById(id) ?? document.createElement("div");
                // The first update of a tile names no attendee.
                Object.assign(tile, { id, className: "tile" });
                tile.dataset["attendee"] = boundAttendeeId ?? "";
                if (tile.isConnected) return;
                const video = document.createElement("video");
                tile.append(video);
                document.body.append(tile);
                audioVideo.bindVideoElement(tileId, video);
              },
            });
            audioVideo.start();
          });
        },
        { ...body, tone: SIGNATURES.patient.tone },
      );
      assert.equal(started, "started");
      await eventually(async () => (await seen(page, providerId)) === "provider", "it sees the provider");
      await eventually(() => hearsOnly(page, "provider"), "it hears the provider");
      await eventually(() => hearsOnly(provider, "patient"), "the provider hears it");
      assert.deepEqual(made.errors, []);
    } finally {
      await made.context.close();
    }
  });
});
