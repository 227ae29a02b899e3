// What goes wrong around a call, and that it harms neither the call nor the people in it: whoever is seen and heard has the
// controls before them, and whoever is not is told so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, heard, live, post, screen, told, watchDevices } from "./stage/browser.js";
import { heardEvents, Stage } from "./stage/consultation.js";

let stage;
before(async () => {
  stage = await Stage.open();
});
after(() => stage.close());

const button = (page, name) => page.getByRole("button", { name });
const notice = (page, name) => page.locator(`[data-notice="${name}"]`);
const shown = (page) => page.evaluate(() => document.body.dataset.screen);
const bad = async (page) => (await heardEvents(page)).filter((event) => /ENDED|LEFT|ERROR/.test(event));
const times = (page, event) =>
  page.evaluate((event) => window.told.chime.filter((message) => message.event === event).length, event);
const isStatus = ({ method, path }) => method === "GET" && path.endsWith("/call");
const isJoin = ({ method, path }) => method === "POST" && /\/call(\/attendees)?$/.test(path);
const isLeave = ({ method, path }) => method === "DELETE" && path.endsWith("/attendees/me");
const refused = { status: 401, body: { message: "Unauthorized" } };

/** Lets the page's time pass until it has come to this: it waits in its own time, and not in ours. */
const passes = (page, check, what, step = 1_000) =>
  eventually(async () => {
    await page.clock.fastForward(step);
    return check();
  }, what);

/** A lock that a test opens. */
function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test("a call that cannot be ended for want of a token goes on with its controls, and is ended when there is one", async () => {
  await stage.appointment(async ({ inCall, media, context, stage: front, users, cloud, ask }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.clock.install();
    const old = users.provider.token;
    front.settings.answer = ({ headers }) => (headers.authorization === `Bearer ${old}` ? refused : undefined);
    await button(page, "Leave").click();
    await button(page, "End for everyone").click();
    const failed = page.getByRole("dialog", { name: "The consultation could not be ended" });
    await passes(page, () => failed.isVisible(), "the page says that it could not be ended");
    assert.equal(await shown(page), "call");
    assert.equal(media.connected, 1);
    assert.deepEqual(await bad(page), []);
    await post(page, { type: "medzen.token", token: await cloud.token({ sub: users.provider.firebaseUid }, 600) });
    await failed.getByRole("button", { name: "Try again" }).click();
    await screen(page, "ended");
    assert.equal((await ask("provider", "GET", "")).body.callStatus, "ended");
    await eventually(() => media.connected === 0, "the page has hung up");
    assert.deepEqual(await live(page), []);
  });
});

test("no screen but that of the call has camera and microphone on", async () => {
  await stage.appointment(async ({ inCall, media, context, stage: front }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    assert.deepEqual(await live(page), ["audio", "video"]);
    front.settings.answer = () => ({ status: 403, body: { code: "NOT_A_MEMBER", error: "x", requestId: "r" } });
    await button(page, "Leave").click();
    await button(page, "End for everyone").click();
    await screen(page, "forbidden");
    await eventually(() => media.connected === 0, "the page has hung up");
    assert.deepEqual(await live(page), []);
  });
});

test("who leaves before the SDK has come does not go in when it comes, and the server knows", async () => {
  await stage.appointment(async ({ person, enter, media, context, stage: front, ask, users }) => {
    await watchDevices(context);
    await ask("provider", "POST", "", {});
    const { opened, open } = gate();
    await context.route(/chime-sdk/, async (route) => {
      await opened;
      await route.continue();
    });
    const patient = await person("patient");
    await enter(patient);
    await eventually(() => front.asked.some((told) => isJoin(told) && told.status === 200), "the patient has a place");
    assert.equal(await shown(patient), "joining");
    await post(patient, { type: "medzen.leave" });
    await screen(patient, "left");
    await told(patient, "MEETING_LEFT");
    open();
    await told(patient, "SDK_READY");
    assert.equal(await shown(patient), "left");
    assert.deepEqual(await live(patient), []);
    assert.deepEqual(media.addresses, []);
    await eventually(
      async () => !(await ask("provider", "GET", "")).body.present.includes(users.patient.id),
      "the server knows that the patient has left",
    );
  });
});

