// Cameras and microphones that fail, disappear or give no sound: the page says so, and leads on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  advanceUntil,
  announcement,
  appMessage,
  button,
  chooseAnother,
  eventually,
  liveTracks,
  notice,
  screen,
  watchDevices,
} from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

test("the microphone of a person who only listens is shown as on once it is open, and not before", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      window.broken = ["audio", "video"];
    });
    const page = await person("provider");
    await screen(page, "devices-taken");
    await button(page, "Join to listen only").click();
    await appMessage(page, "MEETING_JOINED");
    await button(page, "Microphone: turn on").click();
    await notice(page, "microphone").waitFor();
    assert.ok(await button(page, "Microphone: turn on").isVisible(), "what cannot be opened is not on");
    assert.deepEqual(await liveTracks(page), []);
    await page.evaluate(() => (window.broken = []));
    await button(page, "Microphone: turn on").click();
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await liveTracks(page), ["audio"]);
    assert.ok(await page.evaluate(() => window.tracks.at(-1)?.enabled));
  });
});

test("camera and microphone that fail while joining are shown as off", async () => {
  await calls.withAppointment(async ({ person, context, enter }) => {
    await watchDevices(context);
    const page = await person("provider");
    await screen(page, "check");
    // Another program opens the devices between the device check and the call.
    await page.evaluate(() => (window.broken = ["audio", "video"]));
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
    await notice(page, "microphone").waitFor();
    await notice(page, "camera").waitFor();
    await button(page, "Microphone: turn on").waitFor();
    await button(page, "Camera: turn on").waitFor();
    await page.evaluate(() => (window.broken = []));
    await button(page, "Camera: turn on").click();
    await page.locator(".tile.self.seen").waitFor();
    await notice(page, "camera").waitFor({ state: "hidden" });
  });
});

test("the page reports a microphone or camera that disappears during the call, and another one can be chosen", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.locator(".tile.self.seen").waitFor();
    const unplugged = (kind: string) =>
      page.evaluate((kind) => {
        const track = window.tracks.findLast((one) => one.kind === kind && one.readyState === "live");
        track?.stop();
        track?.dispatchEvent(new Event("ended"));
      }, kind);
    await unplugged("audio");
    await notice(page, "microphone").getByText("You are not heard").waitFor();
    await announcement(page, "You are not heard: choose another microphone in the settings.", { urgent: true });
    await button(page, "Microphone: turn on").waitFor();
    await unplugged("video");
    await notice(page, "camera").waitFor();
    await button(page, "Camera: turn on").waitFor();
    await page.locator(".tile.self:not(.seen)").waitFor();
    // Another microphone that is chosen in the settings is on, as the one before was.
    await button(page, "Settings").click();
    const select = page.getByLabel("Microphone", { exact: true });
    await chooseAnother(select);
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await liveTracks(page), ["audio"]);
  });
});

test("the page shows for how long the device uses the microphone for something else", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    const dispatch = (name: string) =>
      page.evaluate(
        (name) =>
          window.tracks
            .findLast(({ kind, readyState }) => kind === "audio" && readyState === "live")
            ?.dispatchEvent(new Event(name)),
        name,
      );
    await dispatch("mute");
    await notice(page, "held").waitFor();
    await page.locator('[data-control="microphone"].off').waitFor();
    await dispatch("unmute");
    await notice(page, "held").waitFor({ state: "hidden" });
    await page.locator('[data-control="microphone"]:not(.off)').waitFor();
  });
});

test("the settings list the devices that are plugged in", async () => {
  await calls.withAppointment(async ({ inCall }) => {
    const page = await inCall("provider");
    await button(page, "Settings").click();
    const cameras = page.getByLabel("Camera", { exact: true }).locator("option");
    await eventually(async () => (await cameras.count()) === 2, "two cameras");
    await page.evaluate(() => {
      const all = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
      navigator.mediaDevices.enumerateDevices = async () => {
        const devices = await all();
        const gone = devices.findLast(({ kind }) => kind === "videoinput");
        return devices.filter((device) => device !== gone);
      };
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    });
    await eventually(async () => (await cameras.count()) === 1, "one camera");
  });
});

