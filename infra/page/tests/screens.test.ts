// Every screen, in both languages, light and dark, on phone and desktop: no accessibility violation, all texts from
// texts.json, nothing cut off. With SHOTS=<folder> it keeps screenshots.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { Person } from "../src/answers.ts";
import {
  accessibilityViolations,
  appMessage,
  context,
  eventually,
  post,
  screen,
  watchDevices,
  webView,
} from "./fixtures/browser.ts";
import { CallFixture, requestApi } from "./fixtures/call-fixture.ts";
import { type ProxySettings, startProxy } from "./fixtures/cdn-proxy.ts";
import type { Role } from "./fixtures/cloud.ts";

const texts: Record<Language, Record<string, string>> = JSON.parse(
  readFileSync(new URL("../src/texts.json", import.meta.url), "utf8"),
);
const denied = (name: string) =>
  `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("x", "${name}"); };`;
/** Answers that the real API does not give, or not soon. */
const failing = (status: number, code?: string, retryAfter?: string) => () => ({
  status,
  body: code ? { error: "x", code, requestId: "r" } : { message: "x" },
  headers: retryAfter ? { "retry-after": retryAfter } : {},
});

type CallApi = (role: Role, method: string, path: string, body?: object) => Promise<void>;

/** How a test reaches a screen. */
interface Way {
  /** The name of the screen, if it is not the key. */
  shown?: string;
  role?: Role;
  token?: string;
  waitingRoom?: boolean;
  path?: string;
  /** No app is around the page. */
  alone?: boolean;
  /** The app hands over no token. */
  silent?: boolean;
  /** Runs in the page before its own scripts. */
  script?: string;
  respond?: ProxySettings["respond"];
  alter?: ProxySettings["alter"];
  /** Requests to the API before the page is opened. */
  first?(call: CallApi): Promise<void>;
  /** What is waited for once the page is open. */
  after?(page: Page): Promise<unknown>;
  /** Milliseconds by which the page's clock is advanced. */
  forward?: number;
  /** Whether the button of the device check is pressed. */
  press?: boolean;
}

/** The screens that need no media. */
const SCREENS: Record<string, Way> = {
  alone: { alone: true },
  "bad-link": { path: "/call/1" },
  loading: { silent: true },
  "no-token": { silent: true, forward: 21_000 },
  check: {},
  "check of the provider": { shown: "check", role: "provider" },
  "check without a camera": {
    shown: "check",
    script: `const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        if (constraints.video) throw new DOMException("Permission denied by system", "NotAllowedError");
        return open(constraints);
      };`,
  },
  permission: { script: "navigator.mediaDevices.getUserMedia = () => new Promise(() => undefined);" },
  "devices-denied": {
    script: `${denied("NotAllowedError")} navigator.permissions.query = async () => ({ state: "denied" });`,
  },
  // The page is permitted, and nevertheless refused.
  "devices-system": { script: denied("NotAllowedError") },
  "devices-none": { script: denied("NotFoundError") },
  "devices-taken": { script: denied("NotReadableError") },
  sdk: { alter: [/chime-sdk/, () => Buffer.from("0")] },
  session: { token: "aaaa.bbbb.cccc", after: (page) => appMessage(page, "TOKEN_REQUIRED"), forward: 11_000 },
  forbidden: { role: "stranger" },
  removed: {
    async first(call) {
      await call("provider", "POST", "");
      await call("patient", "POST", "/attendees");
      await call("provider", "DELETE", "/attendees/patient");
    },
  },
  "turned-away": {
    waitingRoom: true,
    async first(call) {
      await call("provider", "POST", "");
      await call("patient", "POST", "/attendees");
      await call("provider", "PATCH", "/attendees/patient", { admitted: false });
    },
  },
  missing: { path: "/call/ffffffff-ffff-4fff-8fff-ffffffffffff" },
  expired: { respond: failing(410, "MEETING_EXPIRED") },
  busy: { respond: failing(429, undefined, "30") },
  down: { respond: failing(503, undefined, "30") },
  offline: { respond: () => "drop" },
  failed: { respond: failing(400, "BAD_REQUEST") },
  ended: {
    async first(call) {
      await call("provider", "POST", "");
      await call("provider", "DELETE", "");
    },
  },
  "not-started": { press: true },
  consent: {
    press: true,
    respond: ({ method }) =>
      method === "POST"
        ? { status: 202, body: { status: "consent_required", sessionId: "s", purposes: ["recording"], stopping: [] } }
        : undefined,
  },
  waiting: { waitingRoom: true, first: (call) => call("provider", "POST", ""), press: true },
};

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