test("who joins on another device is out here, and stays out until they say otherwise", async () => {
  await stage.appointment(async ({ inCall, media, stage: front }) => {
    const first = await inCall("provider");
    const second = await inCall("provider");
    await screen(first, "elsewhere");
    await first.getByRole("heading", { name: "You joined on another device" }).waitFor();
    assert.deepEqual((await told(first, "MEETING_ERROR")).data, { code: "JOINED_ELSEWHERE" });
    await eventually(() => media.connected === 1, "one of them is connected");
    // Two more rounds of the one that is in: the other one has not come back meanwhile.
    const asked = front.asked.length;
    await eventually(() => front.asked.slice(asked).filter(isStatus).length >= 2, "the call goes on");
    assert.equal(front.asked.slice(asked).filter(isJoin).length, 0);
    assert.equal(front.asked.filter(isLeave).length, 0, "the person has not left");
    assert.equal(await shown(second), "call");

    await button(first, "Continue here").click();
    await screen(second, "elsewhere");
    await eventually(async () => (await times(first, "MEETING_JOINED")) === 2, "it goes on here");
    // Closed, it says nothing in the name of the one who is in the call.
    await post(second, { type: "medzen.leave" });
    await told(second, "MEETING_LEFT");
    assert.equal(front.asked.filter(isLeave).length, 0);
  });
});

test("a call that has no room says so, and has a way to try again", async () => {
  await stage.appointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    media.refuses(409);
    await screen(page, "full");
    assert.deepEqual((await told(page, "MEETING_ERROR")).data, { code: "CALL_FULL" });
    await button(page, "Try again").click();
    await eventually(async () => (await times(page, "MEETING_JOINED")) === 2, "it is in again");
  });
});

test("a place that media refuse again and again is no endless coming back", async () => {
  await stage.appointment(async ({ inCall, media, stage: front }) => {
    const page = await inCall("provider");
    await page.clock.install();
    media.refusing = 403;
    media.refuses(403);
    await passes(page, async () => (await shown(page)) === "failed", "the page asks the person");
    assert.deepEqual((await told(page, "MEETING_ERROR")).data, { code: "MEDIA_REFUSED" });
    assert.equal(front.asked.filter(({ body }) => body?.checked).length, 3);
    media.refusing = undefined;
    await button(page, "Try again").click();
    await eventually(async () => (await times(page, "MEETING_JOINED")) === 2, "it is in again");
  });
});

test("a token that the app does not renew ends no call: media goes on, and the page goes on asking", async () => {
  await stage.appointment(async ({ inCall, media, stage: front, users, cloud }) => {
    const page = await inCall("provider");
    await page.clock.install();
    const old = users.provider.token;
    front.settings.answer = ({ headers }) => (headers.authorization === `Bearer ${old}` ? refused : undefined);
    await passes(page, () => notice(page, "session").isVisible(), "the page says that the app has to sign in again");
    await passes(page, async () => (await times(page, "TOKEN_REQUIRED")) >= 3, "it goes on asking");
    assert.equal(await shown(page), "call");
    assert.equal(media.connected, 1);
    assert.deepEqual(await bad(page), []);
    await post(page, { type: "medzen.token", token: await cloud.token({ sub: users.provider.firebaseUid }, 600) });
    await passes(page, () => notice(page, "session").isHidden(), "the fresh token is used");
  });
});

test("who waits while the token runs out waits again as soon as there is one", async () => {
  await stage.appointment(
    async ({ person, enter, stage: front, users, cloud, ask }) => {
      await ask("provider", "POST", "", {});
      const page = await person("patient");
      await enter(page);
      await screen(page, "waiting");
      await page.clock.install();
      const old = users.patient.token;
      front.settings.answer = ({ headers }) => (headers.authorization === `Bearer ${old}` ? refused : undefined);
      await passes(page, async () => (await shown(page)) === "session", "the page says to sign in");
      await post(page, { type: "medzen.token", token: await cloud.token({ sub: users.patient.firebaseUid }, 600) });
      await screen(page, "waiting");
    },
    { waitingRoom: true },
  );
});

test("requests that are refused at once ask for one token", async () => {
  await stage.appointment(async ({ inCall, stage: front }) => {
    const page = await inCall("provider");
    const before = front.asked.length;
    front.settings.answer = () => refused;
    await button(page, "People").click();
    await eventually(() => front.asked.length > before, "a request is refused");
    await post(page, { type: "medzen.setLanguage", language: "fr" });
    await told(page, "TOKEN_REQUIRED");
    await eventually(
      () => front.asked.slice(before).filter(({ path }) => /\/(quality|call)$/.test(path)).length >= 2,
      "another one is refused while the app is asked",
    );
    assert.equal(await times(page, "TOKEN_REQUIRED"), 1);
  });
});

