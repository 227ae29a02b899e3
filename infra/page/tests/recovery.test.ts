// Failures around a call, which must harm neither the call nor the people in it: a person who is seen and heard always has
// the controls, and the page says when a person is not.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { Person } from "../src/answers.ts";
import {
  announcement,
  appEvents,
  appMessage,
  button,
  chooseAnother,
  eventually,
  latch,
  liveTracks,
  post,
  screen,
  shownScreen,
  watchDevices,
} from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";
import type { ApiRequest } from "./fixtures/cdn-proxy.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const notice = (page: Page, name: string) => page.locator(`[data-notice="${name}"]`);
const errorEvents = async (page: Page) => (await appEvents(page)).filter((event) => /ENDED|LEFT|ERROR/.test(event));
const times = (page: Page, event: string) =>
  page.evaluate((event) => window.appMessages.chime.filter((message) => message.event === event).length, event);
const isStatus = ({ method, path }: ApiRequest) => method === "GET" && path.endsWith("/call");
const isJoin = ({ method, path }: ApiRequest) => method === "POST" && /\/call(\/attendees)?$/.test(path);
const isLeave = ({ method, path }: ApiRequest) => method === "DELETE" && path.endsWith("/attendees/me");
const refused = { status: 401, body: { message: "Unauthorized" } };

/** Advances the page's clock until the condition holds: the page waits by its own clock, and the test does not wait. */
const advanceUntil = (page: Page, check: () => boolean | Promise<boolean>, what: string, step = 1_000) =>
  eventually(async () => {
    await page.clock.fastForward(step);
    return check();
  }, what);

test("a call that cannot be ended without a valid token goes on with its controls, and ends when there is one", async () => {
  await calls.withAppointment(async ({ inCall, media, context, proxy, users, cloud, ask }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.clock.install();
    const old = users.provider.token;
    proxy.settings.respond = ({ headers }) => (headers.authorization === `Bearer ${old}` ? refused : undefined);
    await button(page, "Leave").click();
    await button(page, "End for everyone").click();
    const failed = page.getByRole("dialog", { name: "The consultation could not be ended" });
    await advanceUntil(page, () => failed.isVisible(), "the page says that it could not be ended");
    assert.equal(await shownScreen(page), "call");
    assert.equal(media.connected, 1);
    assert.deepEqual(await errorEvents(page), []);
    await post(page, { type: "medzen.token", token: await cloud.token({ sub: users.provider.firebaseUid }, 600) });
    await failed.getByRole("button", { name: "Try again" }).click();
    await screen(page, "ended");
    assert.equal((await ask("provider", "GET", "")).body.callStatus, "ended");
    await eventually(() => media.connected === 0, "the page has hung up");
    assert.deepEqual(await liveTracks(page), []);
  });
});

test("camera and microphone are off on every screen but the call screen", async () => {
  await calls.withAppointment(async ({ inCall, media, context, proxy }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    assert.deepEqual(await liveTracks(page), ["audio", "video"]);
    proxy.settings.respond = () => ({ status: 403, body: { code: "NOT_A_MEMBER", error: "x", requestId: "r" } });
    await button(page, "Leave").click();
    await button(page, "End for everyone").click();
    await screen(page, "forbidden");
    await eventually(() => media.connected === 0, "the page has hung up");
    assert.deepEqual(await liveTracks(page), []);
  });
});

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

test("a person who joins on another device leaves here, and comes back only by their own decision", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const first = await inCall("provider");
    const second = await inCall("provider");
    await screen(first, "elsewhere");
    await first.getByRole("heading", { name: "You joined on another device" }).waitFor();
    assert.deepEqual((await appMessage(first, "MEETING_ERROR")).data, { code: "JOINED_ELSEWHERE" });
    await eventually(() => media.connected === 1, "one of them is connected");
    // The page in the call reads the status twice more; the other one has not come back meanwhile.
    const asked = proxy.requests.length;
    await eventually(() => proxy.requests.slice(asked).filter(isStatus).length >= 2, "the call goes on");
    assert.equal(proxy.requests.slice(asked).filter(isJoin).length, 0);
    assert.equal(proxy.requests.filter(isLeave).length, 0, "the person has not left");
    assert.equal(await shownScreen(second), "call");

    await button(first, "Continue here").click();
    await screen(second, "elsewhere");
    await eventually(async () => (await times(first, "MEETING_JOINED")) === 2, "it goes on here");
    // The other page does not tell the server that the person has left: they are in the call here.
    await post(second, { type: "medzen.leave" });
    await appMessage(second, "MEETING_LEFT");
    assert.equal(proxy.requests.filter(isLeave).length, 0);
  });
});

