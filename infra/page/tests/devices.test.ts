// Camera, microphone and speaker: what the person chooses, and what of it the others see and hear.

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

/** Runs in each page: keeps which devices were opened. */
function opening() {
  window.openedDevices = [];
  // An empty page has no devices.
  if (!navigator.mediaDevices) return;
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await open(constraints);
    window.openedDevices.push(...stream.getTracks().map((track) => track.getSettings().deviceId));
    return stream;
  };
}

/** What the page sends of this kind, once it is so. */
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

test("whoever switches the microphone off is not announcement, and whoever switches the camera off is not seen", async () => {
  await calls.withAppointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    const loud = async () => (await media.received(page)).loud > 0.1;
    const silent = async () => (await media.received(page)).loud < 0.001;
    const pictures = async () => (await media.received(page)).pictures;
    await sends(media, page, "audio", [{ enabled: true }]);
    await eventually(loud, "the microphone is heard");
    const some = await pictures();
    await eventually(async () => (await pictures()) > some, "the camera is seen");

    await button(page, "Microphone: turn off").click();
    await sends(media, page, "audio", [{ enabled: false }]);
    await eventually(silent, "nothing is heard");
    await button(page, "Microphone: turn on").click();
    await sends(media, page, "audio", [{ enabled: true }]);
    await eventually(loud, "the microphone is announcement again");

    await button(page, "Camera: turn off").click();
    await page.locator(".tile.self:not(.seen)").waitFor();
    await sends(media, page, "video", []);
    const last = await pictures();
    await button(page, "Camera: turn on").click();
    await page.locator(".tile.self.seen").waitFor();
    await sends(media, page, "video", [{ enabled: true }]);
    await eventually(async () => (await pictures()) > last, "the camera is seen again");
  });
});

test("whom the provider mutes is not announcement, and stays so until they speak up themselves", async () => {
  await calls.withAppointment(async ({ inCall, media, ask, users }) => {
    await inCall("provider");
    const patient = await inCall("patient");
    await sends(media, patient, "audio", [{ enabled: true }]);
    const allow = (audio: string) =>
      ask("provider", "PATCH", `/attendees/${users.patient.id}`, { capabilities: { audio } });
    await allow("Receive");
    await sends(media, patient, "audio", [{ enabled: false }]);
    await allow("SendReceive");
    await announcement(patient, "You may turn on your microphone again.", { urgent: true });
    await sends(media, patient, "audio", [{ enabled: false }]);
  });
});

test("another microphone or camera that is chosen in the call is the one that is sent", async () => {
  await calls.withAppointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    await button(page, "Settings").click();
    const camera = await another(page, "Camera");
    await sends(media, page, "video", [{ device: camera, enabled: true }]);
    const microphone = await another(page, "Microphone");
    await sends(media, page, "audio", [{ device: microphone, enabled: true }]);
    const speaker = await another(page, "Speaker");
    await page.waitForFunction((speaker) => document.querySelector("audio")?.sinkId === speaker, speaker);
  });
});

test("whoever is muted and chooses another microphone stays muted", async () => {
  await calls.withAppointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    await eventually(async () => (await media.received(page)).loud > 0.1, "the microphone is heard");
    await button(page, "Settings").click();
    await button(page, "Microphone: turn off").click();
    await sends(media, page, "audio", [{ enabled: false }]);
    const microphone = await another(page, "Microphone");
    await sends(media, page, "audio", [{ device: microphone }]);
    assert.deepEqual(
      (await media.sentTracks(page)).find(({ kind }) => kind === "audio"),
      { kind: "audio", device: microphone, enabled: false },
    );
    // Pictures come five a second: by then it would have been heard.
    const { pictures } = await media.received(page);
    const later = await eventually(async () => {
      const now = await media.received(page);
      return now.pictures > pictures + 5 && now;
    }, "a second's pictures");
    assert.ok(later.loud < 0.001, `${later.loud} is heard`);
    await button(page, "Microphone: turn on").click();
    await eventually(async () => (await media.received(page)).loud > 0.1, "the other microphone is heard");
  });
});

test("what is chosen in the device check is seen and announcement there, and is what one goes in with", async () => {
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
    await eventually(async () => (await level()) > 0, "the other microphone is announcement too");
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

test("a device of the app's choice that is not there keeps nobody out", async () => {
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

test("the speaker is tested by two notes from the speaker that is chosen", async () => {
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

test("nobody sees or hears anybody before they join: the device check keeps to itself", async () => {
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
