// A token that expires, in a call and before it.

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

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const refused = { status: 401, body: { message: "Unauthorized" } };

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
  await calls.withAppointment(async ({ inCall, proxy, media }) => {
    const page = await inCall("provider");
    await button(page, "Settings").click();
    const before = proxy.requests.length;
    proxy.settings.respond = () => refused;
    media.requestRefresh();
    await appMessage(page, "TOKEN_REQUIRED");
    await page.getByLabel("I agree to the recording").check();
    await eventually(() => proxy.requests.length >= before + 2, "another one is refused while the app is asked");
    assert.equal(await times(page, "TOKEN_REQUIRED"), 1);
  });
});