test("the page says that a call is full, and offers to try again", async () => {
  await calls.withAppointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    media.closeWithStatus(409);
    await screen(page, "full");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "CALL_FULL" });
    await button(page, "Try again").click();
    await eventually(async () => (await times(page, "MEETING_JOINED")) === 2, "it is in again");
  });
});

test("a place that the media service refuses repeatedly is given up after three attempts", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const page = await inCall("provider");
    await page.clock.install();
    media.joinStatus = 403;
    media.closeWithStatus(403);
    await advanceUntil(page, async () => (await shownScreen(page)) === "failed", "the page asks the person");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "MEDIA_REFUSED" });
    assert.equal(proxy.requests.filter(({ body }) => body?.checked).length, 3);
    media.joinStatus = undefined;
    await button(page, "Try again").click();
    await eventually(async () => (await times(page, "MEETING_JOINED")) === 2, "it is in again");
  });
});

test("a token that the app does not renew ends no call: media goes on, and the page asks again", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy, users, cloud }) => {
    const page = await inCall("provider");
    await page.clock.install();
    const old = users.provider.token;
    proxy.settings.respond = ({ headers }) => (headers.authorization === `Bearer ${old}` ? refused : undefined);
    await advanceUntil(
      page,
      () => notice(page, "session").isVisible(),
      "the page says that the app has to sign in again",
    );
    await advanceUntil(page, async () => (await times(page, "TOKEN_REQUIRED")) >= 3, "it goes on asking");
    assert.equal(await shownScreen(page), "call");
    assert.equal(media.connected, 1);
    assert.deepEqual(await errorEvents(page), []);
    await post(page, { type: "medzen.token", token: await cloud.token({ sub: users.provider.firebaseUid }, 600) });
    await advanceUntil(page, () => notice(page, "session").isHidden(), "the fresh token is used");
  });
});

test("a patient whose token expires in the waiting room waits again as soon as there is a fresh one", async () => {
  await calls.withAppointment(
    async ({ person, enter, proxy, users, cloud, ask }) => {
      await ask("provider", "POST", "", {});
      const page = await person("patient");
      await enter(page);
      await screen(page, "waiting");
      await page.clock.install();
      const old = users.patient.token;
      proxy.settings.respond = ({ headers }) => (headers.authorization === `Bearer ${old}` ? refused : undefined);
      await advanceUntil(page, async () => (await shownScreen(page)) === "session", "the page says to sign in");
      await post(page, { type: "medzen.token", token: await cloud.token({ sub: users.patient.firebaseUid }, 600) });
      await screen(page, "waiting");
    },
    { waitingRoom: true },
  );
});

test("requests that are rejected at the same time ask for one token", async () => {
  await calls.withAppointment(async ({ inCall, proxy }) => {
    const page = await inCall("provider");
    const before = proxy.requests.length;
    proxy.settings.respond = () => refused;
    await button(page, "People").click();
    await eventually(() => proxy.requests.length > before, "a request is refused");
    await post(page, { type: "medzen.setLanguage", language: "fr" });
    await appMessage(page, "TOKEN_REQUIRED");
    await eventually(
      () => proxy.requests.slice(before).filter(({ path }) => /\/(quality|call)$/.test(path)).length >= 2,
      "another one is refused while the app is asked",
    );
    assert.equal(await times(page, "TOKEN_REQUIRED"), 1);
  });
});

for (const how of ["tear", "stall"] as const) {
  test(`an answer that ${how}s is a network error and does not end the call`, async () => {
    await calls.withAppointment(async ({ inCall, media, proxy }) => {
      const page = await inCall("provider");
      await page.clock.install();
      proxy.settings.respond = (request) => (isStatus(request) ? how : undefined);
      const asked = () => proxy.requests.filter(isStatus).length;
      const before = asked();
      await advanceUntil(page, () => asked() >= before + 3, "it goes on asking");
      assert.equal(await shownScreen(page), "call");
      assert.equal(media.connected, 1);
      assert.deepEqual(await errorEvents(page), []);
    });
  });
}

test("a firewall that answers in place of the API does not end the call", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const page = await inCall("provider");
    proxy.settings.respond = () => ({ status: 403, body: { message: "Forbidden" } });
    const before = proxy.requests.length;
    await eventually(() => proxy.requests.slice(before).filter(isStatus).length >= 2, "it goes on asking");
    assert.equal(await shownScreen(page), "call");
    assert.equal(media.connected, 1);
    assert.deepEqual(await errorEvents(page), []);
  });
});

