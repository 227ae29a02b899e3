// The table of messages in README.md, line by line, with an app around the page at another origin and in a WebView.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, context, eventually, post, screen, told, webView } from "./stage/browser.js";
import { front, host } from "./stage/front.js";

const APPOINTMENT = "00000000-0000-4000-8000-0000000000a1";
const TOKEN = "aaaa.bbbb.cccc";
const status = { sessionId: null, callStatus: "not_started", hasActiveCall: false, canJoin: false, isProvider: false, isPatient: true, providerName: "Dr A", present: [], recording: { state: "off", reason: null }, transcription: { state: "off", reason: null } };
const answer = () => ({ body: status });

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium.close());

async function embedded(run, { trusted = true } = {}) {
  let stage;
  const app = await host(() => `${stage.origin}/call/${APPOINTMENT}`);
  stage = await front({ answer, origins: trusted ? [app.origin] : [] });
  const made = await context(chromium);
  try {
    const page = await made.context.newPage();
    await page.goto(app.origin);
    await run({ app, stage, page, frame: () => page.frames().find((frame) => frame.url().startsWith(stage.origin)), violations: made.violations });
  } finally {
    await made.context.close();
    await Promise.all([stage.close(), app.close()]);
  }
}

const heardByApp = (page, event) => eventually(() => page.evaluate((event) => window.told.find((message) => message.event === event), event), event);
const send = (page, message, origin) => page.evaluate(([message, origin]) => document.getElementById("call").contentWindow.postMessage(message, origin), [message, origin]);

test("an app around the page hears PAGE_READY and SDK_READY and hands over its token", async () => {
  await embedded(async ({ stage, page, frame, violations }) => {
    const ready = await heardByApp(page, "PAGE_READY");
    assert.equal(ready.type, "medzen.event");
    assert.equal(ready.origin, stage.origin);
    assert.equal(typeof ready.timestamp, "number");
    assert.deepEqual((await heardByApp(page, "SDK_READY")).data, { version: "3.32.0" });
    await send(page, { type: "medzen.join", token: TOKEN, language: "fr" }, stage.origin);
    await frame().locator('body[data-screen="check"]').waitFor();
    assert.equal(stage.asked[0].headers.authorization, `Bearer ${TOKEN}`);
    assert.equal(await frame().evaluate(() => document.documentElement.lang), "fr");
    assert.deepEqual(violations, []);
  });
});

test("an app that is not listed cannot show the page at all", async () => {
  await embedded(
    async ({ stage, page }) => {
      await eventually(() => stage.served.some(({ path }) => path === "/index.html"), "the frame is asked for");
      await eventually(() => page.frames().some((frame) => frame.url().startsWith("chrome-error")), "the browser refuses to show it");
      assert.deepEqual(await page.evaluate(() => window.told), []);
      assert.deepEqual(stage.asked, []);
    },
    { trusted: false },
  );
});

test("messages from frames and origins that are not the app's are ignored", async () => {
  await embedded(async ({ app, stage, page, frame }) => {
    await heardByApp(page, "PAGE_READY");
    // Another frame of the same, trusted origin is not the one that shows the page.
    await page.evaluate(
      ([message, origin]) =>
        new Promise((resolve) => {
          const other = document.createElement("iframe");
          other.src = "/other";
          other.onload = () => {
            other.contentWindow.eval(`parent.document.getElementById("call").contentWindow.postMessage(${JSON.stringify(message)}, ${JSON.stringify(origin)})`);
            resolve();
          };
          document.body.append(other);
        }),
      [{ type: "medzen.join", token: "from.another.frame" }, stage.origin],
    );
    // What is malformed or unknown, from the right one.
    for (const message of ["medzen.join", { type: "medzen.join" }, { type: "medzen.join", token: "x" }, { type: "other", token: TOKEN }]) await send(page, message, stage.origin);
    // A good message afterwards is the first that counts: messages come in order.
    await send(page, { type: "medzen.join", token: TOKEN }, stage.origin);
    await frame().locator('body[data-screen="check"]').waitFor();
    assert.deepEqual([...new Set(stage.asked.map(({ headers }) => headers.authorization))], [`Bearer ${TOKEN}`]);
    void app;
  });
});

test("a window that the app opened is told and heard like a frame", async () => {
  let stage;
  const app = await host(() => "about:blank");
  stage = await front({ answer, origins: [app.origin] });
  const made = await context(chromium);
  try {
    const page = await made.context.newPage();
    await page.goto(app.origin);
    const popup = made.context.waitForEvent("page");
    await page.evaluate((address) => {
      window.opened = window.open(address, "call");
    }, `${stage.origin}/call/${APPOINTMENT}`);
    const opened = await popup;
    await heardByApp(page, "PAGE_READY");
    await page.evaluate(([message, origin]) => window.opened.postMessage(message, origin), [{ type: "medzen.join", token: TOKEN }, stage.origin]);
    await screen(opened, "check");
  } finally {
    await made.context.close();
    await Promise.all([stage.close(), app.close()]);
  }
});