test("a muted person stays muted with another microphone", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await button(page, "Microphone: turn off").click();
    await button(page, "Microphone: turn on").waitFor();
    await button(page, "Settings").click();
    const before = await page.evaluate(() => window.tracks.length);
    const select = page.getByLabel("Microphone", { exact: true });
    await chooseAnother(select);
    await page.waitForFunction(
      (before) => window.tracks.slice(before).some(({ kind, enabled }) => kind === "audio" && !enabled),
      before,
    );
    await button(page, "Microphone: turn on").click();
    await page.waitForFunction((before) => window.tracks.slice(before).every(({ enabled }) => enabled), before);
  });
});

test("a microphone that a phone call has silenced is opened anew when it is turned on", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    const opened = () => page.evaluate(() => window.tracks.filter(({ kind }) => kind === "audio").length);
    const microphone = page.locator('[data-control="microphone"]');
    for (const how of ["by the person", "when the page is seen again"]) {
      const before = await opened();
      // After a call iOS leaves the track muted for good: https://github.com/aws/amazon-chime-sdk-js/issues/3238
      await page.evaluate(() =>
        window.tracks.findLast(({ kind }) => kind === "audio")?.dispatchEvent(new Event("mute")),
      );
      await notice(page, "held").waitFor();
      assert.ok(await microphone.evaluate((control) => control.classList.contains("off")));
      if (how === "by the person") await microphone.click();
      else await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
      await notice(page, "held").waitFor({ state: "hidden" });
      await page.locator('[data-control="microphone"]:not(.off)').waitFor();
      assert.equal(await opened(), before + 1, how);
      assert.ok(
        await page.evaluate(() => window.tracks.at(-1)?.enabled && window.tracks.at(-1)?.readyState === "live"),
      );
    }
  });
});

test("a microphone that is on and gives no sound for 20 seconds is reported, until it is heard", async () => {
  await calls.withAppointment(async ({ inCall, media, context }) => {
    await context.addInitScript(() => {
      if (!navigator.mediaDevices) return;
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        if (!constraints?.audio) return open(constraints);
        const sound = new AudioContext();
        const silent = sound.createMediaStreamDestination();
        window.makeSound = () => {
          const tone = new OscillatorNode(sound);
          tone.connect(silent);
          tone.start();
        };
        const stream = new MediaStream(silent.stream.getAudioTracks());
        if (constraints.video) for (const track of (await open({ video: true })).getTracks()) stream.addTrack(track);
        return stream;
      };
    });
    const page = await inCall("provider");
    await page.clock.install();
    await eventually(async () => (await media.sentTracks(page)).some(({ kind }) => kind === "audio"), "it is sent");
    let seconds = 0;
    await advanceUntil(
      page,
      () => {
        seconds += 1;
        return notice(page, "silent").isVisible();
      },
      "the page says that nothing is heard",
    );
    assert.ok(seconds >= 20, `after ${seconds} seconds`);
    await announcement(page, "Your microphone gives no sound. Look for its mute switch, or choose another one.", {
      urgent: true,
    });
    await page.evaluate(() => window.makeSound());
    await advanceUntil(page, () => notice(page, "silent").isHidden(), "it is heard");
  });
});

test("a microphone that vanishes is noticed, also if the browser does not end its track", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.evaluate(() => {
      const used = window.tracks.findLast(({ kind }) => kind === "audio")?.getSettings().deviceId;
      const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
      navigator.mediaDevices.enumerateDevices = async () =>
        (await list()).filter(({ kind, deviceId }) => kind !== "audioinput" || deviceId !== used);
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    });
    await notice(page, "microphone").getByText("You are not heard").waitFor();
    await button(page, "Microphone: turn on").waitFor();
    await eventually(async () => (await liveTracks(page)).join() === "video", "its track is closed");
  });
});

test("the speaker can be tested during the call", async () => {
  await calls.withAppointment(async ({ inCall }) => {
    const page = await inCall("provider");
    await button(page, "Settings").click();
    await button(page, "Test the speaker").click();
    await announcement(page, "You should hear two notes now.");
  });
});