for (const how of ["tear", "stall"]) {
  test(`an answer that ${how}s is a bad line and no end`, async () => {
    await stage.appointment(async ({ inCall, media, stage: front }) => {
      const page = await inCall("provider");
      await page.clock.install();
      front.settings.answer = (told) => (isStatus(told) ? how : undefined);
      const asked = () => front.asked.filter(isStatus).length;
      const before = asked();
      await passes(page, () => asked() >= before + 3, "it goes on asking");
      assert.equal(await shown(page), "call");
      assert.equal(media.connected, 1);
      assert.deepEqual(await bad(page), []);
    });
  });
}

test("a firewall that answers in the API's place does not say whose appointment it is", async () => {
  await stage.appointment(async ({ inCall, media, stage: front }) => {
    const page = await inCall("provider");
    front.settings.answer = () => ({ status: 403, body: { message: "Forbidden" } });
    const before = front.asked.length;
    await eventually(() => front.asked.slice(before).filter(isStatus).length >= 2, "it goes on asking");
    assert.equal(await shown(page), "call");
    assert.equal(media.connected, 1);
    assert.deepEqual(await bad(page), []);
  });
});

test("after minutes without any line the call is back by itself", async () => {
  await stage.appointment(
    async ({ inCall, media, stage: front }) => {
      const page = await inCall("provider");
      await page.clock.install();
      front.settings.answer = () => "drop";
      media.up = false;
      await media.cuts();
      await told(page, "MEETING_RECONNECTING");
      let seconds = 0;
      const fiveMinutes = () => {
        seconds += 2;
        return seconds > 300;
      };
      await passes(page, fiveMinutes, "five minutes", 2_000);
      assert.equal(await shown(page), "call");
      await notice(page, "line").waitFor();
      assert.deepEqual(await bad(page), []);
      media.up = true;
      front.settings.answer = undefined;
      await passes(page, async () => (await times(page, "MEETING_RECONNECTED")) === 1, "it is back");
      assert.equal(await times(page, "MEETING_RECONNECTING"), 1);
      assert.deepEqual(await bad(page), []);
    },
    { config: { mediaTimeoutSeconds: 20 } },
  );
});

test("as soon as the browser says that there is a network, the page comes back", async () => {
  await stage.appointment(async ({ inCall, media, stage: front }) => {
    const page = await inCall("provider");
    await page.clock.install();
    front.settings.answer = () => "drop";
    media.saysEnded();
    const asked = () => front.asked.filter(isStatus).length;
    await passes(page, () => asked() > 20, "it has tried for a while");
    front.settings.answer = undefined;
    // No time passes but what passes.
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 100));
    await page.evaluate(() => window.dispatchEvent(new Event("online")));
    await eventually(() => front.asked.some(({ body }) => body?.checked), "it goes in");
    await page.clock.resume();
    await told(page, "MEETING_RECONNECTED");
  });
});

test("a network that lets no media through has an end, with longer pauses up to it and a way on", async () => {
  await stage.appointment(
    async ({ inCall, media, stage: front }) => {
      const page = await inCall("provider");
      await page.clock.install();
      let seconds = 0;
      const joins = [];
      front.settings.answer = (told) => void (isJoin(told) && joins.push(seconds));
      media.up = false;
      await media.cuts();
      await told(page, "MEETING_RECONNECTING");
      const saysSo = async () => {
        seconds += 1;
        return (await shown(page)) === "media";
      };
      await passes(page, saysSo, "the page says so");
      assert.deepEqual((await told(page, "MEETING_ERROR")).data, { code: "MEDIA_UNREACHABLE" });
      assert.equal(joins.length, 3, `joins at ${joins}`);
      assert.ok(joins[2] - joins[1] > joins[1] - joins[0], `joins at ${joins}`);
      media.up = true;
      await page.evaluate(() => window.dispatchEvent(new Event("online")));
      await passes(page, async () => (await times(page, "MEETING_JOINED")) === 2, "it is in again");
    },
    { config: { mediaTimeoutSeconds: 20 } },
  );
});

