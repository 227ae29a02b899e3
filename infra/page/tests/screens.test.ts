// Every screen, in every view of `fixtures/views.ts`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { Person } from "../src/answers.ts";
import {
  appMessage,
  context,
  eventually,
  post,
  screen,
  shownScreen,
  watchDevices,
  webView,
} from "./fixtures/browser.ts";
import { CallFixture, requestApi } from "./fixtures/call-fixture.ts";
import { consentRequired, isJoin, type ProxySettings, startProxy } from "./fixtures/cdn-proxy.ts";
import type { Role } from "./fixtures/cloud.ts";
import { looks } from "./fixtures/views.ts";

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
  /** Waits for something once the page is open. */
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
  expired: {
    press: true,
    respond: (request) => (isJoin(request) ? failing(410, "MEETING_EXPIRED")() : undefined),
  },
  busy: { respond: failing(429, undefined, "30") },
  down: { respond: failing(503, undefined, "30") },
  offline: { respond: () => "drop" },
  failed: { respond: failing(422, "INVALID_FIELD") },
  ended: {
    async first(call) {
      await call("provider", "POST", "");
      await call("provider", "DELETE", "");
    },
  },
  "not-started": { press: true },
  consent: {
    press: true,
    respond: (request) =>
      isJoin(request) ? consentRequired(randomUUID(), randomUUID(), ["recording"], []) : undefined,
  },
  waiting: { waitingRoom: true, first: (call) => call("provider", "POST", ""), press: true },
};

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

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
    // The parts that need a second patient and a recording function are added to the API's answers.
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
      return {
        ...answer,
        body: { ...answer.body, waiting, recording: { ...answer.body.recording, state: "requested", recorder: true } },
      };
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
    await media.closeUntil(301, async () => (await shownScreen(page)) === "elsewhere", "the page leaves the call");
    await looks(page, "elsewhere");
    await page.locator(".actions .button").first().click();
    await media.closeUntil(409, async () => (await shownScreen(page)) === "full", "the page leaves the call");
    await looks(page, "full");
  });
});
