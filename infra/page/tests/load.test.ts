// Loading: the page always leads on, and runs only what was built.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, BrowserContextOptions, Page, Route } from "playwright-core";
import { appMessage, browser, context, eventually, latch, post, screen, webView } from "./fixtures/browser.ts";
import { type CdnProxy, type ProxySettings, policyFor, startProxy } from "./fixtures/cdn-proxy.ts";
import { type Clouds, openClouds } from "./fixtures/cloud.ts";

const budget = JSON.parse(await readFile(new URL("../budget.json", import.meta.url), "utf8"));

let chromium: Browser;
let clouds: Clouds;
before(async () => {
  [chromium, clouds] = await Promise.all([browser(), openClouds()]);
});
after(() => Promise.all([chromium.close(), clouds.close()]));

interface Opened {
  proxy: CdnProxy;
  page: Page;
  context: BrowserContext;
  /** The address of the call. */
  call: string;
  appointmentId: string;
  token: string;
}

/** Runs a test with a new page, proxy and appointment. At its end the policy was violated only as `violations` says. */
async function withPage(
  settings: ProxySettings & { browser?: boolean; violations?: string[] },
  run: (opened: Opened) => Promise<void>,
  options: BrowserContextOptions = {},
) {
  const { appointmentId, users } = await clouds.open.appointment();
  const proxy = await startProxy(clouds.open, settings);
  const made = await context(chromium, options);
  try {
    if (!settings.browser) await webView(made.context);
    const page = await made.context.newPage();
    await run({
      proxy,
      page,
      context: made.context,
      call: `${proxy.origin}/call/${appointmentId}`,
      appointmentId,
      token: users.provider.token,
    });
    assert.deepEqual(made.violations, settings.violations ?? []);
  } finally {
    await made.context.close();
    await proxy.close();
  }
}

test("the page accepts messages before the SDK is loaded, and says so when it never loads", async () => {
  await withPage({ alter: [/chime-sdk/, () => undefined] }, async ({ proxy, page, call, token }) => {
    await page.clock.install();
    await page.goto(call, { waitUntil: "commit" });
    await appMessage(page, "PAGE_READY");
    await post(page, { type: "medzen.join", token });
    // The device check needs no SDK: the person uses it while the SDK is being loaded.
    await screen(page, "check");
    assert.equal(await page.evaluate(() => typeof window.ChimeSDK), "undefined");
    await page.clock.fastForward(46_000);
    await screen(page, "sdk");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "SDK_LOAD_FAILED", cause: "timeout" });
    assert.deepEqual((await appMessage(page, "error")).data, "SDK_TIMEOUT");
    // The file can be loaded again: the button leads on.
    proxy.settings.alter = undefined;
    await page.getByRole("button", { name: "Try again" }).click();
    await screen(page, "check");
    await appMessage(page, "SDK_READY");
  });
});

test("the page keeps messages that arrive before it knows the trusted origins", async () => {
  await withPage({}, async ({ page, call, token }) => {
    const held: Route[] = [];
    const { opened: released, open: release } = latch();
    await page.route("**/config.json", async (route) => {
      held.push(route);
      await released;
      await route.continue();
    });
    await page.goto(call, { waitUntil: "commit" });
    await eventually(() => held.length > 0, "the page asks for its configuration");
    await screen(page, "loading");
    await post(page, { type: "medzen.join", token });
    release();
    await screen(page, "check");
  });
});

test("the page refuses an altered SDK and says so", async () => {
  await withPage(
    { alter: [/chime-sdk/, (contents) => Buffer.concat([contents, Buffer.from("\nwindow.stolen = true;")])] },
    async ({ page, call }) => {
      await page.goto(call);
      await screen(page, "sdk");
      await page.getByRole("heading", { name: "The video part could not be loaded" }).waitFor();
      assert.equal(await page.evaluate(() => typeof window.ChimeSDK + typeof window.stolen), "undefinedundefined");
      assert.deepEqual(await page.evaluate(() => window.appMessages.flutter), ["MEETING_ERROR:SDK_LOAD_FAILED"]);
      assert.equal((await appMessage(page, "error")).data, "SDK_LOAD_FAILED");
    },
  );
});

test("when the page's own script is altered, a text and a way out remain", async () => {
  await withPage(
    { alter: [/assets\/page-.*js/, (contents) => Buffer.concat([contents, Buffer.from(" ")])] },
    async ({ proxy, page, call }) => {
      await page.goto(call);
      await page.evaluate(() => {
        for (const animation of document.getAnimations()) animation.finish();
      });
      assert.ok(await page.getByText("This is taking longer than it should.").isVisible());
      assert.ok(await page.getByText("Cela prend plus de temps que prévu.").isVisible());
      proxy.settings.alter = undefined;
      await page.getByRole("link", { name: "Load the page again" }).click();
      await appMessage(page, "PAGE_READY");
    },
  );
});

test("without its configuration the page says that it is offline, and goes on when the person tries again", async () => {
  await withPage({}, async ({ page, call }) => {
    await page.route("**/config.json", (route) => route.abort());
    await page.goto(call);
    await screen(page, "offline");
    await page.unroute("**/config.json");
    await page.getByRole("button", { name: "Try again" }).click();
    await appMessage(page, "PAGE_READY");
  });
});

