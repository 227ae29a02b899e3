// How fast and how heavy a call of two is, through the real page, functions and local media plane. `make bench-page` prints it and
// compares it with budget.json. PAGE_BENCH_CALL_SECONDS is the length of the measured call, 900 if it is not set.

import { readFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import type { BrowserContext, Page } from "playwright-core";
import { button, eventually, screen } from "./fixtures/browser.ts";
import { type LiveCall, LiveCalls } from "./fixtures/live-call.ts";
import { installProbes } from "./fixtures/probes.ts";
import { SIGNATURES, type SignatureName } from "./fixtures/signature.ts";

const JOINS = 10;
/** Changes of each kind, half of them at each end. */
const CHANGES = 60;
/** Recordings that are started one after the other. */
const RECORDINGS = 10;
const CALL_SECONDS = Number(process.env["PAGE_BENCH_CALL_SECONDS"] ?? 900);
const MEGABYTE = 1_000_000;
const { call: budget } = JSON.parse(await readFile(new URL("../budget.json", import.meta.url), "utf8"));

const median = (values: number[]) => quantile(values, 0.5);
function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
}

/** Makes the page wait until it sees and hears this participant. */
async function expectSignature(page: Page, name: SignatureName): Promise<void> {
  const { color, tone } = SIGNATURES[name];
  await page.evaluate(
    ({ color, tone }) => {
      window.awaited = Promise.all([window.whenSeen(color), window.whenHeard(tone, true)]);
    },
    { color, tone },
  );
}

const awaited = (page: Page) => page.evaluate(() => window.awaited);

interface JoinTimes {
  joinerSees: number;
  joinerHears: number;
  otherSees: number;
  otherHears: number;
}

/** Milliseconds from pressing the button until each end sees and hears the other one. */
async function joinTimes({ context, join, person, enter }: LiveCall): Promise<JoinTimes> {
  await context.addInitScript(installProbes);
  const provider = await join("provider");
  const patient = await person("patient");
  await screen(patient, "check");
  await expectSignature(provider, "patient");
  await expectSignature(patient, "provider");
  await enter(patient);
  const [joinerSees = Number.NaN, joinerHears = Number.NaN] = await awaited(patient);
  const [otherSees = Number.NaN, otherHears = Number.NaN] = await awaited(provider);
  const pressedAt = (await patient.evaluate(() => window.pressedAt)) ?? Number.NaN;
  return {
    joinerSees: joinerSees - pressedAt,
    joinerHears: joinerHears - pressedAt,
    otherSees: otherSees - pressedAt,
    otherHears: otherHears - pressedAt,
  };
}

interface Ends {
  provider: Page;
  patient: Page;
}

/** Milliseconds from each change of a tone, on or off, at one end until it is heard at the other. */
async function soundDelays(ends: Ends): Promise<number[]> {
  const delays: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const name = change < CHANGES / 2 ? "provider" : "patient";
    const [sender, receiver] = name === "provider" ? [ends.provider, ends.patient] : [ends.patient, ends.provider];
    const on = change % 2 === 1;
    const { tone } = SIGNATURES[name];
    await receiver.evaluate(
      ({ tone, on }) => {
        window.awaited = Promise.all([window.whenHeard(tone, on)]);
      },
      { tone, on },
    );
    const changedAt = await sender.evaluate(
      (on) =>
        new Promise<number>((resolve) => {
          // Not always in the same phase of the frames.
          setTimeout(() => {
            window.setTone(on);
            resolve(window.now());
          }, Math.random() * 200);
        }),
      on,
    );
    const [heardAt = Number.NaN] = await awaited(receiver);
    delays.push(heardAt - changedAt);
  }
  return delays;
}

/** Milliseconds from each change of a camera's colour at one end until it is seen at the other. */
async function pictureDelays(ends: Ends): Promise<number[]> {
  const delays: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const name = change < CHANGES / 2 ? "provider" : "patient";
    const [sender, receiver] = name === "provider" ? [ends.provider, ends.patient] : [ends.patient, ends.provider];
    const { color } = SIGNATURES[change % 2 === 0 ? "guest" : name];
    await receiver.evaluate((color) => {
      window.awaited = Promise.all([window.whenSeen(color)]);
    }, color);
    const changedAt = await sender.evaluate(
      ({ color, tone }) =>
        new Promise<number>((resolve) => {
          setTimeout(() => {
            window.setSignature({ color: [...color], tone });
            resolve(window.now());
          }, Math.random() * 200);
        }),
      { color, tone: SIGNATURES[name].tone },
    );
    const [seenAt = Number.NaN] = await awaited(receiver);
    delays.push(seenAt - changedAt);
  }
  return delays;
}