async function inWebView(run, settings = {}) {
  const stage = await front({ answer, ...settings });
  const made = await context(chromium);
  try {
    await webView(made.context);
    const page = await made.context.newPage();
    await page.goto(`${stage.origin}/call/${APPOINTMENT}`);
    await told(page, "PAGE_READY");
    await run({ stage, page, context: made.context });
    assert.deepEqual(made.violations, []);
  } finally {
    await made.context.close();
    await stage.close();
  }
}

test("the earlier app hears its own strings and no others, the new one all of them with data and time", async () => {
  await inWebView(async ({ page }) => {
    await told(page, "SDK_READY");
    await post(page, { type: "medzen.join", token: TOKEN });
    await screen(page, "check");
    assert.deepEqual(await page.evaluate(() => window.told.flutter), ["SDK_READY"]);
    const messages = await page.evaluate(() => window.told.chime);
    assert.deepEqual(messages.map(({ event }) => event).sort(), ["PAGE_READY", "SDK_READY"]);
    for (const message of messages) assert.deepEqual(Object.keys(message), ["event", "data", "timestamp"]);
  });
});

test("a channel of the app that fails does not stop the page", async () => {
  const stage = await front({ answer });
  const made = await context(chromium);
  try {
    await made.context.addInitScript(() => {
      const broken = {
        postMessage() {
          throw new Error("the app is gone");
        },
      };
      window.FlutterChannel = broken;
      window.ChimeHandler = broken;
    });
    const page = await made.context.newPage();
    await page.goto(`${stage.origin}/call/${APPOINTMENT}`);
    await screen(page, "loading");
    await post(page, { type: "medzen.join", token: TOKEN });
    await screen(page, "check");
  } finally {
    await made.context.close();
    await stage.close();
  }
});

test("TOKEN_REQUIRED is told when the API refuses the token, and the fresh one is used", async () => {
  const fresh = "fresh.fresh.fresh";
  const onlyFresh = ({ headers }) => (headers.authorization === `Bearer ${fresh}` ? { body: status } : { status: 401, body: { message: "Unauthorized" } });
  await inWebView(
    async ({ page, stage }) => {
      await post(page, { type: "medzen.join", token: TOKEN });
      assert.deepEqual((await told(page, "TOKEN_REQUIRED")).data, { reason: "expired" });
      await post(page, { type: "medzen.token", token: fresh });
      await screen(page, "check");
      assert.deepEqual(stage.asked.map(({ headers }) => headers.authorization), [`Bearer ${TOKEN}`, `Bearer ${fresh}`]);
    },
    { answer: onlyFresh },
  );
});

test("a token that is not renewed in time ends at the screen that says to sign in, and goes on from there", async () => {
  let good = false;
  await inWebView(
    async ({ page }) => {
      await page.clock.install();
      await post(page, { type: "medzen.join", token: TOKEN });
      await told(page, "TOKEN_REQUIRED");
      await page.clock.fastForward(11_000);
      await screen(page, "session");
      good = true;
      await post(page, { type: "medzen.token", token: "d.e.f" });
      await screen(page, "check");
    },
    { answer: () => (good ? { body: status } : { status: 401, body: { message: "Unauthorized" } }) },
  );
});

test("medzen.setLanguage changes the language at once, and LANGUAGE_CHANGED tells what the person chose", async () => {
  await inWebView(async ({ page }) => {
    await post(page, { type: "medzen.join", token: TOKEN });
    await screen(page, "check");
    await post(page, { type: "medzen.setLanguage", language: "fr" });
    await page.getByRole("heading", { name: "Prêt à participer" }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "fr");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    assert.deepEqual((await told(page, "LANGUAGE_CHANGED")).data, { language: "en" });
  });
});

test("deviceDefaults decide how one goes in", async () => {
  await inWebView(async ({ page }) => {
    await post(page, { type: "medzen.join", token: TOKEN, deviceDefaults: { camera: false, microphone: false } });
    await screen(page, "check");
    await page.getByRole("button", { name: "Camera: turn on" }).waitFor();
    await page.getByRole("button", { name: "Microphone: turn on" }).waitFor();
    await page.getByText("Your camera is off", { exact: true }).waitFor();
  });
});

test("the token is in no address, no storage and no log", async () => {
  const secret = "secret1.secret2.secret3";
  const logged = [];
  const addresses = [];
  await inWebView(async ({ page }) => {
    page.on("console", (message) => logged.push(message.text()));
    page.on("request", (request) => addresses.push(request.url()));
    await post(page, { type: "medzen.join", token: secret });
    await screen(page, "check");
    const kept = await page.evaluate(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, await indexedDB.databases(), window.told]));
    for (const place of [kept, ...logged, ...addresses]) assert.doesNotMatch(place, /secret1/);
  });
});
