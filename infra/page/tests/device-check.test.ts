// The device check with cameras and microphones that are blocked, declined, in use or do not answer: each by itself, and always with
// a way on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  advanceUntil,
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

test("the device check reports a microphone that gives no sound", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await context.addInitScript(() => {
      AnalyserNode.prototype.getFloatTimeDomainData = (samples) => {
        samples.fill(0);
      };
    });
    const page = await person("patient");
    await screen(page, "check");
    await page.clock.install();
    const hint = page.getByText("Your microphone gives no sound.");
    await advanceUntil(page, () => hint.isVisible(), "the page says so");
  });
});

test("a camera that cannot be switched to leaves the one before in use, in the call and in the device check", async () => {
  await calls.withAppointment(async ({ person, enter, context, media }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      if (!navigator.mediaDevices) return;
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        const video = typeof constraints?.video === "object" ? constraints.video.deviceId : undefined;
        const id = typeof video === "object" && "exact" in video ? video.exact : undefined;
        if (window.unusable !== undefined && id === window.unusable) throw new DOMException("x", "NotReadableError");
        return open(constraints);
      };
    });
    const page = await person("provider");
    await screen(page, "check");
    const select = page.getByLabel("Camera", { exact: true });
    const first = await select.inputValue();
    const other = await select.evaluate(
      (select: HTMLSelectElement, first) => [...select.options].map(({ value }) => value).find((id) => id !== first),
      first,
    );
    await page.evaluate((other) => {
      window.unusable = other;
    }, other);
    await chooseAnother(select);
    await page.getByText("The camera cannot be used: another program may be using it.").waitFor();
    await eventually(async () => (await select.inputValue()) === first, "the list shows the camera in use");
    await button(page, "Camera: turn off").waitFor();
    await page.waitForFunction((first) => {
      const stream = document.querySelector<HTMLVideoElement>(".preview video")?.srcObject as MediaStream | null;
      const [track] = stream?.getVideoTracks() ?? [];
      return track?.readyState === "live" && track.getSettings().deviceId === first;
    }, first);
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
    await page.locator(".tile.self.seen").waitFor();
    await button(page, "Settings").click();
    const inCall = page.getByLabel("Camera", { exact: true });
    await chooseAnother(inCall);
    await notice(page, "camera").getByText("You are still seen through the one before.").waitFor();
    assert.equal(await inCall.inputValue(), first);
    await button(page, "Camera: turn off").waitFor();
    await eventually(
      async () => (await media.sentTracks(page)).some(({ kind, device }) => kind === "video" && device === first),
      "the camera before is sent",
    );
    await page.locator(".tile.self.seen").waitFor();
  });
});

for (const [how, block] of [
  [
    "that the system blocks",
    () => {
      window.blockedBySystem = ["video"];
    },
  ],
  [
    "that is refused by a browser without permissions.query",
    () => {
      window.denied = ["video"];
      Object.defineProperty(navigator, "permissions", { value: undefined });
    },
  ],
] as const) {
  test(`a camera ${how} takes no microphone with it`, async () => {
    await calls.withAppointment(async ({ person, enter, context, media }) => {
      await watchDevices(context);
      await context.addInitScript(block);
      const page = await person("provider");
      await screen(page, "check");
      await page
        .getByText(
          how.includes("system")
            ? "The camera is blocked by your system. Allow it in the privacy settings of your device."
            : "The camera is blocked for this page.",
        )
        .waitFor();
      await button(page, "Microphone: turn off").waitFor();
      await button(page, "Camera: turn on").waitFor();
      assert.deepEqual(await liveTracks(page), ["audio"]);
      await enter(page);
      await appMessage(page, "MEETING_JOINED");
      await button(page, "Microphone: turn off").waitFor();
      await button(page, "Camera: turn on").waitFor();
      assert.deepEqual(
        (await media.sentTracks(page)).map(({ kind }) => kind),
        ["audio"],
      );
    });
  });
}

test("a page whose devices the system blocks says where to permit them", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      window.blockedBySystem = ["audio", "video"];
    });
    const page = await person("patient");
    await screen(page, "devices-system");
    await page.locator(".message", { hasText: "in the privacy settings of your device" }).waitFor();
  });
});

test("devices that are declined are not requested before the person turns them on", async () => {
  await calls.withAppointment(async ({ person, enter, context, media }) => {
    await watchDevices(context);
    const page = await person("provider", { deviceDefaults: { camera: false, microphone: false } });
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
    assert.deepEqual(await page.evaluate(() => window.requested), []);
    await button(page, "Microphone: turn on").click();
    await button(page, "Microphone: turn off").waitFor();
    assert.deepEqual(await page.evaluate(() => window.requested), ["audio"]);
    await button(page, "Camera: turn on").click();
    await page.locator(".tile.self.seen").waitFor();
    assert.deepEqual(await page.evaluate(() => window.requested), ["audio", "video"]);
    await eventually(async () => (await media.sentTracks(page)).length === 2, "both are sent");
  });
});

test("what the browser says is denied is not requested", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      const query = navigator.permissions.query.bind(navigator.permissions);
      navigator.permissions.query = async (descriptor) =>
        (descriptor.name as string) === "camera" ? ({ state: "denied" } as PermissionStatus) : query(descriptor);
    });
    const page = await person("patient");
    await screen(page, "check");
    await page.getByText("The camera is blocked for this page.").waitFor();
    assert.deepEqual(await page.evaluate(() => window.requested), ["audio"]);
  });
});

test("a request for devices that is never answered leaves a way into the call", async () => {
  await calls.withAppointment(async ({ person, context, media }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      window.hanging = ["audio", "video"];
    });
    const page = await person("provider");
    await screen(page, "permission");
    await button(page, "Join to listen only").click();
    await appMessage(page, "MEETING_JOINED");
    await eventually(() => media.connected === 1, "the person listens");
  });
});

test("a permitted device that does not answer is reported after 15 seconds, and the other one is used", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      window.hanging = ["video"];
      navigator.permissions.query = async () => ({ state: "granted" }) as PermissionStatus;
    });
    const page = await person("provider");
    await screen(page, "permission");
    await page.clock.install();
    await advanceUntil(
      page,
      async () => (await page.evaluate(() => document.body.dataset["screen"])) === "check",
      "the check is shown",
    );
    await page.getByText("The camera cannot be used: another program may be using it.").waitFor();
    assert.deepEqual(await liveTracks(page), ["audio"]);
  });
});

test("a microphone that does not answer while joining delays no call", async () => {
  await calls.withAppointment(async ({ person, enter, context }) => {
    await watchDevices(context);
    const page = await person("provider");
    await screen(page, "check");
    await page.evaluate(() => {
      window.hanging = ["audio"];
    });
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
  });
});