test("the page comes back by itself after minutes without a network", async () => {
  await calls.withAppointment(
    async ({ inCall, media, proxy }) => {
      const page = await inCall("provider");
      await page.clock.install();
      proxy.settings.respond = () => "drop";
      media.accepting = false;
      await media.dropConnections();
      await appMessage(page, "MEETING_RECONNECTING");
      let seconds = 0;
      const fiveMinutes = () => {
        seconds += 2;
        return seconds > 300;
      };
      await advanceUntil(page, fiveMinutes, "five minutes", 2_000);
      assert.equal(await shownScreen(page), "call");
      await notice(page, "line").waitFor();
      assert.deepEqual(await errorEvents(page), []);
      media.accepting = true;
      proxy.settings.respond = undefined;
      await advanceUntil(page, async () => (await times(page, "MEETING_RECONNECTED")) === 1, "it is back");
      assert.equal(await times(page, "MEETING_RECONNECTING"), 1);
      assert.deepEqual(await errorEvents(page), []);
    },
    { config: { mediaTimeoutSeconds: 20 } },
  );
});

test("the page comes back as soon as the browser reports a network", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const page = await inCall("provider");
    await page.clock.install();
    proxy.settings.respond = () => "drop";
    media.reportMeetingEnded();
    const asked = () => proxy.requests.filter(isStatus).length;
    await advanceUntil(page, () => asked() > 20, "it has tried for a while");
    // The clock is stopped while the API cannot be reached: from then on the event alone makes the page go on. The time has to be
    // in the future also when the machine is busy.
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 5_000));
    proxy.settings.respond = undefined;
    await eventually(async () => {
      await page.evaluate(() => window.dispatchEvent(new Event("online")));
      return proxy.requests.some(({ body }) => body?.checked);
    }, "it asks for a new place");
    await page.clock.resume();
    await appMessage(page, "MEETING_RECONNECTED");
  });
});

test("the page gives up on a network that lets no media through, after longer and longer pauses", async () => {
  await calls.withAppointment(
    async ({ inCall, media, proxy }) => {
      const page = await inCall("provider");
      await page.clock.install();
      let seconds = 0;
      const joins: number[] = [];
      proxy.settings.respond = (request) => void (isJoin(request) && joins.push(seconds));
      media.accepting = false;
      await media.dropConnections();
      await appMessage(page, "MEETING_RECONNECTING");
      const saysSo = async () => {
        seconds += 1;
        return (await shownScreen(page)) === "media";
      };
      await advanceUntil(page, saysSo, "the page says so");
      assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "MEDIA_UNREACHABLE" });
      assert.equal(joins.length, 3, `joins at ${joins}`);
      const [first = 0, second = 0, third = 0] = joins;
      assert.ok(second - first < third - second, `joins at ${joins}`);
      media.accepting = true;
      await page.evaluate(() => window.dispatchEvent(new Event("online")));
      await advanceUntil(page, async () => (await times(page, "MEETING_JOINED")) === 2, "it is in again");
    },
    { config: { mediaTimeoutSeconds: 20 } },
  );
});

test("the page does not blame a VPN when there is no network at the first connection", async () => {
  await calls.withAppointment(
    async ({ person, enter, media, proxy }) => {
      media.accepting = false;
      const page = await person("provider");
      proxy.settings.respond = (request) => (isStatus(request) && proxy.requests.some(isJoin) ? "drop" : undefined);
      await enter(page);
      await screen(page, "call");
      await page.clock.install();
      const asked = proxy.requests.length;
      await advanceUntil(page, () => proxy.requests.length > asked + 6, "it goes on asking");
      assert.deepEqual(await errorEvents(page), []);
      proxy.settings.respond = undefined;
      media.accepting = true;
      await eventually(async () => {
        await page.evaluate(() => window.dispatchEvent(new Event("online")));
        return (await times(page, "MEETING_JOINED")) === 1;
      }, "it is in");
    },
    { config: { mediaTimeoutSeconds: 3 } },
  );
});

test("recovery waits while the call is being started or ended", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const page = await inCall("provider");
    await page.clock.install();
    let refusals = 0;
    const codes: [number, string][] = [
      [409, "CALL_NOT_READY"],
      [404, "NO_ACTIVE_CALL"],
      [409, "CALL_ENDING"],
    ];
    proxy.settings.respond = (request) => {
      if (!isJoin(request) || refusals === codes.length) return undefined;
      const [status, code] = codes[refusals++] ?? [];
      return { status: status ?? 500, body: { code, error: "x", requestId: "r" } };
    };
    media.reportMeetingEnded();
    await advanceUntil(page, async () => (await times(page, "MEETING_RECONNECTED")) === 1, "it is back");
    assert.equal(refusals, 3);
    assert.deepEqual(await errorEvents(page), []);
  });
});

