// Leaving, at every stage: the server learns of it, and nothing stays on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Person } from "../src/answers.ts";
import {
  appMessage,
  button,
  eventually,
  latch,
  liveTracks,
  post,
  screen,
  shownScreen,
  watchDevices,
} from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";
import { isJoin, isLeave, isStatus } from "./fixtures/cdn-proxy.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

test("a person who leaves before the SDK is loaded does not join when it is, and the server knows", async () => {
  await calls.withAppointment(async ({ person, enter, media, context, proxy, ask, users }) => {
    await watchDevices(context);
    await ask("provider", "POST", "", {});
    const { opened, open } = latch();
    await context.route(/chime-sdk/, async (route) => {
      await opened;
      await route.continue();
    });
    const patient = await person("patient");
    await enter(patient);
    await eventually(
      () => proxy.requests.some((request) => isJoin(request) && request.status === 200),
      "the patient has a place",
    );
    assert.equal(await shownScreen(patient), "joining");
    await post(patient, { type: "medzen.leave" });
    await screen(patient, "left");
    await appMessage(patient, "MEETING_LEFT");
    open();
    await appMessage(patient, "SDK_READY");
    assert.equal(await shownScreen(patient), "left");
    assert.deepEqual(await liveTracks(patient), []);
    assert.deepEqual(media.addresses, []);
    await eventually(
      async () => !(await ask("provider", "GET", "")).body.present.includes(users.patient.id),
      "the server knows that the patient has left",
    );
  });
});

test("a patient who waits for a call that was ended and started again joins its waiting room", async () => {
  await calls.withAppointment(
    async ({ person, enter, proxy, ask, users }) => {
      await ask("provider", "POST", "", {});
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      // The phone sleeps: no request arrives.
      proxy.settings.respond = () => "drop";
      await ask("provider", "DELETE", "");
      const { body } = await ask("provider", "POST", "", {});
      proxy.settings.respond = undefined;
      await eventually(
        async () =>
          (await ask("provider", "GET", "")).body.waiting.some(({ userId }: Person) => userId === users.patient.id),
        "the provider sees who waits",
      );
      await screen(patient, "waiting");
      await patient.waitForFunction(
        (id) =>
          window.appMessages.chime.some(({ event, data }) => event === "MEETING_WAITING" && data["sessionId"] === id),
        body.sessionId,
      );
    },
    { waitingRoom: true },
  );
});

test("closing the page leaves the waiting room", async () => {
  await calls.withAppointment(
    async ({ person, enter, ask }) => {
      await ask("provider", "POST", "", {});
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      assert.equal((await ask("provider", "GET", "")).body.waiting.length, 1);
      await patient.goto("about:blank");
      await eventually(async () => (await ask("provider", "GET", "")).body.waiting.length === 0, "nobody waits");
    },
    { waitingRoom: true },
  );
});

test("a person who leaves during the join request has left once it is answered", async () => {
  await calls.withAppointment(
    async ({ person, enter, proxy, ask }) => {
      await ask("provider", "POST", "", {});
      const { opened, open } = latch();
      proxy.settings.respond = async (request) => {
        if (isJoin(request)) await opened;
      };
      const patient = await person("patient");
      await enter(patient);
      await eventually(() => proxy.requests.some(isJoin), "the patient knocks");
      await post(patient, { type: "medzen.leave" });
      assert.deepEqual((await appMessage(patient, "MEETING_LEFT")).data, { sessionId: null });
      await screen(patient, "left");
      open();
      await eventually(
        () => proxy.requests.some((request) => isLeave(request) && request.status === 200),
        "the server has the answer",
      );
      assert.deepEqual((await ask("provider", "GET", "")).body.waiting, []);
    },
    { waitingRoom: true },
  );
});

test("an app that sends medzen.leave before the call receives MEETING_LEFT", async () => {
  await calls.withAppointment(async ({ person, context, proxy }) => {
    await watchDevices(context);
    const page = await person("provider");
    await screen(page, "check");
    assert.deepEqual(await liveTracks(page), ["audio", "video"]);
    await post(page, { type: "medzen.leave" });
    assert.deepEqual((await appMessage(page, "MEETING_LEFT")).data, { sessionId: null });
    await screen(page, "left");
    assert.deepEqual(await liveTracks(page), []);
    assert.deepEqual(
      proxy.requests.filter(({ method }) => method !== "GET"),
      [],
    );
    await button(page, "Come back").click();
    await screen(page, "check");
  });
});

test("the device's screen stays on also after the page was hidden", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await context.addInitScript(() => {
      window.locks = [];
      Object.defineProperty(navigator, "wakeLock", {
        value: {
          async request() {
            const lock = {
              released: false,
              async release() {
                lock.released = true;
              },
            };
            window.locks.push(lock);
            return lock;
          },
        },
      });
    });
    const page = await inCall("provider");
    const held = (number: number) =>
      page.waitForFunction(
        (number) => window.locks.length === number && window.locks.filter(({ released }) => !released).length === 1,
        number,
      );
    await held(1);
    // The browser releases the lock when the page is hidden.
    await page.evaluate(() => {
      for (const lock of window.locks) lock.released = true;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await held(2);
    await post(page, { type: "medzen.leave" });
    await screen(page, "left");
    await page.waitForFunction(() => window.locks.every(({ released }) => released));
  });
});

test("a person who has been alone for long is asked whether they are still there, and the call goes on if they are", async () => {
  await calls.withAppointment(async ({ inCall, proxy, media, ask }) => {
    const page = await inCall("provider");
    const stays = () => proxy.requests.filter((request) => isJoin(request) && request.body.stay === true);
    proxy.settings.respond = async (request, real) => {
      if (!isStatus(request)) return undefined;
      const answer = await real();
      const endsAt = stays().length > 0 ? null : new Date(Date.now() + 60_000).toISOString();
      return { ...answer, body: { ...answer.body, endsAt } };
    };
    media.requestRefresh();
    const question = page.getByRole("dialog", { name: "Are you still there?" });
    await question.getByRole("button", { name: "Stay" }).click();
    await eventually(() => stays()[0]?.status === 200, "the server knows that they are");
    assert.equal(await shownScreen(page), "call");
    assert.equal((await ask("provider", "GET", "")).body.callStatus, "active");
    await question.waitFor({ state: "detached" });
  });
});
