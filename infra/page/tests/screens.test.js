// Every screen, in both languages, light and dark, on a phone and on a desk: without barriers, all its words from the texts,
// nothing cut off. With SHOTS=<folder> it keeps pictures.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { barriers, context, eventually, post, screen, told, watchDevices, webView } from "./stage/browser.js";
import { asked, Stage } from "./stage/consultation.js";
import { front } from "./stage/front.js";

const texts = JSON.parse(readFileSync(new URL("../src/texts.json", import.meta.url), "utf8"));
const denied = (name) =>
  `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("x", "${name}"); };`;
/** Answers of the API that cannot be brought about, or not soon. */
const failing = (status, code, retryAfter) => () => ({
  status,
  body: code ? { error: "x", code, requestId: "r" } : { message: "x" },
  headers: retryAfter ? { "retry-after": retryAfter } : {},
});

/** How each screen comes about that needs no media. */
const SCREENS = {
  alone: { alone: true },
  "bad-link": { path: "/call/1" },
  loading: { silent: true },
  "no-token": { silent: true, forward: 21_000 },
  check: {},
  "check of the provider": { shown: "check", role: "provider" },
  "devices-denied": { script: denied("NotAllowedError") },
  "devices-none": { script: denied("NotFoundError") },
  "devices-taken": { script: denied("NotReadableError") },
  sdk: { alter: [/chime-sdk/, () => Buffer.from("0")] },
  session: { token: "aaaa.bbbb.cccc", after: (page) => told(page, "TOKEN_REQUIRED"), forward: 11_000 },
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
  expired: { answer: failing(410, "MEETING_EXPIRED") },
  busy: { answer: failing(429, undefined, "30") },
  down: { answer: failing(503, undefined, "30") },
  offline: { answer: () => "drop" },
  failed: { answer: failing(400, "BAD_REQUEST") },
  ended: {
    async first(call) {
      await call("provider", "POST", "");
      await call("provider", "DELETE", "");
    },
  },
  "not-started": { press: true },
  waiting: { waitingRoom: true, first: (call) => call("provider", "POST", ""), press: true },
};

let stage;
before(async () => {
  stage = await Stage.open();
});
after(() => stage.close());

const SIZES = {
  phone: { width: 360, height: 740 },
  tablet: { width: 768, height: 1024 },
  desk: { width: 1280, height: 800 },
};
/** The smallest phones, upright and on their side, and a desk: everything is in reach there. */
const NARROW = [
  { width: 320, height: 568 },
  { width: 360, height: 640 },
  { width: 640, height: 360 },
  { width: 1280, height: 800 },
];
const VIEWS = [
  // On a phone each language in each theme; elsewhere what differs is how things are laid out.
  ...["en", "fr"].flatMap((language) =>
    ["light", "dark"].map((colorScheme) => ({ language, colorScheme, viewport: SIZES.phone })),
  ),
  { language: "en", colorScheme: "light", viewport: SIZES.desk },
  { language: "fr", colorScheme: "dark", viewport: SIZES.tablet },
];

