// Failures of network and media around a call, which must harm neither the call nor the people in it: a person who is seen and
// heard always has the controls, and the page says when a person is not.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  advanceUntil,
  appMessage,
  button,
  errorEvents,
  eventually,
  liveTracks,
  notice,
  post,
  screen,
  shownScreen,
  times,
  watchDevices,
} from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";
import { isJoin, isLeave, isStatus } from "./fixtures/cdn-proxy.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

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

test("a person who joins on another device leaves here, and comes back only by their own decision", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const first = await inCall("provider");
    const second = await inCall("provider");
    await screen(first, "elsewhere");
    await first.getByRole("heading", { name: "Sound and picture have stopped here" }).waitFor();
    assert.deepEqual((await appMessage(first, "MEETING_ERROR")).data, { code: "JOINED_ELSEWHERE" });
    await eventually(() => media.connected === 1, "one of them is connected");
    // The page in the call reads the status twice more; the other one has not come back meanwhile.
    const asked = proxy.requests.length;
    await eventually(() => {
      media.requestRefresh();
      return proxy.requests.slice(asked).filter(isStatus).length >= 2;
    }, "the call goes on");
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

test("a page that Chime takes for another device after its own reconnection rejoins by itself, once", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const page = await inCall("provider");
    const joins = () => proxy.requests.filter(isJoin).length;
    await media.dropConnections();
    await appMessage(page, "MEETING_RECONNECTED");
    assert.equal(joins(), 1, "the SDK has restored the connection");
    // The SDK may restore it more than once on a slow machine, so the rejoin is counted and not the reconnections.
    const before = await times(page, "MEETING_RECONNECTED");
    // AudioJoinedFromAnotherDevice: https://github.com/aws/amazon-chime-sdk-js/issues/2784
    await media.closeUntil(301, () => joins() === 2, "the page rejoins");
    await eventually(async () => (await times(page, "MEETING_RECONNECTED")) > before, "it is back");
    assert.deepEqual(await errorEvents(page), []);
    await media.closeUntil(301, async () => (await shownScreen(page)) === "elsewhere", "the page asks the person");
    assert.equal(joins(), 2, "the second time the person decides");
  });
});

test("the page says that a call is full, and offers to try again", async () => {
  await calls.withAppointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    await media.closeUntil(409, async () => (await shownScreen(page)) === "full", "the page says so");
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
    proxy.settings.respond = () => ({ status: 403, body: { message: "Forbidden" }, foreign: true });
    const before = proxy.requests.length;
    await eventually(() => {
      media.requestRefresh();
      return proxy.requests.slice(before).filter(isStatus).length >= 2;
    }, "it goes on asking");
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
  await calls.withAppointment(async ({ inCall, media, proxy, ask }) => {
    assert.equal((await ask("provider", "POST", "", {})).status, 201);
    const page = await inCall("patient");
    await page.clock.install();
    let refusals = 0;
    const codes: [number, string][] = [
      [409, "CALL_NOT_READY"],
      [404, "NO_ACTIVE_CALL"],
      [409, "CALL_NOT_READY"],
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
