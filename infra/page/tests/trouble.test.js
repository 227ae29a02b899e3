// What goes wrong around a call, and that it harms neither the call nor the people in it: whoever is seen and heard has the
// controls before them, and whoever is not is told so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, live, post, screen, told, watchDevices } from "./stage/browser.js";
import { heardEvents, Stage } from "./stage/consultation.js";

let stage;
before(async () => {
  stage = await Stage.open();
});
after(() => stage.close());

const button = (page, name) => page.getByRole("button", { name });
const notice = (page, name) => page.locator(`[data-notice="${name}"]`);
const shown = (page) => page.evaluate(() => document.body.dataset.screen);
const bad = async (page) => (await heardEvents(page)).filter((event) => /ENDED|LEFT|ERROR/.test(event));
const times = (page, event) => page.evaluate((event) => window.told.chime.filter((message) => message.event === event).length, event);
const isStatus = ({ method, path }) => method === "GET" && path.endsWith("/call");
const isJoin = ({ method, path }) => method === "POST" && /\/call(\/attendees)?$/.test(path);
const isLeave = ({ method, path }) => method === "DELETE" && path.endsWith("/attendees/me");
const refused = { status: 401, body: { message: "Unauthorized" } };

/** Lets the page's time pass until it has come to this: it waits in its own time, and not in ours. */
const passes = (page, check, what, step = 1_000) =>
  eventually(async () => {
    await page.clock.fastForward(step);
    return check();
  }, what);

/** A lock that a test opens. */
function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

for (const how of ["tear", "stall"]) {
  test(`an answer that ${how}s is a bad line and no end`, async () => {
    await stage.appointment(async ({ inCall, media, stage: front }) => {
      const page = await inCall("provider");
      await page.clock.install();
      front.settings.answer = (told) => (isStatus(told) ? how : undefined);
      const asked = () => front.asked.filter(isStatus).length;
      const before = asked();
      await passes(page, () => asked() >= before + 3, "it goes on asking");
      assert.equal(await shown(page), "call");
      assert.equal(media.connected, 1);
      assert.deepEqual(await bad(page), []);
    });
  });
}

test("a firewall that answers in the API's place does not say whose appointment it is", async () => {
  await stage.appointment(async ({ inCall, media, stage: front }) => {
    const page = await inCall("provider");
    front.settings.answer = () => ({ status: 403, body: { message: "Forbidden" } });
    const before = front.asked.length;
    await eventually(() => front.asked.slice(before).filter(isStatus).length >= 2, "it goes on asking");
    assert.equal(await shown(page), "call");
    assert.equal(media.connected, 1);
    assert.deepEqual(await bad(page), []);
  });
});

test("listening only, the microphone is on when it is open, and not before", async () => {
  await stage.appointment(async ({ person, context }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      window.broken = ["audio", "video"];
    });
    const page = await person("provider");
    await screen(page, "devices-taken");
    await button(page, "Join to listen only").click();
    await told(page, "MEETING_JOINED");
    await button(page, "Microphone: turn on").click();
    await notice(page, "microphone").waitFor();
    assert.ok(await button(page, "Microphone: turn on").isVisible(), "what cannot be opened is not on");
    assert.deepEqual(await live(page), []);
    await page.evaluate(() => (window.broken = []));
    await button(page, "Microphone: turn on").click();
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await live(page), ["audio"]);
    assert.ok(await page.evaluate(() => window.tracks.at(-1).enabled));
  });
});

test("camera and microphone that fail on the way in are said to be off", async () => {
  await stage.appointment(async ({ person, context, enter }) => {
    await watchDevices(context);
    const page = await person("provider");
    await screen(page, "check");
    // Another program takes them in the moment between the check and the call.
    await page.evaluate(() => (window.broken = ["audio", "video"]));
    await enter(page);
    await told(page, "MEETING_JOINED");
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

test("a microphone or camera that goes away during the call is told of, and another one takes its place", async () => {
  await stage.appointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.locator(".tile.self.seen").waitFor();
    const unplugged = (kind) =>
      page.evaluate((kind) => {
        const track = window.tracks.findLast((one) => one.kind === kind && one.readyState === "live");
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }, kind);
    await unplugged("audio");
    await notice(page, "microphone").getByText("You are not heard").waitFor();
    await page.locator("#urgent", { hasText: "You are not heard" }).waitFor();
    await button(page, "Microphone: turn on").waitFor();
    await unplugged("video");
    await notice(page, "camera").waitFor();
    await button(page, "Camera: turn on").waitFor();
    await page.locator(".tile.self:not(.seen)").waitFor();
    // Another one from the settings is heard as the one before was.
    await button(page, "Settings").click();
    const select = page.getByLabel("Microphone", { exact: true });
    await select.selectOption(await select.evaluate((select) => [...select.options].map(({ value }) => value).find((value) => value !== select.value && value !== "default")));
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await live(page), ["audio"]);
  });
});

test("a microphone that the device needs for something else, as a phone call, is told of for as long", async () => {
  await stage.appointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    const dispatch = (name) => page.evaluate((name) => window.tracks.findLast(({ kind, readyState }) => kind === "audio" && readyState === "live").dispatchEvent(new Event(name)), name);
    await dispatch("mute");
    await notice(page, "held").waitFor();
    await page.locator('[data-control="microphone"].off').waitFor();
    await dispatch("unmute");
    await notice(page, "held").waitFor({ state: "hidden" });
    await page.locator('[data-control="microphone"]:not(.off)').waitFor();
  });
});

test("the settings offer what is plugged in, as it comes and goes", async () => {
  await stage.appointment(async ({ inCall }) => {
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

test("who is muted stays muted with another microphone", async () => {
  await stage.appointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await button(page, "Microphone: turn off").click();
    await button(page, "Microphone: turn on").waitFor();
    await button(page, "Settings").click();
    const before = await page.evaluate(() => window.tracks.length);
    const select = page.getByLabel("Microphone", { exact: true });
    await select.selectOption(await select.evaluate((select) => [...select.options].map(({ value }) => value).find((value) => value !== select.value && value !== "default")));
    await page.waitForFunction((before) => window.tracks.slice(before).some(({ kind, enabled }) => kind === "audio" && !enabled), before);
    await button(page, "Microphone: turn on").click();
    await page.waitForFunction((before) => window.tracks.slice(before).every(({ enabled }) => enabled), before);
  });
});