/** Milliseconds from the moment when Chime's recorder has joined, as the engine reports it, until each page shows that it records. */
async function signDelays({ context, join, ask, attendee, events }: LiveCall): Promise<number[]> {
  await context.addInitScript(installProbes);
  const pages = [await join("provider"), await join("patient")] as const;
  const [provider] = pages;
  const people = [await attendee("provider"), await attendee("patient")];
  for (const role of ["provider", "patient"] as const) await ask(role, "PUT", "/consent", { recording: true });
  await provider.bringToFront();
  await button(provider, "Recording").click();
  const delays: number[] = [];
  for (let round = 1; round <= RECORDINGS; round += 1) {
    for (const page of pages)
      await page.evaluate(() => {
        window.awaited = Promise.all([window.whenSigned()]);
      });
    await button(provider, "Start recording").click();
    const shown = await Promise.all(pages.map(async (page) => (await awaited(page))[0] ?? Number.NaN));
    const joined = await eventually(async () => {
      const all = (await events()).filter(({ name, attendeeId }) => name === "Joined" && !people.includes(attendeeId));
      return all.length === round && all.at(-1);
    }, "the engine reports the recorder");
    delays.push(...shown.map((at) => at - joined.timestamp));
    await button(provider, "Stop recording").click();
    for (const page of pages) await page.locator(".recording-sign").waitFor({ state: "hidden" });
  }
  return delays;
}

/** The heap of a page's scripts in megabytes, after a collection. */
async function heap(context: BrowserContext, page: Page): Promise<number> {
  const session = await context.newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await session.send("Performance.enable");
  const { metrics } = await session.send("Performance.getMetrics");
  await session.detach();
  return (metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? Number.NaN) / MEGABYTE;
}

/** The resident memory of the two largest processes that show pages, in megabytes. */
async function resident(): Promise<number[]> {
  const session = await calls.chromium.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const sizes: number[] = [];
  for (const { id } of processInfo.filter(({ type }) => type === "renderer")) {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${id}/status`, "utf8")) ?? [];
    sizes.push((Number(kilobytes) * 1_024) / MEGABYTE);
  }
  return sizes.sort((a, b) => b - a).slice(0, 2);
}

async function memory(context: BrowserContext, { provider, patient }: Ends): Promise<string> {
  const megabytes = (sizes: number[]) => sizes.map((size) => size.toFixed(0)).join(" and ");
  const heaps = [await heap(context, provider), await heap(context, patient)];
  return `heap ${megabytes(heaps)} MB, resident ${megabytes(await resident())} MB`;
}

/** The name of a request to the API, without ids; undefined for one of a file. */
function apiRequest(method: string, url: string): string | undefined {
  const { pathname } = new URL(url);
  if (!/^\/(appointments|meetings|health)(\/|$)/.test(pathname)) return undefined;
  return `${method} ${pathname.replace(/^.*\/call/, "/call").replace(/[0-9a-f-]{36}/, "{userId}")}`;
}

function report(what: string, values: number[], limit: number): void {
  const late = quantile(values, 0.95);
  console.log(
    `${what}: median ${median(values)} ms, 95th percentile ${late} ms of ${values.length} changes (budget ${limit} ms)`,
  );
  if (!(late < limit)) process.exitCode = 1;
}

async function measureCall(call: LiveCall): Promise<void> {
  const { context, join } = call;
  await context.addInitScript(installProbes);
  const requests = new Map<string, number>();
  context.on("request", (request) => {
    const name = apiRequest(request.method(), request.url());
    if (name) requests.set(name, (requests.get(name) ?? 0) + 1);
  });
  const began = Date.now();
  const ends = { provider: await join("provider"), patient: await join("patient") };
  const { provider, patient } = ends;
  await expectSignature(provider, "patient");
  await expectSignature(patient, "provider");
  await awaited(provider);
  await awaited(patient);
  const atFirst = await memory(context, ends);
  report("sound, end to end", await soundDelays(ends), budget.soundMilliseconds);
  report("picture, end to end", await pictureDelays(ends), budget.pictureMilliseconds);
  const remaining = began + CALL_SECONDS * 1_000 - Date.now();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, remaining)));
  console.log(`memory of the two pages at first: ${atFirst}`);
  console.log(`memory of the two pages after ${CALL_SECONDS} s: ${await memory(context, ends)}`);
  await provider.bringToFront();
  await button(provider, "Leave").click();
  await button(provider, "End for everyone").click();
  await Promise.all([screen(provider, "ended"), screen(patient, "ended")]);
  const total = [...requests.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `requests to the API of a call of two of ${CALL_SECONDS} s: ${total} (budget ${budget.requests} for 900 s) ${JSON.stringify(Object.fromEntries(requests))}`,
  );
  if (total > budget.requests) process.exitCode = 1;
}

const calls = await LiveCalls.open({ ownCloud: "page_bench_media" });
try {
  console.log(
    `call of two: Chromium ${calls.chromium.version()}, pictures of 320x240 at 10 a second, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}`,
  );
  const times: JoinTimes[] = [];
  for (let round = 0; round < JOINS; round += 1)
    await calls.withAppointment(async (call) => {
      times.push(await joinTimes(call));
    });
  const of = (name: keyof JoinTimes) => median(times.map((time) => time[name]));
  console.log(
    `from pressing the button (median of ${JOINS} joins): the joiner sees after ${of("joinerSees")} ms and hears after ${of("joinerHears")} ms, the other end after ${of("otherSees")} ms and ${of("otherHears")} ms`,
  );
  await calls.withAppointment(async (call) =>
    report("sign of a recording, from the recorder's coming", await signDelays(call), budget.signMilliseconds),
  );
  await calls.withAppointment(measureCall);
} finally {
  await calls.close();
}
