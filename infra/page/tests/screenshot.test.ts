// The picture of a call in the project's README: UPDATE_SCREENSHOT=1 takes it anew.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { eventually } from "./fixtures/browser.ts";
import { LiveCalls } from "./fixtures/live-call.ts";

const file = fileURLToPath(new URL("../call.png", import.meta.url));
const SIZE = { width: 960, height: 600 };
/** Of 255: a moved button or another text is more, the clock and the coding of the pictures are less. */
const MAX_MEAN_DIFFERENCE = 3;

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

/** The mean difference of two pictures' pixels, 0 to 255; 255 for pictures of different sizes. */
function difference(page: Page, pictures: Buffer[]): Promise<number> {
  return page.evaluate(
    async (pictures) => {
      const [first, second] = await Promise.all(
        pictures.map(async (picture) => {
          const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
          const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
          const drawing = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
          drawing?.drawImage(bitmap, 0, 0);
          return drawing?.getImageData(0, 0, bitmap.width, bitmap.height).data;
        }),
      );
      if (!first || first.length !== second?.length) return 255;
      return first.reduce((sum, value, i) => sum + Math.abs(value - (second[i] ?? 0)), 0) / first.length;
    },
    pictures.map((picture) => picture.toString("base64")),
  );
}

test("the picture of a call in the README is what a call looks like", async () => {
  await calls.withAppointment(async ({ person, enter, attendee }) => {
    const open = async (role: "provider" | "patient", color: [number, number, number], tone: number) => {
      const page = await person(role);
      await page.setViewportSize(SIZE);
      await page.evaluate((signature) => window.setSignature(signature), { color, tone, figure: true });
      await enter(page);
      return page;
    };
    const provider = await open("provider", [58, 110, 130], 500);
    const patient = await open("patient", [150, 105, 80], 850);
    const [providerId, patientId] = [await attendee("provider"), await attendee("patient")];
    const near = (color: readonly number[] | null, expected: number) => Math.abs((color?.[0] ?? 0) - expected) < 60;
    await eventually(
      async () => near(await provider.evaluate((id) => window.seenColor(id), patientId), 200),
      "patient",
    );
    await eventually(
      async () => near(await patient.evaluate((id) => window.seenColor(id), providerId), 150),
      "provider",
    );
    await provider.bringToFront();
    await provider.mouse.move(0, 0);
    const taken = await provider.screenshot({ animations: "disabled" });
    if (process.env["UPDATE_SCREENSHOT"]) writeFileSync(file, taken);
    const mean = await difference(provider, [taken, readFileSync(file)]);
    assert.ok(mean < MAX_MEAN_DIFFERENCE, `${mean} of 255: take it anew with UPDATE_SCREENSHOT=1, and look at it`);
  });
});
