// The table of messages in README.md, line by line, with an app around the page at another origin and in a WebView.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Frame, Page } from "playwright-core";
import { appMessage, browser, context, eventually, post, screen, webView } from "./fixtures/browser.ts";
import { allow, type CdnProxy, type ProxySettings, startProxy } from "./fixtures/cdn-proxy.ts";
import { type Clouds, openClouds } from "./fixtures/cloud.ts";
import { showing, startEmbeddingApp } from "./fixtures/embedding-app.ts";

let chromium: Browser;
let clouds: Clouds;
before(async () => {
  [chromium, clouds] = await Promise.all([browser(), openClouds()]);
});
after(() => Promise.all([chromium.close(), clouds.close()]));

interface Embedded {
  token: string;
  proxy: CdnProxy;
  page: Page;
  /** The frame that shows the call page. */
  frame(): Frame;
  violations: string[];
}

async function embedded(
  run: (embedded: Embedded) => Promise<void>,
  { trusted = true, ...settings }: ProxySettings & { trusted?: boolean } = {},
) {
  const { appointmentId, users } = await clouds.open.appointment();
  const proxy = await startProxy(clouds.open, settings);
  // One that the page does not know has an origin of its own.
  const stranger = trusted ? undefined : await startEmbeddingApp();
  const made = await context(chromium);
  try {
    const page = await made.context.newPage();
    await page.goto(showing(stranger?.origin ?? clouds.app, `${proxy.origin}/call/${appointmentId}`, allow));
    await run({
      token: users.patient.token,
      proxy,
      page,
      frame() {
        const frame = page.frames().find((frame) => frame.url().startsWith(proxy.origin));
        if (!frame) throw new Error("the app shows no call page");
        return frame;
      },
      violations: made.violations,
    });
  } finally {
    await made.context.close();
    await Promise.all([proxy.close(), stranger?.close()]);
  }
}

const receivedByApp = (page: Page, event: string) =>
  eventually(() => page.evaluate((event) => window.received.find((message) => message.event === event), event), event);
const send = (page: Page, message: unknown, origin: string) =>
  page.evaluate(
    ({ message, origin }) => {
      const frame = document.querySelector<HTMLIFrameElement>("#call");
      frame?.contentWindow?.postMessage(message, origin);
    },
    { message, origin },
  );

test("an app around the page receives PAGE_READY and SDK_READY and hands over its token", async () => {
  await embedded(async ({ proxy, page, frame, token, violations }) => {
    const ready = await receivedByApp(page, "PAGE_READY");
    assert.equal(ready.type, "medzen.event");
    assert.equal(ready.origin, proxy.origin);
    assert.equal(typeof ready.timestamp, "number");
    assert.deepEqual((await receivedByApp(page, "SDK_READY")).data, { version: "3.32.0" });
    await send(page, { type: "medzen.join", token, language: "fr" }, proxy.origin);
    await frame().locator('body[data-screen="check"]').waitFor();
    assert.equal(proxy.requests[0]?.headers.authorization, `Bearer ${token}`);
    assert.equal(await frame().evaluate(() => document.documentElement.lang), "fr");
    assert.deepEqual(violations, []);
  });
});

test("an app that is not listed cannot show the page in a frame", async () => {
  await embedded(
    async ({ proxy, page }) => {
      await eventually(() => proxy.files.some(({ path }) => path.startsWith("/call/")), "the frame is asked for");
      await eventually(
        () => page.frames().some((frame) => frame.url().startsWith("chrome-error")),
        "the browser refuses to show it",
      );
      assert.deepEqual(await page.evaluate(() => window.received), []);
      assert.deepEqual(proxy.requests, []);
    },
    { trusted: false },
  );
});