test("the page waits for a token, then says that it has received none", async () => {
  await withPage({}, async ({ page, call, token }) => {
    await page.clock.install();
    await page.goto(call);
    await appMessage(page, "PAGE_READY");
    await page.clock.fastForward(21_000);
    await screen(page, "no-token");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "NO_TOKEN" });
    // A token that arrives late is used.
    await post(page, { type: "medzen.join", token });
    await screen(page, "check");
  });
});

test("a page that is opened in a browser links to the app, with nothing but the appointment in the link", async () => {
  await withPage({ browser: true }, async ({ proxy, page, call, appointmentId }) => {
    await page.goto(call);
    await screen(page, "alone");
    assert.equal(
      await page.getByRole("link", { name: "Open the app" }).getAttribute("href"),
      `medzen://call/${appointmentId}`,
    );
    assert.deepEqual(proxy.requests, [], "nobody is to be asked for anything yet");
  });
});

test("the page says that a link without an appointment is incomplete", async () => {
  await withPage({}, async ({ proxy, page }) => {
    for (const path of ["/call/1", "/call/00000000"]) {
      await page.goto(proxy.origin + path);
      await screen(page, "bad-link");
      assert.deepEqual(proxy.requests, []);
    }
  });
  // CloudFront itself answers an address that cannot be an appointment's.
  await withPage({}, async ({ proxy, page, appointmentId }) => {
    for (const path of ["/call", "/call/", `/call/${appointmentId}/x`]) {
      const answer = await page.goto(proxy.origin + path);
      assert.equal(answer?.status(), 404);
      await page.getByText("There is no call at this address").waitFor();
    }
  });
});

test("the link that the API gives leads to the page, and the address bar shows nothing but the appointment", async () => {
  await withPage({}, async ({ proxy, page, appointmentId }) => {
    await page.goto(`${proxy.origin}/call?appointmentId=${appointmentId}`);
    await appMessage(page, "PAGE_READY");
    assert.equal(page.url(), `${proxy.origin}/call/${appointmentId}`);
  });
});

test("CloudFront sends the policy of csp.txt, and the browser permits what the page uses", async () => {
  await withPage({}, async ({ page, call }) => {
    const headers = (await page.goto(call))?.headers() ?? {};
    const { embeddingOrigins, controlApi } = clouds.open;
    assert.equal(headers["content-security-policy"], policyFor(embeddingOrigins, new URL(controlApi).origin));
    // In a document of its own every permission is on; a name that the browser does not know has no effect.
    const known = await page.evaluate(
      () =>
        (document as Document & { featurePolicy?: { allowedFeatures(): string[] } }).featurePolicy?.allowedFeatures() ??
        [],
    );
    for (const name of ["camera", "microphone", "display-capture", "autoplay", "screen-wake-lock"])
      assert.ok(known.includes(name), name);
    await appMessage(page, "PAGE_READY");
  });
});

test("a visit up to the device check keeps to its budget, and a second one loads neither SDK nor page again", async () => {
  await withPage({}, async ({ proxy, page, call, token }) => {
    const visit = async (limits: { requests: number; bytes: number }) => {
      proxy.files.length = 0;
      proxy.requests.length = 0;
      await page.goto(call, { waitUntil: "load" });
      await appMessage(page, "PAGE_READY");
      await post(page, { type: "medzen.join", token });
      await appMessage(page, "SDK_READY");
      await screen(page, "check");
      const all = [...proxy.files, ...proxy.requests].map(({ path, bytes = 0 }) => ({ path, bytes }));
      assert.ok(all.length <= limits.requests, `${all.length} requests: ${JSON.stringify(all)}`);
      const bytes = all.reduce((sum, one) => sum + one.bytes, 0);
      assert.ok(bytes <= limits.bytes, `${bytes} bytes: ${JSON.stringify(all)}`);
      return all;
    };
    const first = await visit(budget.visits.first);
    for (const name of ["chime-sdk", "page-"]) {
      const built = proxy.manifest.files.find(({ path }) => path.includes(name) && path.endsWith(".js"));
      assert.ok(built, name);
      const { path, brotli } = built;
      assert.deepEqual(
        first.filter((one) => one.path === `/${path}`),
        [{ path: `/${path}`, bytes: brotli }],
        "it comes once and small: what is preloaded is what runs",
      );
    }
    assert.deepEqual(
      first.filter(({ path }) => path.includes("chime-worker")),
      [],
      "the worker is not needed before the call",
    );
    const second = await visit(budget.visits.second);
    assert.deepEqual(
      second.filter(({ path }) => /^\/assets\/(chime-|page-)/.test(path)),
      [],
    );
  });
});

test("an inline script does not run, even if it gets into the page", async () => {
  await withPage({ violations: ["script-src-elem inline"] }, async ({ page, call }) => {
    await page.goto(call);
    await appMessage(page, "PAGE_READY");
    const [markup, script] = await page.evaluate(() => {
      let refused = false;
      try {
        document.body.innerHTML = "<b>x</b>";
      } catch {
        refused = true;
      }
      const inline = document.createElement("script");
      try {
        inline.text = "window.ran = true";
      } catch {
        return [refused, true];
      }
      document.head.append(inline);
      return [refused, window.ran !== true];
    });
    assert.ok(markup, "markup from a string is refused");
    assert.ok(script, "a script from a string is refused");
  }).catch((error) => {
    // The wording of the report depends on the browser; there must be one.
    if (error.code !== "ERR_ASSERTION" || !String(error.message).includes("script")) throw error;
    assert.match(JSON.stringify(error.actual), /require-trusted-types-for|script-src/);
  });
});
