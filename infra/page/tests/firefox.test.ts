// A call between Firefox and Chromium, as `make run` gives it to any browser. Firefox offers no H.264: the call uses VP8.
// Firefox takes no candidate of loopback (its preference media.peerconnection.ice.loopback has no effect): media is at another
// address of this machine.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import type { Page as ChromiumPage } from "playwright-core";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import type { Person } from "../src/answers.ts";
import { appMessage, browser, context, eventually, post, screen, webView } from "./fixtures/browser.ts";
import { requestApi } from "./fixtures/call-fixture.ts";
import { type Appointment, type Cloud, startOwnCloud } from "./fixtures/cloud.ts";
import { type Evaluates, giveDevices, heard, SIGNATURES, seen, sign, synthesizeDevices } from "./fixtures/signature.ts";

const address = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === "IPv4")?.address;

const executablePath = process.env["FIREFOX"] ?? "/usr/bin/firefox-esr";
/** Where everything is checked, nothing may be missing. */
const missing =
  !process.env["CI"] && !existsSync(executablePath) && `no Firefox: install firefox-esr, or name one by FIREFOX`;

let cloud: Cloud & { stop(): Promise<void> };
let chromium: Awaited<ReturnType<typeof browser>>;
let firefox: Browser;
before(async () => {
  if (missing) return;
  assert.ok(address, "Firefox needs an address of this machine that is not loopback");
  [cloud, chromium, firefox] = await Promise.all([
    startOwnCloud("page_firefox", { signaling: "loopback", mediaAddress: address }),
    browser(),
    puppeteer.launch({
      browser: "firefox",
      executablePath,
      extraPrefsFirefox: {
        "media.navigator.streams.fake": true,
        "media.navigator.permission.disabled": true,
        "media.autoplay.default": 0,
        "media.navigator.audio.fake_frequency": SIGNATURES.patient.tone,
      },
    }),
  ]);
});
after(() => Promise.all([chromium?.close(), firefox?.close(), cloud?.stop()]));

async function joinInChromium({ appointmentId, users }: Appointment): Promise<ChromiumPage> {
  const made = await context(chromium);
  await webView(made.context);
  await giveDevices(made.context);
  const page = await made.context.newPage();
  await page.goto(`${cloud.page}/call/${appointmentId}`, { waitUntil: "commit" });
  await appMessage(page, "PAGE_READY");
  await sign(page as Evaluates, "provider");
  await post(page, { type: "medzen.join", token: users.provider.token, language: "en" });
  await screen(page, "check");
  await page.locator(".check .button.wide").click();
  await appMessage(page, "MEETING_JOINED");
  return page;
}

async function joinInFirefox({ appointmentId, users }: Appointment): Promise<Page> {
  const page = await firefox.newPage();
  page.setDefaultTimeout(60_000);
  await page.evaluateOnNewDocument(synthesizeDevices, SIGNATURES.screen);
  await page.evaluateOnNewDocument(() => {
    window.appMessages = { flutter: [], chime: [] };
    window.ChimeHandler = { postMessage: (text: string) => window.appMessages.chime.push(JSON.parse(text)) };
  });
  const received = (event: string) =>
    page.waitForFunction((event) => window.appMessages.chime.some((message) => message.event === event), {}, event);
  await page.goto(`${cloud.page}/call/${appointmentId}`);
  await received("PAGE_READY");
  await sign(page as Evaluates, "patient");
  await page.evaluate((message) => window.postMessage(message, location.origin), {
    type: "medzen.join",
    token: users.patient.token,
    language: "en",
  });
  await page.waitForSelector('body[data-screen="check"]');
  await page.locator(".check .button.wide").click();
  await received("MEETING_JOINED");
  return page;
}

test("Firefox and Chromium see and hear each other", { skip: missing }, async () => {
  const appointment = await cloud.appointment();
  const provider = await joinInChromium(appointment);
  const patient = await joinInFirefox(appointment);
  const { token } = appointment.users.provider;
  const { body } = await requestApi(cloud, appointment.appointmentId, token, "GET", "/attendees");
  const attendee = (role: "provider" | "patient"): string =>
    body.attendees.find(({ userId }: Person) => userId === appointment.users[role].id).attendeeId;
  const [inChromium, inFirefox] = [provider as Evaluates, patient as Evaluates];
  await eventually(async () => (await seen(inChromium, attendee("patient"))) === "patient", "Chromium sees Firefox");
  await eventually(async () => (await seen(inFirefox, attendee("provider"))) === "provider", "Firefox sees Chromium");
  await eventually(async () => (await heard(inChromium)).includes("patient"), "Chromium hears Firefox");
  await eventually(async () => (await heard(inFirefox)).includes("provider"), "Firefox hears Chromium");
  assert.deepEqual(await heard(inChromium), ["patient"]);
  assert.deepEqual(await heard(inFirefox), ["provider"]);
});