type Language = "en" | "fr";

interface View {
  language: Language;
  colorScheme: "light" | "dark";
  viewport: { width: number; height: number };
}

const SIZES = {
  phone: { width: 360, height: 740 },
  tablet: { width: 768, height: 1024 },
  desk: { width: 1280, height: 800 },
};
/** The smallest phones, upright and on their side, and a desktop: every control can be reached there. */
const NARROW = [
  { width: 320, height: 568 },
  { width: 360, height: 640 },
  { width: 640, height: 360 },
  { width: 1280, height: 800 },
];
const VIEWS: View[] = [
  // On a phone each language in each theme; elsewhere only the layout differs.
  ...(["en", "fr"] as const).flatMap((language) =>
    (["light", "dark"] as const).map((colorScheme) => ({ language, colorScheme, viewport: SIZES.phone })),
  ),
  { language: "en", colorScheme: "light", viewport: SIZES.desk },
  { language: "fr", colorScheme: "dark", viewport: SIZES.tablet },
];

for (const [name, how] of Object.entries(SCREENS)) {
  const { shown = name, role = "patient" } = how;
  test(`the screen ${name} has no accessibility violation, in both languages and themes, from phone to desktop`, async () => {
    const cloud = how.waitingRoom ? calls.clouds.waiting : calls.clouds.open;
    const { appointmentId, users } = await cloud.appointment();
    await how.first?.(async (role, method, path, body) => {
      const { status, body: answer } = await requestApi(
        cloud,
        appointmentId,
        users[role].token,
        method,
        path.replace("/patient", `/${users.patient.id}`),
        body,
      );
      assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    });
    const proxy = await startProxy(cloud, { respond: how.respond, alter: how.alter });
    const made = await context(calls.chromium, { locale: "en-GB" });
    try {
      if (!how.alone) await webView(made.context);
      if (how.script) await made.context.addInitScript({ content: how.script });
      const page = await made.context.newPage();
      if (how.forward) await page.clock.install();
      await page.goto(proxy.origin + (how.path ?? `/call/${appointmentId}`));
      if (!how.alone && !how.silent && !how.alter && name !== "bad-link") {
        await appMessage(page, "PAGE_READY");
        await post(page, { type: "medzen.join", token: how.token ?? users[role].token });
      }
      await how.after?.(page);
      if (how.forward) await page.clock.fastForward(how.forward);
      if (how.press) {
        await screen(page, "check");
        await page.locator(".check .button.wide").click();
      }
      await screen(page, shown);
      assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1", "the heading takes the focus");
      await looks(page, name.replaceAll(" ", "-"));
      assert.deepEqual(made.violations, []);
    } finally {
      await made.context.close();
      await proxy.close();
    }
  });
}

test("the screens of a call have no accessibility violation, in both languages and themes, from phone to desktop", async () => {
  await calls.withAppointment(async ({ inCall, ask, users, media, proxy }) => {
    const provider = await inCall("provider");
    await inCall("patient");
    const { body } = await ask("provider", "GET", "/attendees");
    const other = {
      attendeeId: body.attendees.find(({ userId }: Person) => userId === users.patient.id).attendeeId,
      externalUserId: users.patient.id,
    };
    media.addParticipant(other);
    await provider.bringToFront();
    await provider.locator(`.tile[data-attendee="${other.attendeeId}"].seen`).waitFor();
    // What needs a second patient and a recording function is added to the API's answers.
    proxy.settings.respond = async ({ method, path }, real) => {
      if (method !== "GET" || !path.endsWith("/call")) return undefined;
      const answer = await real();
      const waiting = [
        {
          userId: users.stranger.id,
          displayName: "Jean-Baptiste Nkomo",
          role: "observer",
          since: "2026-11-20T10:00:00Z",
        },
      ];
      return { ...answer, body: { ...answer.body, waiting, recording: { state: "requested", reason: null } } };
    };
    media.transcription("STARTED");
    media.addParticipant({ attendeeId: "recorder-1", externalUserId: "aws:MediaPipeline-7d9f1c5e", video: false });
    await provider.locator('[data-notice="waiting"]').waitFor();
    await provider.locator(".recording-sign").waitFor();
    await provider.locator('dialog[data-dialog="consent"]').waitFor();
    await looks(provider, "consent");
    // The question is put off: its notice takes room too.
    await provider.keyboard.press("Escape");
    await provider.locator('[data-notice="consent"]').waitFor();
    await provider.locator('[data-control="captions"]').click();
    media.setMuted(other.attendeeId, true);
    const caption = () =>
      media.caption({
        ...other,
        id: "r1",
        text: "The pain has been getting better since Monday, but I still feel it when I climb stairs.",
        partial: true,
      });
    caption();
    await provider.locator(".captions p").waitFor();
    await looks(provider, "call");
    await provider.locator('[data-control="people"]').click();
    await looks(provider, "people");
    await provider.locator('[data-control="gear"]').click();
    await provider.locator(".settings select").first().waitFor();
    await looks(provider, "settings");
    await provider.keyboard.press("Escape");
    await provider.locator('[data-control="leave"]').click();
    await looks(provider, "leave");
    await provider.keyboard.press("Escape");
    media.addParticipant({ attendeeId: "guest-1", externalUserId: "guest-1", video: false });
    media.addParticipant({ attendeeId: "guest-2", externalUserId: "guest-2" });
    await provider.locator('[data-layout="grid"]').waitFor();
    await looks(provider, "grid");
    media.shareScreen(other);
    await provider.locator('[data-layout="shared"] .tile.content.seen').waitFor();
    await looks(provider, "shared");
    await provider.locator('[data-control="leave"]').click();
    await provider.locator("dialog > .actions .button.quiet").first().click();
    await screen(provider, "left");
    await looks(provider, "left");
  });
});

