// Whether a person hears the others where the browser blocks the sound.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { announcement, appMessage, screen } from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

/** Behaves like iOS while nothing is captured: no sound starts without a touch, whatever `autoplay` says. */
function silent() {
  // A blank page has no devices.
  if (!navigator.mediaDevices) return;
  navigator.mediaDevices.getUserMedia = async () => {
    throw new DOMException("no", "NotAllowedError");
  };
  navigator.permissions.query = async () => ({ state: "denied" }) as PermissionStatus;
  const play = HTMLAudioElement.prototype.play;
  let touched = false;
  addEventListener(
    "click",
    ({ target }) => {
      touched = target instanceof Element && target.closest("[data-notice]") !== null;
      setTimeout(() => (touched = false));
    },
    true,
  );
  Object.defineProperty(HTMLAudioElement.prototype, "autoplay", { set() {} });
  HTMLAudioElement.prototype.play = function () {
    return touched ? play.call(this) : Promise.reject(new DOMException("not now", "NotAllowedError"));
  };
}

test("the page shows how to hear the others where the browser blocks the sound, each time", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await context.addInitScript(silent);
    const page = await person("provider");
    await screen(page, "devices-denied");
    assert.equal(await page.locator("audio").count(), 0);
    await page.getByRole("button", { name: "Join to listen only" }).click();
    await appMessage(page, "MEETING_JOINED");
    const notice = page.locator('[data-notice="sound"]');
    const paused = () => page.locator("audio").evaluate((audio: HTMLAudioElement) => audio.paused);
    await announcement(page, "Your browser holds back the sound.", { urgent: true });
    assert.ok(await paused());
    await notice.getByRole("button", { name: "Tap to hear" }).click();
    await notice.waitFor({ state: "hidden" });
    assert.equal(await paused(), false);
    // A phone call pauses the sound and does not resume it.
    await page.locator("audio").evaluate((audio: HTMLAudioElement) => audio.pause());
    await notice.getByRole("button", { name: "Tap to hear" }).click();
    await notice.waitFor({ state: "hidden" });
    assert.equal(await paused(), false);
  });
});

test("the page asks for nothing where the browser plays the sound", async () => {
  await calls.withAppointment(async ({ inCall }) => {
    const page = await inCall("provider");
    await page.waitForFunction(() => (document.querySelector("audio")?.currentTime ?? 0) > 0);
    assert.ok(await page.locator('[data-notice="sound"]').isHidden());
  });
});
