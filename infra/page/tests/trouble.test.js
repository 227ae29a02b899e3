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
