// How fast the page is: from the address to the device check, with the SDK ready. `make bench-page` prints it and compares it
// with budget.json. Times depend on the machine, so no test does.

import { readFile } from "node:fs/promises";
import { browser, context, screen, told, webView } from "./stage/browser.js";
import { front } from "./stage/front.js";

const ROUNDS = 7;
const TOKEN = "aaaa.bbbb.cccc";
const off = { state: "off", reason: null };
const status = { sessionId: null, callStatus: "not_started", hasActiveCall: false, canJoin: false, isProvider: false, isPatient: true, providerName: "Provider", present: [], recording: off, transcription: off };
const budget = JSON.parse(await readFile(new URL("../budget.json", import.meta.url), "utf8"));
const { slowed } = budget;

async function measure(chromium, slow) {
  const stage = await front({ answer: () => ({ body: status }) });
  const times = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { context: made } = await context(chromium);
      await webView(made);
      // The app hands over its token as soon as the page listens.
      await made.addInitScript((token) => {
        const handler = window.ChimeHandler;
        window.marks = {};
        window.ChimeHandler = {
          postMessage(text) {
            handler.postMessage(text);
            const { event } = JSON.parse(text);
            window.marks[event] ??= performance.now();
            if (event === "PAGE_READY") window.postMessage({ type: "medzen.join", token }, location.origin);
          },
        };
        // Interactive: the device check is shown, and its button can be pressed.
        new MutationObserver(() => {
          if (document.body?.dataset.screen === "check") window.marks.check ??= performance.now();
        }).observe(document, { subtree: true, attributes: true, childList: true });
      }, TOKEN);
      const page = await made.newPage();
      if (slow) {
        const session = await made.newCDPSession(page);
        await session.send("Emulation.setCPUThrottlingRate", { rate: slowed.cpu });
        await session.send("Network.enable");
        await session.send("Network.emulateNetworkConditions", { offline: false, latency: slowed.latencyMilliseconds, downloadThroughput: slowed.bitsPerSecond / 8, uploadThroughput: slowed.bitsPerSecond / 8 });
      }
      await page.goto(`${stage.origin}/call/00000000-0000-4000-8000-0000000000a1`);
      await screen(page, "check");
      await told(page, "SDK_READY");
      const { check, SDK_READY } = await page.evaluate(() => window.marks);
      times.push({ check, sdk: SDK_READY, both: Math.max(check, SDK_READY) });
      await made.close();
    }
  } finally {
    await stage.close();
  }
  const median = (name) => Math.round(times.map((time) => time[name]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]);
  return { check: median("check"), sdk: median("sdk"), both: median("both") };
}

const chromium = await browser();
try {
  const rows = [
    ["loopback", await measure(chromium, false), budget.milliseconds.interactiveOnLoopback],
    [`${slowed.cpu}x slower CPU, ${slowed.bitsPerSecond / 1e6} Mbit/s, ${slowed.latencyMilliseconds} ms`, await measure(chromium, true), budget.milliseconds.interactiveSlowed],
  ];
  for (const [what, { check, sdk, both }, limit] of rows) {
    console.log(`${what.padEnd(40)} device check ${check} ms, SDK ready ${sdk} ms, both ${both} ms (budget ${limit} ms; median of ${ROUNDS})`);
    if (both > limit) process.exitCode = 1;
  }
} finally {
  await chromium.close();
}
