// The addresses that `make run` prints: the page in an app that the local cloud serves, from the local CloudFront.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { context, eventually } from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";
import type { Role } from "./fixtures/cloud.ts";
import { ScriptedMedia } from "./fixtures/scripted-media.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

test("the addresses that make run prints open the call for provider and patient without further steps", async () => {
  const { apps, page: origin } = calls.clouds.open;
  assert.deepEqual(Object.keys(apps), ["provider", "patient"]);
  const made = await context(calls.chromium);
  try {
    const media = await ScriptedMedia.forContext(made.context);
    const open = async (role: Role) => {
      const app = await made.context.newPage();
      await media.attach(app);
      await app.goto(apps[role] ?? "");
      const page = app.frameLocator("iframe");
      await page.locator('body[data-screen="check"]').waitFor();
      assert.ok(
        app.frames().some((frame) => frame.url().startsWith(`${origin}/call/`)),
        "the page comes from CloudFront",
      );
      await app.bringToFront();
      await page.getByRole("button", { name: /^(Start|Join) the consultation$/ }).click();
      await app.getByRole("list", { name: "What the call page said" }).getByText("MEETING_JOINED").waitFor();
      await page.locator('body[data-screen="call"]').waitFor();
      return { app, page };
    };
    const provider = await open("provider");
    const patient = await open("patient");
    await patient.page.getByRole("heading", { name: "Provider" }).waitFor();
    await provider.page.locator('[data-control="people"][data-count="2"]').waitFor();

    await provider.app.bringToFront();
    await provider.page.getByRole("button", { name: "Leave" }).click();
    await provider.page.getByRole("button", { name: "End for everyone" }).click();
    await patient.page.locator('body[data-screen="ended"]').waitFor();
    await eventually(() => media.connected === 0, "both have hung up");
    assert.deepEqual(made.violations, []);
    assert.deepEqual(made.errors, []);
  } finally {
    await made.context.close();
  }
});
