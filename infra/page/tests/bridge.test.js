// The table of messages in README.md, line by line, with an app around the page at another origin and in a WebView.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, context, eventually, post, screen, told, webView } from "./stage/browser.js";
import { clouds } from "./stage/cloud.js";
import { front, host } from "./stage/front.js";

let chromium;
let cloud;
before(async () => {
  [chromium, cloud] = await Promise.all([browser(), clouds()]);
});
after(() => Promise.all([chromium.close(), cloud.close()]));

async function embedded(run, { trusted = true, ...settings } = {}) {
  const { appointmentId, users } = await cloud.open.appointment();
  const stage = await front(cloud.open, settings);
  const app = await host(() => `${stage.origin}/call/${appointmentId}`, trusted ? cloud.app : 0);
  const made = await context(chromium);
  try {
    const page = await made.context.newPage();
    await page.goto(app.origin);
    await run({
      token: users.patient.token,
      stage,
      page,
      frame: () => page.frames().find((frame) => frame.url().startsWith(stage.origin)),
      violations: made.violations,
    });
  } finally {
    await made.context.close();
    await Promise.all([stage.close(), app.close()]);
  }
}

const heardByApp = (page, event) =>
  eventually(() => page.evaluate((event) => window.told.find((message) => message.event === event), event), event);
const send = (page, message, origin) =>
  page.evaluate(
    ([message, origin]) => document.getElementById("call").contentWindow.postMessage(message, origin),
    [message, origin],
  );

test("an app around the page hears PAGE_READY and SDK_READY and hands over its token", async () => {
  await embedded(async ({ stage, page, frame, token, violations }) => {
    const ready = await heardByApp(page, "PAGE_READY");
    assert.equal(ready.type, "medzen.event");
    assert.equal(ready.origin, stage.origin);
    assert.equal(typeof ready.timestamp, "number");
    assert.deepEqual((await heardByApp(page, "SDK_READY")).data, { version: "3.32.0" });
    await send(page, { type: "medzen.join", token, language: "fr" }, stage.origin);
    await frame().locator('body[data-screen="check"]').waitFor();
    assert.equal(stage.asked[0].headers.authorization, `Bearer ${token}`);
    assert.equal(await frame().evaluate(() => document.documentElement.lang), "fr");
    assert.deepEqual(violations, []);
  });
});

test("an app that is not listed cannot show the page at all", async () => {
  await embedded(
    async ({ stage, page }) => {
      await eventually(() => stage.served.some(({ path }) => path.startsWith("/call/")), "the frame is asked for");
      await eventually(
        () => page.frames().some((frame) => frame.url().startsWith("chrome-error")),
        "the browser refuses to show it",
      );
      assert.deepEqual(await page.evaluate(() => window.told), []);
      assert.deepEqual(stage.asked, []);
    },
    { trusted: false },
  );
});

test("an app that is not listed and can show the page all the same is neither heard nor told anything", async () => {
  await embedded(
    async ({ stage, page, frame, token }) => {
      await page.clock.install();
      await page.reload();
      await frame().locator('body[data-screen="loading"]').waitFor();
      await frame().waitForFunction(() => typeof window.ChimeSDK === "object");
      for (const message of [
        { type: "medzen.join", token },
        { type: "medzen.setLanguage", language: "fr" },
        { type: "medzen.token", token },
      ])
        await send(page, message, stage.origin);
      // Had it heard a token, it would not miss one.
      await page.clock.fastForward(21_000);
      await frame().locator('body[data-screen="no-token"]').waitFor();
      // What had been told before would be there before this.
      await frame().evaluate(() => parent.postMessage({ type: "end" }, "*"));
      await eventually(() => page.evaluate(() => window.told.some(({ type }) => type === "end")), "the end");
      assert.deepEqual(await page.evaluate(() => window.told.map(({ type, event }) => event ?? type)), ["end"]);
      assert.equal(await frame().evaluate(() => document.documentElement.lang), "en");
      assert.deepEqual(stage.asked, []);
    },
    { trusted: false, embeddable: true },
  );
});

test("messages from frames and origins that are not the app's are ignored", async () => {
  await embedded(async ({ stage, page, frame, token }) => {
    await heardByApp(page, "PAGE_READY");
    // Another frame of the same, trusted origin is not the one that shows the page.
    await page.evaluate(
      ([message, origin]) =>
        new Promise((resolve) => {
          const other = document.createElement("iframe");
          other.src = "/other";
          other.onload = () => {
            other.contentWindow.eval(
              `parent.document.getElementById("call").contentWindow.postMessage(${JSON.stringify(message)}, ${JSON.stringify(origin)})`,
            );
            resolve();
          };
          document.body.append(other);
        }),
      [{ type: "medzen.join", token: "from.another.frame" }, stage.origin],
    );
    // What is malformed or unknown, from the right one.
    for (const message of [
      "medzen.join",
      { type: "medzen.join" },
      { type: "medzen.join", token: "x" },
      { type: "other", token },
    ])
      await send(page, message, stage.origin);
    // A good message afterwards is the first that counts: messages come in order.
    await send(page, { type: "medzen.join", token }, stage.origin);
    await frame().locator('body[data-screen="check"]').waitFor();
    assert.deepEqual([...new Set(stage.asked.map(({ headers }) => headers.authorization))], [`Bearer ${token}`]);
  });
});