test("the screen for unreachable media has no accessibility violation, in both languages and themes, from phone to desktop", async () => {
  await calls.withAppointment(
    async ({ person, enter, media }) => {
      media.accepting = false;
      const page = await person("provider");
      await enter(page);
      await screen(page, "media");
      await looks(page, "media");
    },
    { config: { mediaTimeoutSeconds: 2 } },
  );
});

test("the notices of a call and the screens after it have no accessibility violation, in both languages and themes, from phone to desktop", async () => {
  await calls.withAppointment(async ({ inCall, context, media, proxy }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.clock.install();
    proxy.settings.respond = () => ({ status: 401, body: { message: "Unauthorized" } });
    await page.evaluate(() => {
      for (const track of window.tracks.filter(({ readyState }) => readyState === "live")) {
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
    });
    await page.locator('[data-control="leave"]').click();
    await page.locator("dialog .button.danger").click();
    await eventually(async () => {
      await page.clock.fastForward(1_000);
      return page.locator('dialog[data-dialog="end-failed"]').isVisible();
    }, "it could not be ended");
    await looks(page, "end-failed");
    await page.keyboard.press("Escape");
    for (const name of ["microphone", "camera", "session"]) await page.locator(`[data-notice="${name}"]`).waitFor();
    await looks(page, "notices");
    proxy.settings.respond = undefined;
    media.closeWithStatus(301);
    await screen(page, "elsewhere");
    await looks(page, "elsewhere");
    await page.locator(".actions .button").first().click();
    await eventually(() => media.connected === 1, "in again");
    media.closeWithStatus(409);
    await screen(page, "full");
    await looks(page, "full");
  });
});

/** Checks the screen in every view. */
async function looks(page: Page, name: string) {
  for (const view of VIEWS) await look(page, name, view);
  for (const language of ["en", "fr"] as const) {
    for (const viewport of NARROW) {
      await set(page, { language, viewport });
      await picture(page, `${name}-${viewport.width}x${viewport.height}-${language}`);
      assert.deepEqual(await misplaced(page), [], `${name} at ${viewport.width} by ${viewport.height} in ${language}`);
    }
  }
}

async function set(page: Page, { language, viewport }: Pick<View, "language" | "viewport">) {
  await page.setViewportSize(viewport);
  await post(page, { type: "medzen.setLanguage", language });
  await page.waitForFunction((language) => document.documentElement.lang === language, language);
}

async function picture(page: Page, name: string) {
  const folder = process.env["SHOTS"];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function look(page: Page, name: string, { language, colorScheme, viewport }: View) {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await set(page, { language, viewport });
  const view = `${name}-${viewport.width}-${colorScheme}-${language}`;
  await picture(page, view);
  assert.deepEqual(await accessibilityViolations(page), [], view);
  const { wide, small } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    // WCAG 2.5.8: each control is at least 24 by 24 pixels.
    small: [...document.querySelectorAll("button, select, input, a")]
      .filter((element) => element.checkVisibility())
      .map((element) => ({ html: element.outerHTML.slice(0, 80), box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 24 || box.height < 24)
      .map(({ html }) => html),
  }));
  assert.ok(wide <= 0, `${view} is ${wide} pixels wider than the screen`);
  assert.deepEqual(small, [], view);
  assert.deepEqual(await foreign(page, language), [], `${view}: words that are not in the texts`);
}

/** Controls that are not fully visible or cannot be pressed: outside the screen, clipped, or below another element. */
function misplaced(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const root = document.documentElement;
    const modal = [...document.querySelectorAll("dialog:modal")].at(-1);
    const controls = [...(modal ?? document).querySelectorAll("button, select, input, a")].filter((element) =>
      element.checkVisibility(),
    );
    const called = (element: Element) =>
      (element.getAttribute("aria-label") ?? element.textContent ?? "").trim() || element.tagName;
    const problems =
      root.scrollHeight > root.clientHeight && document.querySelector(".call") ? ["the page of a call scrolls"] : [];
    scrollTo(0, 0);
    for (const box of document.querySelectorAll(".panel, dialog")) box.scrollTop = 0;
    // Controls of the same panel, and those outside of it, must not overlap.
    const rectangles = controls.map((element) => ({ element, box: element.getBoundingClientRect() }));
    rectangles.forEach(({ element: one, box: a }, index) => {
      for (const { element: other, box: b } of rectangles.slice(index + 1)) {
        const shared =
          Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
          Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
        if (shared && one.closest(".panel") === other.closest(".panel"))
          problems.push(`${called(one)} and ${called(other)} overlap`);
      }
    });
    for (const control of controls) {
      const { left, right, top, bottom } = control.getBoundingClientRect();
      const seen = { left, right, top, bottom };
      let scrolls = root.scrollHeight > root.clientHeight;
      for (let box = control.parentElement; box && box !== document.body; box = box.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(box);
        const area = box.getBoundingClientRect();
        if (overflowX !== "visible" && (seen.left < area.left - 1 || seen.right > area.right + 1))
          problems.push(`${called(control)}: cut off at the side by .${box.className}`);
        if (overflowY === "auto" && box.scrollHeight > box.clientHeight) {
          // Scrolling shows the control, if the area is large enough for it.
          if (bottom - top > area.height)
            problems.push(`${called(control)}: higher than what it scrolls in, .${box.className}`);
          scrolls = true;
          [seen.top, seen.bottom] = [area.top, area.bottom];
        } else if (overflowY !== "visible" && (seen.top < area.top - 1 || seen.bottom > area.bottom + 1))
          problems.push(`${called(control)}: cut off by .${box.className}`);
      }
      if (seen.left < -1 || seen.right > innerWidth + 1)
        problems.push(`${called(control)}: outside of the screen, ${seen.left} to ${seen.right}`);
      if (root.scrollHeight <= root.clientHeight && (seen.top < -1 || seen.bottom > innerHeight + 1))
        problems.push(`${called(control)}: outside of the screen, ${seen.top} to ${seen.bottom} down`);
      if (problems.length > 0) continue;
      // The points are a third of the width from each edge, so that corners may be round.
      if (scrolls) control.scrollIntoView({ block: "center", behavior: "instant" });
      const now = control.getBoundingClientRect();
      for (const x of [1 / 3, 2 / 3]) {
        const hit = document.elementFromPoint(now.left + now.width * x, now.top + now.height / 2);
        if (!hit || !(control.contains(hit) || (control as HTMLInputElement).labels?.[0]?.contains(hit)))
          problems.push(`${called(control)}: under ${hit?.outerHTML.slice(0, 60)}`);
      }
    }
    return [...new Set(problems)];
  });
}

/** Visible or accessible texts that are neither in texts.json for the language nor data. */
async function foreign(page: Page, language: Language): Promise<string[]> {
  const known = Object.values(texts[language]).map((text) =>
    text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\\\{\w+\\\}/g, ".+"),
  );
  known.push(...["language.english", "language.french"].map((key) => texts.en[key] ?? ""));
  return page.evaluate((known: string[]) => {
    const texts = new RegExp(`^(?:${known.join("|")})$`, "s");
    const found: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const words = (node as Text).data.trim();
      const parent = node.parentElement;
      if (!words || !parent || parent.closest("[data-name], script, style, noscript, [data-live]")) continue;
      if (!texts.test(words)) found.push(words);
    }
    for (const element of document.querySelectorAll("[aria-label], [title], [alt], [placeholder]")) {
      for (const name of ["aria-label", "title", "alt", "placeholder"]) {
        const words = element.getAttribute(name);
        if (words && !texts.test(words)) found.push(`${name}: ${words}`);
      }
    }
    return found;
  }, known);
}
