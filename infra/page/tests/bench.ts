// How fast the page is: from the address to the device check, with the SDK ready. `make bench-page` prints it and compares it
// with budget.json. Times depend on the machine, so no test does.

import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { appMessage, browser, context, screen, webView } from "./fixtures/browser.ts";
import { built, type Manifest } from "./fixtures/cdn-proxy.ts";
import { type Cloud, startClouds } from "./fixtures/cloud.ts";

const ROUNDS = 7;
const budget = JSON.parse(await readFile(new URL("../budget.json", import.meta.url), "utf8"));
const { slowed } = budget;

/** Milliseconds after the start of the navigation. */
interface Times {
  check: number;
  sdk: number;
  both: number;
}

/** Medians of first visits, and the greatest number of bytes of the SDK that a second visit has loaded. */
async function measure(
  chromium: Browser,
  { page: origin, appointment }: Pick<Cloud, "page" | "appointment">,
  slow: boolean,
): Promise<Times & { again: number }> {
  const { appointmentId, users } = await appointment();
  const times: Times[] = [];
  let again = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { context: made } = await context(chromium);
    await webView(made);
    // The app hands over its token as soon as the page listens.
    await made.addInitScript((token) => {
      const handler = window.ChimeHandler;
      window.marks = {};
      window.ChimeHandler = {
        postMessage(text) {
          handler?.postMessage(text);
          const { event } = JSON.parse(text);
          window.marks[event] ??= performance.now();
          if (event === "PAGE_READY") window.postMessage({ type: "medzen.join", token }, location.origin);
        },
      };
      // Interactive: the device check is shown, and its button can be pressed.
      new MutationObserver(() => {
        if (document.body?.dataset["screen"] === "check") window.marks["check"] ??= performance.now();
      }).observe(document, { subtree: true, attributes: true, childList: true });
    }, users.patient.token);
    const page = await made.newPage();
    if (slow) {
      const session = await made.newCDPSession(page);
      await session.send("Emulation.setCPUThrottlingRate", { rate: slowed.cpu });
      await session.send("Network.enable");
      await session.send("Network.emulateNetworkConditions", {
        offline: false,
        latency: slowed.latencyMilliseconds,
        downloadThroughput: slowed.bitsPerSecond / 8,
        uploadThroughput: slowed.bitsPerSecond / 8,
      });
    }
    const visit = async () => {
      await page.goto(`${origin}/call/${appointmentId}`);
      await screen(page, "check");
      await appMessage(page, "SDK_READY");
      return page.evaluate(() => ({
        ...window.marks,
        bytes: performance
          .getEntriesByType("resource")
          .filter(({ name }) => name.includes("chime-sdk"))
          .reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).transferSize, 0),
      }));
    };
    const { check = Number.NaN, SDK_READY = Number.NaN } = (await visit()) as Record<string, number>;
    times.push({ check, sdk: SDK_READY, both: Math.max(check, SDK_READY) });
    again = Math.max(again, (await visit()).bytes);
    await made.close();
  }
  const median = (name: keyof Times) =>
    Math.round(times.map((time) => time[name]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN);
  return { check: median("check"), sdk: median("sdk"), both: median("both"), again };
}

const { files }: Manifest = JSON.parse(await readFile(join(built, "manifest.json"), "utf8"));
const sdkFile = files.find(({ path }) => path.includes("chime-sdk"));
if (!sdkFile) throw new Error("the manifest has no SDK");
const { gzip, brotli } = sdkFile;
const [clouds, chromium] = await Promise.all([startClouds(), browser()]);
try {
  console.log(
    `SDK: ${gzip} bytes of gzip, ${brotli} of brotli (budget ${budget.bytes.sdk.gzip} and ${budget.bytes.sdk.brotli}); Chromium ${chromium.version()}, ${availableParallelism()} cores`,
  );
  const rows: [string, Times & { again: number }, number][] = [
    ["loopback", await measure(chromium, clouds.open, false), budget.milliseconds.interactiveOnLoopback],
    [
      `${slowed.cpu}x slower CPU, ${slowed.bitsPerSecond / 1e6} Mbit/s, ${slowed.latencyMilliseconds} ms`,
      await measure(chromium, clouds.open, true),
      budget.milliseconds.interactiveSlowed,
    ],
  ];
  for (const [what, { check, sdk, both, again }, limit] of rows) {
    console.log(
      `${what.padEnd(40)} device check ${check} ms, SDK ready ${sdk} ms, both ${both} ms (budget ${limit} ms; median of ${ROUNDS}); second visit: ${again} bytes of the SDK`,
    );
    if (both > limit || again > 0) process.exitCode = 1;
  }
} finally {
  await Promise.all([chromium.close(), clouds.close()]);
}
