// The browser's console says nothing of the page. One list, `permissions.txt`, has the permissions of the page, of the header
// Permissions-Policy and of the frame that shows it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { BrowserContext, Frame, Page } from "playwright-core";
import { context, eventually, webView } from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";
import { allow, startProxy } from "./fixtures/cdn-proxy.ts";
import { showing } from "./fixtures/embedding-app.ts";
import { ScriptedMedia } from "./fixtures/scripted-media.ts";

const root = new URL("../../../", import.meta.url);
const permissions = readFileSync(new URL("infra/page/permissions.txt", root), "utf8").trim().split("\n");

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

/** Keeps the warnings and errors of a page, also those that the browser itself writes. */
function keepConsole(page: Page): string[] {
  const said: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "warning" || message.type() === "error")
      said.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => said.push(`uncaught: ${error.message}`));
  return said;
}

/** Joins, shares the screen and leaves. */
async function call(frame: Page | Frame): Promise<void> {
  await frame.locator('body[data-screen="check"]').waitFor();
  await frame.locator(".check .button.wide").click();
  await frame.locator('body[data-screen="call"] .tile.self.seen').waitFor();
  // The SDK observes the browser's statistics by then.
  await frame.getByRole("img", { name: /^Connection: (good|fair|poor)$/ }).waitFor();
  await frame.getByRole("button", { name: "Screen: share" }).click();
  await frame.getByRole("button", { name: "Screen: stop sharing" }).click();
  await frame.getByRole("button", { name: "Leave" }).click();
  await frame.getByRole("button", { name: "Only leave" }).click();
  await frame.locator('body[data-screen="left"]').waitFor();
}

async function withConsole(run: (made: BrowserContext, media: ScriptedMedia) => Promise<string[]>): Promise<void> {
  const made = await context(calls.chromium);
  try {
    const said = await run(made.context, await ScriptedMedia.forContext(made.context));
    assert.deepEqual([...said, ...made.violations], []);
  } finally {
    await made.context.close();
  }
}

test("the console of a page of its own has no warning, error or violation", async () => {
  await withConsole(async (made, media) => {
    await webView(made);
    const { appointmentId, users } = await calls.clouds.open.appointment();
    const proxy = await startProxy(calls.clouds.open);
    try {
      const page = await made.newPage();
      const said = keepConsole(page);
      await media.attach(page);
      await page.goto(`${proxy.origin}/call/${appointmentId}`);
      await page.evaluate(
        (token) => window.postMessage({ type: "medzen.join", token }, location.origin),
        users.provider.token,
      );
      await call(page);
      return said;
    } finally {
      await proxy.close();
    }
  });
});

for (const [name, permitted] of [
  ["every permission of the list", permissions],
  ["camera and microphone only", ["camera", "microphone", "display-capture"]],
] as const) {
  test(`the console of a page in a frame with ${name} has no warning, error or violation`, async () => {
    await withConsole(async (made, media) => {
      const { appointmentId, users } = await calls.clouds.open.appointment();
      const proxy = await startProxy(calls.clouds.open);
      try {
        const page = await made.newPage();
        const said = keepConsole(page);
        await media.attach(page);
        await page.goto(showing(calls.clouds.app, `${proxy.origin}/call/${appointmentId}`, permitted.join("; ")));
        await eventually(
          () => page.evaluate(() => window.received.some(({ event }) => event === "PAGE_READY")),
          "ready",
        );
        await page.evaluate(
          ({ token, origin }) => {
            const frame = document.querySelector<HTMLIFrameElement>("#call");
            frame?.contentWindow?.postMessage({ type: "medzen.join", token }, origin);
          },
          { token: users.provider.token, origin: proxy.origin },
        );
        const frame = page.frames().find((one) => one.url().startsWith(proxy.origin));
        assert.ok(frame);
        await call(frame);
        return said;
      } finally {
        await proxy.close();
      }
    });
  });
}

test("header, frame and the app of the local cloud have the permissions of the list", async () => {
  const answer = await fetch(`${calls.clouds.open.page}/call/00000000-0000-4000-8000-0000000000a1`);
  const header = answer.headers.get("permissions-policy") ?? "";
  const own = [...header.matchAll(/([\w-]+)=\(self\)/g)].map(([, name]) => name);
  assert.deepEqual(own, permissions, "the header Permissions-Policy of infra/cdn.yaml");
  assert.deepEqual(allow.split("; "), permissions, "the frame in README.md");
  const app = readFileSync(new URL("crates/local/src/control_api/app.html", root), "utf8");
  assert.deepEqual(/ allow="([^"]*)"/.exec(app)?.[1]?.split("; "), permissions, "the frame of the local cloud's app");
});