test("without a line at the first connection nobody is told of a VPN", async () => {
  await stage.appointment(
    async ({ person, enter, media, stage: front }) => {
      media.up = false;
      const page = await person("provider");
      front.settings.answer = (told) => (isStatus(told) && front.asked.some(isJoin) ? "drop" : undefined);
      await enter(page);
      await screen(page, "call");
      await page.clock.install();
      const asked = front.asked.length;
      await passes(page, () => front.asked.length > asked + 6, "it goes on asking");
      assert.deepEqual(await bad(page), []);
      front.settings.answer = undefined;
      media.up = true;
      await eventually(async () => {
        await page.evaluate(() => window.dispatchEvent(new Event("online")));
        return (await times(page, "MEETING_JOINED")) === 1;
      }, "it is in");
    },
    { config: { mediaTimeoutSeconds: 3 } },
  );
});

test("while the call is just being ended or begun, coming back waits for what comes of it", async () => {
  await stage.appointment(async ({ inCall, media, stage: front }) => {
    const page = await inCall("provider");
    await page.clock.install();
    let refusals = 0;
    const codes = [
      [409, "CALL_NOT_READY"],
      [404, "NO_ACTIVE_CALL"],
      [409, "CALL_ENDING"],
    ];
    front.settings.answer = (told) => {
      if (!isJoin(told) || refusals === codes.length) return undefined;
      const [status, code] = codes[refusals++];
      return { status, body: { code, error: "x", requestId: "r" } };
    };
    media.saysEnded();
    await passes(page, async () => (await times(page, "MEETING_RECONNECTED")) === 1, "it is back");
    assert.equal(refusals, 3);
    assert.deepEqual(await bad(page), []);
  });
});

test("listening only, the microphone is on when it is open, and not before", async () => {
  await stage.appointment(async ({ person, context }) => {
    await watchDevices(context);
    await context.addInitScript(() => {
      window.broken = ["audio", "video"];
    });
    const page = await person("provider");
    await screen(page, "devices-taken");
    await button(page, "Join to listen only").click();
    await told(page, "MEETING_JOINED");
    await button(page, "Microphone: turn on").click();
    await notice(page, "microphone").waitFor();
    assert.ok(await button(page, "Microphone: turn on").isVisible(), "what cannot be opened is not on");
    assert.deepEqual(await live(page), []);
    await page.evaluate(() => (window.broken = []));
    await button(page, "Microphone: turn on").click();
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await live(page), ["audio"]);
    assert.ok(await page.evaluate(() => window.tracks.at(-1).enabled));
  });
});