test("the microphone of a person who only listens is shown as on once it is open, and not before", async () => {
  await calls.withAppointment(async ({ person, context }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      window.broken = ["audio", "video"];
    });
    const page = await person("provider");
    await screen(page, "devices-taken");
    await button(page, "Join to listen only").click();
    await appMessage(page, "MEETING_JOINED");
    await button(page, "Microphone: turn on").click();
    await notice(page, "microphone").waitFor();
    assert.ok(await button(page, "Microphone: turn on").isVisible(), "what cannot be opened is not on");
    assert.deepEqual(await liveTracks(page), []);
    await page.evaluate(() => (window.broken = []));
    await button(page, "Microphone: turn on").click();
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await liveTracks(page), ["audio"]);
    assert.ok(await page.evaluate(() => window.tracks.at(-1)?.enabled));
  });
});

test("camera and microphone that fail while joining are shown as off", async () => {
  await calls.withAppointment(async ({ person, context, enter }) => {
    await watchDevices(context);
    const page = await person("provider");
    await screen(page, "check");
    // Another program opens the devices between the device check and the call.
    await page.evaluate(() => (window.broken = ["audio", "video"]));
    await enter(page);
    await appMessage(page, "MEETING_JOINED");
    await notice(page, "microphone").waitFor();
    await notice(page, "camera").waitFor();
    await button(page, "Microphone: turn on").waitFor();
    await button(page, "Camera: turn on").waitFor();
    await page.evaluate(() => (window.broken = []));
    await button(page, "Camera: turn on").click();
    await page.locator(".tile.self.seen").waitFor();
    await notice(page, "camera").waitFor({ state: "hidden" });
  });
});

test("the page reports a microphone or camera that disappears during the call, and another one can be chosen", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.locator(".tile.self.seen").waitFor();
    const unplugged = (kind: string) =>
      page.evaluate((kind) => {
        const track = window.tracks.findLast((one) => one.kind === kind && one.readyState === "live");
        track?.stop();
        track?.dispatchEvent(new Event("ended"));
      }, kind);
    await unplugged("audio");
    await notice(page, "microphone").getByText("You are not heard").waitFor();
    await announcement(page, "You are not heard: choose another microphone in the settings.", { urgent: true });
    await button(page, "Microphone: turn on").waitFor();
    await unplugged("video");
    await notice(page, "camera").waitFor();
    await button(page, "Camera: turn on").waitFor();
    await page.locator(".tile.self:not(.seen)").waitFor();
    // Another microphone that is chosen in the settings is on, as the one before was.
    await button(page, "Settings").click();
    const select = page.getByLabel("Microphone", { exact: true });
    await chooseAnother(select);
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await liveTracks(page), ["audio"]);
  });
});

test("the page shows for how long the device uses the microphone for something else", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    const dispatch = (name: string) =>
      page.evaluate(
        (name) =>
          window.tracks
            .findLast(({ kind, readyState }) => kind === "audio" && readyState === "live")
            ?.dispatchEvent(new Event(name)),
        name,
      );
    await dispatch("mute");
    await notice(page, "held").waitFor();
    await page.locator('[data-control="microphone"].off').waitFor();
    await dispatch("unmute");
    await notice(page, "held").waitFor({ state: "hidden" });
    await page.locator('[data-control="microphone"]:not(.off)').waitFor();
  });
});

test("the settings list the devices that are plugged in", async () => {
  await calls.withAppointment(async ({ inCall }) => {
    const page = await inCall("provider");
    await button(page, "Settings").click();
    const cameras = page.getByLabel("Camera", { exact: true }).locator("option");
    await eventually(async () => (await cameras.count()) === 2, "two cameras");
    await page.evaluate(() => {
      const all = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
      navigator.mediaDevices.enumerateDevices = async () => {
        const devices = await all();
        const gone = devices.findLast(({ kind }) => kind === "videoinput");
        return devices.filter((device) => device !== gone);
      };
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    });
    await eventually(async () => (await cameras.count()) === 1, "one camera");
  });
});

test("a muted person stays muted with another microphone", async () => {
  await calls.withAppointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await button(page, "Microphone: turn off").click();
    await button(page, "Microphone: turn on").waitFor();
    await button(page, "Settings").click();
    const before = await page.evaluate(() => window.tracks.length);
    const select = page.getByLabel("Microphone", { exact: true });
    await chooseAnother(select);
    await page.waitForFunction(
      (before) => window.tracks.slice(before).some(({ kind, enabled }) => kind === "audio" && !enabled),
      before,
    );
    await button(page, "Microphone: turn on").click();
    await page.waitForFunction((before) => window.tracks.slice(before).every(({ enabled }) => enabled), before);
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
        "the server is told",
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