test("an app that is not listed and shows the page nevertheless can neither send nor receive messages", async () => {
  await embedded(
    async ({ proxy, page, frame, token }) => {
      await page.clock.install();
      await page.reload();
      await frame().locator('body[data-screen="loading"]').waitFor();
      await frame().waitForFunction(() => typeof window.ChimeSDK === "object");
      for (const message of [
        { type: "medzen.join", token },
        { type: "medzen.setLanguage", language: "fr" },
        { type: "medzen.token", token },
      ])
        await send(page, message, proxy.origin);
      // If it had accepted a token, it would not report that none has arrived.
      await page.clock.fastForward(21_000);
      await frame().locator('body[data-screen="no-token"]').waitFor();
      // Messages that the page had sent before would arrive before this one.
      await frame().evaluate(() => parent.postMessage({ type: "end" }, "*"));
      await eventually(() => page.evaluate(() => window.received.some(({ type }) => type === "end")), "the end");
      assert.deepEqual(await page.evaluate(() => window.received.map(({ type, event }) => event ?? type)), ["end"]);
      assert.equal(await frame().evaluate(() => document.documentElement.lang), "en");
      assert.deepEqual(proxy.requests, []);
    },
    { trusted: false, embeddable: true },
  );
});

test("messages from frames and origins that are not the app's are ignored", async () => {
  await embedded(async ({ proxy, page, frame, token }) => {
    await receivedByApp(page, "PAGE_READY");
    // Another frame of the same, trusted origin does not show the page.
    await page.evaluate(
      ([message, origin]) =>
        new Promise<void>((resolve) => {
          const other = document.createElement("iframe");
          other.src = "/other";
          other.onload = () => {
            (other.contentWindow as (Window & { eval(code: string): void }) | null)?.eval(
              `parent.document.getElementById("call").contentWindow.postMessage(${JSON.stringify(message)}, ${JSON.stringify(origin)})`,
            );
            resolve();
          };
          document.body.append(other);
        }),
      [{ type: "medzen.join", token: "from.another.frame" }, proxy.origin],
    );
    // Malformed and unknown messages from the right frame.
    for (const message of [
      "medzen.join",
      { type: "medzen.join" },
      { type: "medzen.join", token: "x" },
      { type: "other", token },
    ])
      await send(page, message, proxy.origin);
    // A valid message afterwards is the first that is accepted: messages arrive in order.
    await send(page, { type: "medzen.join", token }, proxy.origin);
    await frame().locator('body[data-screen="check"]').waitFor();
    assert.deepEqual([...new Set(proxy.requests.map(({ headers }) => headers.authorization))], [`Bearer ${token}`]);
  });
});

test("a window that an app opens is isolated from it: no messages pass, and the page links to the app", async () => {
  const { appointmentId, users } = await clouds.open.appointment();
  const proxy = await startProxy(clouds.open);
  const made = await context(chromium);
  try {
    const page = await made.context.newPage();
    await page.goto(showing(clouds.app, "about:blank", allow));
    const popup = made.context.waitForEvent("page");
    await page.evaluate((address) => {
      window.popup = window.open(address, "call");
    }, `${proxy.origin}/call/${appointmentId}`);
    const opened = await popup;
    await screen(opened, "alone");
    await page.evaluate(({ message, origin }) => window.popup?.postMessage(message, origin), {
      message: { type: "medzen.join", token: users.patient.token },
      origin: proxy.origin,
    });
    assert.equal(await opened.evaluate(() => window.opener), null);
    assert.deepEqual(await page.evaluate(() => window.received), []);
    assert.deepEqual(proxy.requests, []);
  } finally {
    await made.context.close();
    await proxy.close();
  }
});

interface InWebView {
  proxy: CdnProxy;
  page: Page;
  token: string;
  /** Makes a token of the same person. */
  fresh(expiresInSeconds: number): Promise<string>;
}

async function inWebView(run: (opened: InWebView) => Promise<void>, settings: ProxySettings = {}) {
  const { appointmentId, users } = await clouds.open.appointment();
  const proxy = await startProxy(clouds.open, settings);
  const made = await context(chromium);
  try {
    await webView(made.context);
    const page = await made.context.newPage();
    await page.goto(`${proxy.origin}/call/${appointmentId}`);
    await appMessage(page, "PAGE_READY");
    const { token, firebaseUid } = users.patient;
    await run({ proxy, page, token, fresh: (expiresIn: number) => clouds.open.token({ sub: firebaseUid }, expiresIn) });
    assert.deepEqual(made.violations, []);
  } finally {
    await made.context.close();
    await proxy.close();
  }
}