for (const [name, how] of Object.entries(SCREENS)) {
  const { shown = name, role = "patient" } = how;
  test(`the screen ${name} is without barriers, in both languages and themes, from phone to desk`, async () => {
    const cloud = how.waitingRoom ? stage.clouds.waiting : stage.clouds.open;
    const { appointmentId, users } = await cloud.appointment();
    await how.first?.(async (role, method, path, body) => {
      const { status, body: said } = await asked(
        cloud,
        appointmentId,
        users[role].token,
        method,
        path.replace("/patient", `/${users.patient.id}`),
        body,
      );
      assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(said)}`);
    });
    const served = await front(cloud, { answer: how.answer, alter: how.alter });
    const made = await context(stage.chromium, { locale: "en-GB" });
    try {
      if (!how.alone) await webView(made.context);
      if (how.script) await made.context.addInitScript({ content: how.script });
      const page = await made.context.newPage();
      if (how.forward) await page.clock.install();
      await page.goto(served.origin + (how.path ?? `/call/${appointmentId}`));
      if (!how.alone && !how.silent && !how.alter && name !== "bad-link") {
        await told(page, "PAGE_READY");
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
      await served.close();
    }
  });
}

test("the screens of a call are without barriers, in both languages and themes, from phone to desk", async () => {
  await stage.appointment(async ({ inCall, ask, users, media, stage: front }) => {
    const provider = await inCall("provider");
    await inCall("patient");
    const { body } = await ask("provider", "GET", "/attendees");
    const other = {
      attendeeId: body.attendees.find(({ userId }) => userId === users.patient.id).attendeeId,
      externalUserId: users.patient.id,
    };
    media.comes(other);
    await provider.bringToFront();
    await provider.locator(`.tile[data-attendee="${other.attendeeId}"].seen`).waitFor();
    // What needs a second patient and a function that records is laid over what the API says.
    front.settings.answer = async ({ method, path }, real) => {
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
    media.comes({ attendeeId: "recorder-1", externalUserId: "aws:MediaPipeline-7d9f1c5e", video: false });
    await provider.locator('[data-notice="waiting"]').waitFor();
    await provider.locator(".recording-sign").waitFor();
    await provider.locator('dialog[data-dialog="consent"]').waitFor();
    await looks(provider, "consent");
    // Put off: its notice is one more to find room for.
    await provider.keyboard.press("Escape");
    await provider.locator('[data-notice="consent"]').waitFor();
    await provider.locator('[data-control="captions"]').click();
    media.mutes(other.attendeeId, true);
    const caption = () =>
      media.says({
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
    media.comes({ attendeeId: "guest-1", externalUserId: "guest-1", video: false });
    media.comes({ attendeeId: "guest-2", externalUserId: "guest-2" });
    await provider.locator('[data-layout="grid"]').waitFor();
    await looks(provider, "grid");
    media.shares(other);
    await provider.locator('[data-layout="shared"] .tile.content.seen').waitFor();
    await looks(provider, "shared");
    await provider.locator('[data-control="leave"]').click();
    await provider.locator("dialog .button.quiet").first().click();
    await screen(provider, "left");
    await looks(provider, "left");
  });
});

test("a call whose media cannot be reached: without barriers, in both languages and themes, from phone to desk", async () => {
  await stage.appointment(
    async ({ person, enter, media }) => {
      media.up = false;
      const page = await person("provider");
      await enter(page);
      await screen(page, "media");
      await looks(page, "media");
    },
    { config: { mediaTimeoutSeconds: 2 } },
  );
});

test("what does not work in a call, and the screens that end it: without barriers, in both languages and themes, from phone to desk", async () => {
  await stage.appointment(async ({ inCall, context, media, stage: front }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.clock.install();
    front.settings.answer = () => ({ status: 401, body: { message: "Unauthorized" } });
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
    front.settings.answer = undefined;
    media.refuses(301);
    await screen(page, "elsewhere");
    await looks(page, "elsewhere");
    await page.locator(".actions .button").first().click();
    await eventually(() => media.connected === 1, "in again");
    media.refuses(409);
    await screen(page, "full");
    await looks(page, "full");
  });
});

/** Looks at it in all ways. */
async function looks(page, name) {
  for (const view of VIEWS) await look(page, name, view);
  for (const language of ["en", "fr"]) {
    for (const viewport of NARROW) {
      await set(page, { language, viewport });
      await picture(page, `${name}-${viewport.width}x${viewport.height}-${language}`);
      assert.deepEqual(await misplaced(page), [], `${name} at ${viewport.width} by ${viewport.height} in ${language}`);
    }
  }
}

async function set(page, { language, viewport }) {
  await page.setViewportSize(viewport);
  await post(page, { type: "medzen.setLanguage", language });
  await page.waitForFunction((language) => document.documentElement.lang === language, language);
}

async function picture(page, name) {
  if (!process.env.SHOTS) return;
  mkdirSync(process.env.SHOTS, { recursive: true });
  await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
}

async function look(page, name, { language, colorScheme, viewport }) {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await set(page, { language, viewport });
  const view = `${name}-${viewport.width}-${colorScheme}-${language}`;
  await picture(page, view);
  assert.deepEqual(await barriers(page), [], view);
  const { wide, small } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    // WCAG 2.5.8: 24 by 24, for all that is pressed.
    small: [...document.querySelectorAll("button, select, input, a")]
      .filter((element) => element.checkVisibility())
      .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
      .filter(([, { width, height }]) => width < 24 || height < 24)
      .map(([html]) => html),
  }));
  assert.ok(wide <= 0, `${view} is ${wide} pixels wider than the screen`);
  assert.deepEqual(small, [], view);
  assert.deepEqual(await foreign(page, language), [], `${view}: words that are not in the texts`);
}

/** Controls that cannot be seen whole or pressed: outside of the screen or of what clips them, or under something else. */
function misplaced(page) {
  return page.evaluate(() => {
    const root = document.documentElement;
    const modal = [...document.querySelectorAll("dialog:modal")].at(-1);
    const controls = [...(modal ?? document).querySelectorAll("button, select, input, a")].filter((element) =>
      element.checkVisibility(),
    );
    const called = (element) => (element.getAttribute("aria-label") ?? element.textContent).trim() || element.tagName;
    const problems =
      root.scrollHeight > root.clientHeight && document.querySelector(".call") ? ["the page of a call scrolls"] : [];
    scrollTo(0, 0);
    for (const box of document.querySelectorAll(".panel, dialog")) box.scrollTop = 0;
    // What stands in the same panel, or outside of it, shares no ground.
    const rectangles = controls.map((element) => [element, element.getBoundingClientRect()]);
    rectangles.forEach(([one, a], index) => {
      for (const [other, b] of rectangles.slice(index + 1)) {
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
          // It is brought into sight by scrolling, if there is room for it.
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
      // A third from each edge, so that corners may be round.
      if (scrolls) control.scrollIntoView({ block: "center", behavior: "instant" });
      const now = control.getBoundingClientRect();
      for (const x of [1 / 3, 2 / 3]) {
        const hit = document.elementFromPoint(now.left + now.width * x, now.top + now.height / 2);
        if (!hit || !(control.contains(hit) || control.labels?.[0]?.contains(hit)))
          problems.push(`${called(control)}: under ${hit?.outerHTML.slice(0, 60)}`);
      }
    }
    return [...new Set(problems)];
  });
}

/** Words that are seen or said and are neither a text of the language nor data. */
async function foreign(page, language) {
  const known = Object.values(texts[language]).map((text) =>
    text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\\\{\w+\\\}/g, ".+"),
  );
  known.push(...["language.english", "language.french"].map((key) => texts.en[key]));
  return page.evaluate((known) => {
    const texts = new RegExp(`^(?:${known.join("|")})$`, "s");
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const words = node.data.trim();
      const parent = node.parentElement;
      if (!words || parent.closest("[data-name], script, style, noscript, [data-live]")) continue;
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