test("a window that an app opens is parted from it: it can neither speak nor listen, and leads to the app", async () => {
  const { appointmentId, users } = await cloud.open.appointment();
  const stage = await front(cloud.open);
  const app = await host(() => "about:blank", cloud.app);
  const made = await context(chromium);
  try {
    const page = await made.context.newPage();
    await page.goto(app.origin);
    const popup = made.context.waitForEvent("page");
    await page.evaluate((address) => {
      window.opened = window.open(address, "call");
    }, `${stage.origin}/call/${appointmentId}`);
    const opened = await popup;
    await screen(opened, "alone");
    await page.evaluate(
      ([message, origin]) => window.opened.postMessage(message, origin),
      [{ type: "medzen.join", token: users.patient.token }, stage.origin],
    );
    assert.equal(await opened.evaluate(() => window.opener), null);
    assert.deepEqual(await page.evaluate(() => window.told), []);
    assert.deepEqual(stage.asked, []);
  } finally {
    await made.context.close();
    await Promise.all([stage.close(), app.close()]);
  }
});

async function inWebView(run, settings = {}) {
  const { appointmentId, users } = await cloud.open.appointment();
  const stage = await front(cloud.open, settings);
  const made = await context(chromium);
  try {
    await webView(made.context);
    const page = await made.context.newPage();
    await page.goto(`${stage.origin}/call/${appointmentId}`);
    await told(page, "PAGE_READY");
    const { token, firebaseUid } = users.patient;
    await run({ stage, page, token, fresh: (expiresIn) => cloud.open.token({ sub: firebaseUid }, expiresIn) });
    assert.deepEqual(made.violations, []);
  } finally {
    await made.context.close();
    await stage.close();
  }
}

test("the earlier app hears its own strings and no others, the new one all of them with data and time", async () => {
  await inWebView(async ({ page, token }) => {
    await told(page, "SDK_READY");
    await post(page, { type: "medzen.join", token });
    await screen(page, "check");
    assert.deepEqual(await page.evaluate(() => window.told.flutter), ["SDK_READY"]);
    const messages = await page.evaluate(() => window.told.chime);
    assert.deepEqual(messages.map(({ event }) => event).sort(), ["PAGE_READY", "SDK_READY"]);
    for (const message of messages) assert.deepEqual(Object.keys(message), ["event", "data", "timestamp"]);
  });
});

test("a channel of the app that fails does not stop the page", async () => {
  const { appointmentId, users } = await cloud.open.appointment();
  const stage = await front(cloud.open);
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
    await page.goto(`${stage.origin}/call/${appointmentId}`);
    await screen(page, "loading");
    await post(page, { type: "medzen.join", token: users.patient.token });
    await screen(page, "check");
  } finally {
    await made.context.close();
    await stage.close();
  }
});

test("TOKEN_REQUIRED is told when the API refuses the token, and the fresh one is used", async () => {
  await inWebView(async ({ page, stage, token, fresh }) => {
    const expired = await fresh(-3_600);
    await post(page, { type: "medzen.join", token: expired });
    assert.deepEqual((await told(page, "TOKEN_REQUIRED")).data, { reason: "expired" });
    await post(page, { type: "medzen.token", token });
    await screen(page, "check");
    assert.deepEqual(
      stage.asked.map(({ headers, status }) => [headers.authorization, status]),
      [
        [`Bearer ${expired}`, 401],
        [`Bearer ${token}`, 200],
      ],
    );
  });
});

test("a token that is not renewed in time ends at the screen that says to sign in, and goes on from there", async () => {
  await inWebView(async ({ page, token, fresh }) => {
    await page.clock.install();
    await post(page, { type: "medzen.join", token: await fresh(-3_600) });
    await told(page, "TOKEN_REQUIRED");
    await page.clock.fastForward(11_000);
    await screen(page, "session");
    await post(page, { type: "medzen.token", token });
    await screen(page, "check");
  });
});

test("medzen.setLanguage changes the language at once, and LANGUAGE_CHANGED tells what the person chose", async () => {
  await inWebView(async ({ page, token }) => {
    await post(page, { type: "medzen.join", token });
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
  await inWebView(async ({ page, token }) => {
    await post(page, { type: "medzen.join", token, deviceDefaults: { camera: false, microphone: false } });
    await screen(page, "check");
    await page.getByRole("button", { name: "Camera: turn on" }).waitFor();
    await page.getByRole("button", { name: "Microphone: turn on" }).waitFor();
    await page.getByText("Your camera is off", { exact: true }).waitFor();
  });
});

test("the token is in no address, no storage and no log", async () => {
  const logged = [];
  const addresses = [];
  await inWebView(async ({ page, token }) => {
    const [, secret, signature] = token.split(".");
    page.on("console", (message) => logged.push(message.text()));
    page.on("request", (request) => addresses.push(request.url()));
    await post(page, { type: "medzen.join", token });
    await screen(page, "check");
    const kept = await page.evaluate(async () =>
      JSON.stringify([
        { ...localStorage },
        { ...sessionStorage },
        document.cookie,
        location.href,
        history.state,
        await indexedDB.databases(),
        window.told,
      ]),
    );
    for (const place of [kept, ...logged, ...addresses])
      assert.ok(!place.includes(secret) && !place.includes(signature), "it holds a part of the token");
  });
});
