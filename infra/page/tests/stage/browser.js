// Chromium with a camera and a microphone that are not there, and what a test wants to know of a page in it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Few pictures a second: they are drawn and coded without help.
  "--use-fake-device-for-media-stream=fps=5,device-count=2,display-media-type=browser",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  // Media between two pages of this machine, for there may be no network but loopback.
  "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
  // Nothing outside this machine is ever reached.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

export async function browser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** How long a test waits for what has to come, also on a machine that is busy with other things. */
export const PATIENCE_MS = 60_000;

/** Violations of the content security policy in all pages of a test, and errors that no code caught. */
export async function context(from, options = {}) {
  const made = await from.newContext({
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    reducedMotion: "reduce",
    ...options,
  });
  made.setDefaultTimeout(PATIENCE_MS);
  const violations = [];
  const errors = [];
  await made.exposeBinding("noteViolation", (_, violation) => violations.push(violation));
  await made.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.noteViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`),
    );
  });
  await made.addInitScript(listening);
  made.on("weberror", (error) => errors.push(error.error()));
  return { context: made, violations, errors };
}

/** Runs in each page: keeps what a screen reader would say by itself. What a modal question makes inert is not heard. */
function listening() {
  window.spoken = [];
  new MutationObserver((changes) => {
    const modal = [...document.querySelectorAll("dialog:modal")].at(-1);
    for (const { target, addedNodes } of changes) {
      const region = target.closest?.("[aria-live], [role=status], [role=alert]");
      if (!region || region.ariaLive === "off" || !region.checkVisibility() || (modal && !modal.contains(region)))
        continue;
      const urgent = region.ariaLive === "assertive" || region.role === "alert";
      for (const { textContent } of addedNodes) window.spoken.push({ words: textContent, urgent });
    }
  }).observe(document, { subtree: true, childList: true });
}

/** Waits until a screen reader has said this, and returns how often it has. */
export async function heard(page, words, { urgent = false } = {}) {
  const handle = await page.waitForFunction(
    (expected) =>
      window.spoken.filter((said) => said.words === expected.words && said.urgent === expected.urgent).length,
    { words, urgent },
  );
  return handle.jsonValue();
}

/** A WebView of the app: its two channels, and what came through them. */
export async function webView(context) {
  await context.addInitScript(() => {
    const told = { flutter: [], chime: [] };
    window.told = told;
    window.FlutterChannel = { postMessage: (text) => told.flutter.push(text) };
    window.ChimeHandler = { postMessage: (text) => told.chime.push(JSON.parse(text)) };
  });
}

/** Keeps each track of camera and microphone that pages of the context open: `window.tracks`. */
export async function watchDevices(context) {
  await context.addInitScript(() => {
    window.tracks = [];
    // An empty page has no devices.
    if (!navigator.mediaDevices) return;
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const kinds = ["audio", "video"].filter((kind) => constraints[kind]);
      if (kinds.some((kind) => window.broken?.includes(kind))) throw new DOMException("x", "NotReadableError");
      const stream = await open(constraints);
      window.tracks.push(...stream.getTracks());
      return stream;
    };
  });
}

/** Which of them are live. */
export function live(page) {
  return page.evaluate(() =>
    window.tracks
      .filter(({ readyState }) => readyState === "live")
      .map(({ kind }) => kind)
      .sort(),
  );
}

/** As the app does it by `runJavaScript`. */
export async function post(page, message) {
  await page.evaluate((message) => window.postMessage(message, location.origin), message);
}

export async function screen(page, name) {
  await page.locator(`body[data-screen="${name}"]`).waitFor();
}

/** Waits until the condition on what the app was told holds, and returns it. */
export async function told(page, event) {
  const handle = await page.waitForFunction(
    (event) => window.told.chime.find((message) => message.event === event),
    event,
  );
  return handle.jsonValue();
}

export async function eventually(check, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What axe finds that is serious or critical: nothing, it is to be hoped. */
export async function barriers(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`,
    );
}