test("the earlier app receives its own strings only, the new one every event with data and timestamp", async () => {
  await inWebView(async ({ page, token }) => {
    await appMessage(page, "SDK_READY");
    await post(page, { type: "medzen.join", token });
    await screen(page, "check");
    assert.deepEqual(await page.evaluate(() => window.appMessages.flutter), ["SDK_READY"]);
    const messages = await page.evaluate(() => window.appMessages.chime);
    assert.deepEqual(messages.map(({ event }) => event).sort(), ["PAGE_READY", "SDK_READY"]);
    for (const message of messages) assert.deepEqual(Object.keys(message), ["event", "data", "timestamp"]);
  });
});

test("a channel of the app that fails does not stop the page", async () => {
  const { appointmentId, users } = await clouds.open.appointment();
  const proxy = await startProxy(clouds.open);
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
    await page.goto(`${proxy.origin}/call/${appointmentId}`);
    await screen(page, "loading");
    await post(page, { type: "medzen.join", token: users.patient.token });
    await screen(page, "check");
  } finally {
    await made.context.close();
    await proxy.close();
  }
});

test("the page sends TOKEN_REQUIRED when the API rejects the token, and uses the fresh one", async () => {
  await inWebView(async ({ page, proxy, token, fresh }) => {
    const expired = await fresh(-3_600);
    await post(page, { type: "medzen.join", token: expired });
    assert.deepEqual((await appMessage(page, "TOKEN_REQUIRED")).data, { reason: "expired" });
    await post(page, { type: "medzen.token", token });
    await screen(page, "check");
    assert.deepEqual(
      proxy.requests.map(({ headers, status }) => [headers.authorization, status]),
      [
        [`Bearer ${expired}`, 401],
        [`Bearer ${token}`, 200],
      ],
    );
  });
});

test("the page asks to sign in when the token is not renewed in time, and goes on when a token arrives", async () => {
  await inWebView(async ({ page, token, fresh }) => {
    await page.clock.install();
    await post(page, { type: "medzen.join", token: await fresh(-3_600) });
    await appMessage(page, "TOKEN_REQUIRED");
    await page.clock.fastForward(11_000);
    await screen(page, "session");
    await post(page, { type: "medzen.token", token });
    await screen(page, "check");
  });
});

test("medzen.setLanguage changes the language at once, and LANGUAGE_CHANGED reports the person's choice", async () => {
  await inWebView(async ({ page, token }) => {
    await post(page, { type: "medzen.join", token });
    await screen(page, "check");
    await post(page, { type: "medzen.setLanguage", language: "fr" });
    await page.getByRole("heading", { name: "Prêt à participer" }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "fr");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("heading", { name: "Ready to join?" }).waitFor();
    assert.deepEqual((await appMessage(page, "LANGUAGE_CHANGED")).data, { language: "en" });
  });
});

test("deviceDefaults decide whether microphone and camera are on at the device check", async () => {
  await inWebView(async ({ page, token }) => {
    await post(page, { type: "medzen.join", token, deviceDefaults: { camera: false, microphone: false } });
    await screen(page, "check");
    await page.getByRole("button", { name: "Camera: turn on" }).waitFor();
    await page.getByRole("button", { name: "Microphone: turn on" }).waitFor();
    await page.getByText("Your camera is off", { exact: true }).waitFor();
  });
});

test("the token appears in no address, no storage and no log", async () => {
  const logged: string[] = [];
  const addresses: string[] = [];
  await inWebView(async ({ page, token }) => {
    const [, secret = "", signature = ""] = token.split(".");
    assert.ok(secret && signature);
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
        window.appMessages,
      ]),
    );
    for (const place of [kept, ...logged, ...addresses])
      assert.ok(!place.includes(secret) && !place.includes(signature), "it holds a part of the token");
  });
});