test("camera and microphone that fail on the way in are said to be off", async () => {
  await stage.appointment(async ({ person, context, enter }) => {
    await watchDevices(context);
    const page = await person("provider");
    await screen(page, "check");
    // Another program takes them in the moment between the check and the call.
    await page.evaluate(() => (window.broken = ["audio", "video"]));
    await enter(page);
    await told(page, "MEETING_JOINED");
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

test("a microphone or camera that goes away during the call is told of, and another one takes its place", async () => {
  await stage.appointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await page.locator(".tile.self.seen").waitFor();
    const unplugged = (kind) =>
      page.evaluate((kind) => {
        const track = window.tracks.findLast((one) => one.kind === kind && one.readyState === "live");
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }, kind);
    await unplugged("audio");
    await notice(page, "microphone").getByText("You are not heard").waitFor();
    await heard(page, "You are not heard: choose another microphone in the settings.", { urgent: true });
    await button(page, "Microphone: turn on").waitFor();
    await unplugged("video");
    await notice(page, "camera").waitFor();
    await button(page, "Camera: turn on").waitFor();
    await page.locator(".tile.self:not(.seen)").waitFor();
    // Another one from the settings is heard as the one before was.
    await button(page, "Settings").click();
    const select = page.getByLabel("Microphone", { exact: true });
    await select.selectOption(
      await select.evaluate((select) =>
        [...select.options].map(({ value }) => value).find((value) => value !== select.value && value !== "default"),
      ),
    );
    await button(page, "Microphone: turn off").waitFor();
    await notice(page, "microphone").waitFor({ state: "hidden" });
    assert.deepEqual(await live(page), ["audio"]);
  });
});

test("a microphone that the device needs for something else, as a phone call, is told of for as long", async () => {
  await stage.appointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    const dispatch = (name) =>
      page.evaluate(
        (name) =>
          window.tracks
            .findLast(({ kind, readyState }) => kind === "audio" && readyState === "live")
            .dispatchEvent(new Event(name)),
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

test("the settings offer what is plugged in, as it comes and goes", async () => {
  await stage.appointment(async ({ inCall }) => {
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

test("who is muted stays muted with another microphone", async () => {
  await stage.appointment(async ({ inCall, context }) => {
    await watchDevices(context);
    const page = await inCall("provider");
    await button(page, "Microphone: turn off").click();
    await button(page, "Microphone: turn on").waitFor();
    await button(page, "Settings").click();
    const before = await page.evaluate(() => window.tracks.length);
    const select = page.getByLabel("Microphone", { exact: true });
    await select.selectOption(
      await select.evaluate((select) =>
        [...select.options].map(({ value }) => value).find((value) => value !== select.value && value !== "default"),
      ),
    );
    await page.waitForFunction(
      (before) => window.tracks.slice(before).some(({ kind, enabled }) => kind === "audio" && !enabled),
      before,
    );
    await button(page, "Microphone: turn on").click();
    await page.waitForFunction((before) => window.tracks.slice(before).every(({ enabled }) => enabled), before);
  });
});

test("who waits for a call that is over and begun anew knocks again", async () => {
  await stage.appointment(
    async ({ person, enter, stage: front, ask, users }) => {
      await ask("provider", "POST", "", {});
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      // The phone sleeps.
      front.settings.answer = () => "drop";
      await ask("provider", "DELETE", "");
      const { body } = await ask("provider", "POST", "", {});
      front.settings.answer = undefined;
      await eventually(
        async () => (await ask("provider", "GET", "")).body.waiting.some(({ userId }) => userId === users.patient.id),
        "the provider sees who waits",
      );
      await screen(patient, "waiting");
      await patient.waitForFunction(
        (id) => window.told.chime.some(({ event, data }) => event === "MEETING_WAITING" && data.sessionId === id),
        body.sessionId,
      );
    },
    { waitingRoom: true },
  );
});

test("whoever closes the page waits no longer", async () => {
  await stage.appointment(
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

test("whoever leaves while they are being let in has left when that is done", async () => {
  await stage.appointment(
    async ({ person, enter, stage: front, ask }) => {
      await ask("provider", "POST", "", {});
      const { opened, open } = gate();
      front.settings.answer = async (told) => {
        if (isJoin(told)) await opened;
      };
      const patient = await person("patient");
      await enter(patient);
      await eventually(() => front.asked.some(isJoin), "the patient knocks");
      await post(patient, { type: "medzen.leave" });
      assert.deepEqual((await told(patient, "MEETING_LEFT")).data, { sessionId: null });
      await screen(patient, "left");
      open();
      await eventually(() => front.asked.some((told) => isLeave(told) && told.status === 200), "the server is told");
      assert.deepEqual((await ask("provider", "GET", "")).body.waiting, []);
    },
    { waitingRoom: true },
  );
});

test("an app that says leave before the call is told that the person has left", async () => {
  await stage.appointment(async ({ person, context, stage: front }) => {
    await watchDevices(context);
    const page = await person("provider");
    await screen(page, "check");
    assert.deepEqual(await live(page), ["audio", "video"]);
    await post(page, { type: "medzen.leave" });
    assert.deepEqual((await told(page, "MEETING_LEFT")).data, { sessionId: null });
    await screen(page, "left");
    assert.deepEqual(await live(page), []);
    assert.deepEqual(
      front.asked.filter(({ method }) => method !== "GET"),
      [],
    );
    await button(page, "Come back").click();
    await screen(page, "check");
  });
});

test("the screen stays awake also after the page was out of sight", async () => {
  await stage.appointment(async ({ inCall, context }) => {
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
    const held = (number) =>
      page.waitForFunction(
        (number) => window.locks.length === number && window.locks.filter(({ released }) => !released).length === 1,
        number,
      );
    await held(1);
    // The browser takes the lock away with the sight.
    await page.evaluate(() => {
      window.locks[0].released = true;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await held(2);
    await post(page, { type: "medzen.leave" });
    await screen(page, "left");
    await page.waitForFunction(() => window.locks.every(({ released }) => released));
  });
});
