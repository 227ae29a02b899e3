// Camera, microphone and speaker: what the person chooses, and what the page sends.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { announcement, appMessage, button, chooseAnother, eventually, screen } from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";
import type { ScriptedMedia, SentTrack } from "./fixtures/scripted-media.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

/** Chooses another device of this kind than the current one, and returns its id. */
const another = (page: Page, kind: string) => chooseAnother(page.getByLabel(kind, { exact: true }));

/** Runs in each page: keeps the ids of the devices that were opened. */
function opening() {
  window.openedDevices = [];
  // A blank page has no devices.
  if (!navigator.mediaDevices) return;
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await open(constraints);
    window.openedDevices.push(...stream.getTracks().map((track) => track.getSettings().deviceId));
    return stream;
  };
}

/** Waits until the page sends exactly these tracks of this kind. */
const sends = (media: ScriptedMedia, page: Page, kind: string, expected: Partial<SentTrack>[]) =>
  eventually(
    async () => {
      const tracks = (await media.sentTracks(page)).filter((track) => track.kind === kind);
      return (
        tracks.length === expected.length &&
        tracks.every((track, index) =>
          Object.entries(expected[index] ?? {}).every(([name, value]) => track[name as keyof SentTrack] === value),
        )
      );
    },
    `${kind} goes out as ${JSON.stringify(expected)}`,
  );

test("the device check shows the chosen devices, and the call uses them", async () => {
  await calls.withAppointment(async ({ person, enter, media, context }) => {
    await context.addInitScript(opening);
    const page = await person("provider");
    await screen(page, "check");
    const level = () => page.getByRole("meter", { name: "Sound level" }).getAttribute("aria-valuenow").then(Number);
    await eventually(async () => (await level()) > 0, "the level shows that the microphone is heard");
    const camera = await another(page, "Camera");
    await page.waitForFunction(
      (camera) =>
        (document.querySelector<HTMLVideoElement>(".preview video")?.srcObject as MediaStream | null)
          ?.getVideoTracks()[0]
          ?.getSettings().deviceId === camera,
      camera,
    );
    await page.waitForFunction(() => (document.querySelector<HTMLVideoElement>(".preview video")?.videoWidth ?? 0) > 0);
    const microphone = await another(page, "Microphone");
    await page.waitForFunction((microphone) => window.openedDevices.at(-1) === microphone, microphone);
    await eventually(async () => (await level()) > 0, "the other microphone is heard too");
    const speaker = await another(page, "Speaker");
    await button(page, "Microphone: turn off").click();
    assert.equal(await level(), 0);
    await button(page, "Microphone: turn on").click();
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
    await sends(media, page, "video", [{ device: camera }]);
    await sends(media, page, "audio", [{ device: microphone, enabled: true }]);
    await page.waitForFunction((speaker) => document.querySelector("audio")?.sinkId === speaker, speaker);
  });
});

test("a missing device in deviceDefaults does not prevent joining", async () => {
  await calls.withAppointment(async ({ person, enter, media }) => {
    const page = await person("provider", {
      deviceDefaults: { audioInput: "gone", videoInput: "gone", audioOutput: "gone" },
    });
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
    await sends(media, page, "audio", [{ enabled: true }]);
    await sends(media, page, "video", [{ enabled: true }]);
  });
});

test("a device that is plugged in during the call can be chosen", async () => {
  await calls.withAppointment(async ({ inCall }) => {
    const page = await inCall("provider");
    await button(page, "Settings").click();
    const options = () => page.getByLabel("Microphone", { exact: true }).locator("option").allTextContents();
    await page.getByLabel("Microphone", { exact: true }).waitFor();
    assert.ok(!(await options()).includes("New headset"));
    await page.evaluate(async () => {
      const devices = await navigator.mediaDevices.enumerateDevices();
      const more = {
        kind: "audioinput" as const,
        deviceId: "headset",
        groupId: "headset",
        label: "New headset",
        toJSON: () => undefined,
      };
      navigator.mediaDevices.enumerateDevices = async () => [...devices, more];
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    });
    await eventually(async () => (await options()).includes("New headset"), "it is in the list");
  });
});

test("the speaker test plays two notes through the chosen speaker", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await context.addInitScript(() => {
      window.played = [];
      const play = HTMLAudioElement.prototype.play;
      HTMLAudioElement.prototype.play = function () {
        window.played.push({ speaker: this.sinkId, tracks: (this.srcObject as MediaStream).getAudioTracks().length });
        return play.call(this);
      };
      const start = OscillatorNode.prototype.start;
      window.notes = 0;
      OscillatorNode.prototype.start = function (at) {
        window.notes += 1;
        return start.call(this, at);
      };
    });
    const page = await person("patient");
    await screen(page, "check");
    const speaker = await another(page, "Speaker");
    const test = button(page, "Test the speaker");
    await test.click();
    await announcement(page, "You should hear two notes now.");
    await page.waitForFunction(() => window.played.length === 1);
    assert.deepEqual(await page.evaluate(() => [window.played, window.notes]), [[{ speaker, tracks: 1 }], 2]);
    await page.locator("button:not([aria-disabled])", { hasText: "Test the speaker" }).waitFor();
  });
});

test("the device check opens no connection before the person joins", async () => {
  await calls.withAppointment(async ({ person, enter, media, proxy }) => {
    const page = await person("provider");
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await screen(page, "check");
    await appMessage(page, "SDK_READY");
    await another(page, "Camera");
    await another(page, "Microphone");
    await page.waitForFunction(() => (document.querySelector<HTMLVideoElement>(".preview video")?.videoWidth ?? 0) > 0);
    assert.deepEqual(media.addresses, []);
    assert.deepEqual(await media.sentTracks(page), []);
    assert.equal(await page.evaluate(() => window.connections.length), 0);
    assert.deepEqual(
      proxy.requests.map(({ method }) => method),
      ["GET"],
      "nobody is told that they are there",
    );
    for (const address of requests) assert.equal(new URL(address).origin, proxy.origin);
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
    assert.equal(media.addresses.length, 1);
  });
});
