// Loading: the page is never stuck, and nothing runs in it that was not built.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, BrowserContextOptions, Page, Route } from "playwright-core";
import { appMessage, browser, context, eventually, latch, post, screen, webView } from "./fixtures/browser.ts";
import { allow, type CdnProxy, type ProxySettings, policyFor, startProxy } from "./fixtures/cdn-proxy.ts";
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

/** A page of a front and an appointment of its own; at the end there must have been no violation of the policy. */
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

test("f01_the_page_listens_before_the_sdk_has_come_and_says_so_when_it_never_does", async () => {
  await withPage({ alter: [/chime-sdk/, () => undefined] }, async ({ proxy, page, call, token }) => {
    await page.clock.install();
    await page.goto(call, { waitUntil: "commit" });
    await appMessage(page, "PAGE_READY");
    await post(page, { type: "medzen.join", token });
    // The device check needs no SDK: the person is busy with it while the SDK is still on its way.
    await screen(page, "check");
    assert.equal(await page.evaluate(() => typeof window.ChimeSDK), "undefined");
    await page.clock.fastForward(46_000);
    await screen(page, "sdk");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "SDK_LOAD_FAILED" });
    // The line is good again: the button leads on.
    proxy.settings.alter = undefined;
    await page.getByRole("button", { name: "Try again" }).click();
    await screen(page, "check");
    await appMessage(page, "SDK_READY");
  });
});

test("f01_what_the_app_posts_before_the_page_knows_whom_to_trust_is_kept", async () => {
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

test("f01_a_tampered_sdk_is_refused_and_said_to_be", async () => {
  await withPage(
    { alter: [/chime-sdk/, (contents) => Buffer.concat([contents, Buffer.from("\nwindow.stolen = true;")])] },
    async ({ page, call }) => {
      await page.goto(call);
      await screen(page, "sdk");
      await page.getByRole("heading", { name: "The video part could not be loaded" }).waitFor();
      assert.equal(await page.evaluate(() => typeof window.ChimeSDK + typeof window.stolen), "undefinedundefined");
      assert.deepEqual(await page.evaluate(() => window.appMessages.flutter), ["MEETING_ERROR:SDK_LOAD_FAILED"]);
    },
  );
});

test("f01_when_the_page_itself_is_tampered_with_words_and_a_way_out_remain", async () => {
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

test("f01_without_its_configuration_the_page_says_that_there_is_no_line_and_goes_on_when_there_is_one", async () => {
  await withPage({}, async ({ page, call }) => {
    await page.route("**/config.json", (route) => route.abort());
    await page.goto(call);
    await screen(page, "offline");
    await page.unroute("**/config.json");
    await page.getByRole("button", { name: "Try again" }).click();
    await appMessage(page, "PAGE_READY");
  });
});

test("an app that hands over no token is waited for, then told of", async () => {
  await withPage({}, async ({ page, call, token }) => {
    await page.clock.install();
    await page.goto(call);
    await appMessage(page, "PAGE_READY");
    await page.clock.fastForward(21_000);
    await screen(page, "no-token");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "NO_TOKEN" });
    // Late is not never.
    await post(page, { type: "medzen.join", token });
    await screen(page, "check");
  });
});

test("opened alone in a browser the page leads into the app, with the appointment and nothing else in the link", async () => {
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

test("a link that names no appointment is said to be incomplete", async () => {
  await withPage({}, async ({ proxy, page }) => {
    for (const path of ["/call/1", "/call/00000000"]) {
      await page.goto(proxy.origin + path);
      await screen(page, "bad-link");
      assert.deepEqual(proxy.requests, []);
    }
  });
  // What cannot be an appointment's address at all CloudFront answers itself.
  await withPage({}, async ({ proxy, page, appointmentId }) => {
    for (const path of ["/call", "/call/", `/call/${appointmentId}/x`]) {
      const answer = await page.goto(proxy.origin + path);
      assert.equal(answer?.status(), 404);
      await page.getByText("There is no call at this address").waitFor();
    }
  });
});

test("the form of a link that the API gives leads to the page, and the address bar shows the appointment alone", async () => {
  await withPage({}, async ({ proxy, page, appointmentId }) => {
    await page.goto(`${proxy.origin}/call?appointmentId=${appointmentId}`);
    await appMessage(page, "PAGE_READY");
    assert.equal(page.url(), `${proxy.origin}/call/${appointmentId}`);
  });
});

test("the page lives under csp.txt as CloudFront sends it, and may use what it asks for", async () => {
  await withPage({}, async ({ page, call }) => {
    const headers = (await page.goto(call))?.headers() ?? {};
    assert.equal(headers["content-security-policy"], policyFor(clouds.open.embeddingOrigins));
    const own = [...(headers["permissions-policy"] ?? "").matchAll(/([\w-]+)=\(self\)/g)].map(([, name]) => name);
    assert.deepEqual(allow.split("; ").sort(), own.sort(), "what an app hands on is what the page may use");
    // In a document of its own all of it is on; a name that the browser does not know is no harm.
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

test("up to the device check a visit keeps to its budget of requests and bytes, and the second loads no byte of the SDK nor of the page", async () => {
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

test("nothing inline runs, were it to get into the page", async () => {
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
    // How the browser words its report is its own affair; that it reports is what counts.
    if (error.code !== "ERR_ASSERTION" || !String(error.message).includes("script")) throw error;
    assert.match(JSON.stringify(error.actual), /require-trusted-types-for|script-src/);
  });
});
