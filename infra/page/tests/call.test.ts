// A consultation from start to end, through the real functions and with the real SDK.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Joined } from "../src/answers.ts";
import { appEvents, appMessage, button, eventually, post, screen, shownScreen } from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

test("the SDK receives meeting and attendee exactly as the API gave them", async () => {
  await calls.withAppointment(async ({ inCall, media, context }) => {
    const answers: Promise<Joined>[] = [];
    context.on("response", async (response) => {
      if (response.request().method() === "POST" && /\/call$/.test(new URL(response.url()).pathname))
        answers.push(response.json());
    });
    const page = await inCall("provider");
    const { meeting, attendee } = (await answers[0]) as unknown as {
      meeting: { MediaPlacement: { SignalingUrl: string } };
      attendee: { AttendeeId: string };
    };
    assert.ok(media.addresses[0]?.startsWith(meeting.MediaPlacement.SignalingUrl), media.addresses[0]);
    assert.ok(await page.locator(`.tile.self[data-attendee="${attendee.AttendeeId}"]`).isVisible());
  });
});

test("an SDK that stops with the status 'meeting ended' does not end a call that is active for the server", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const page = await inCall("provider");
    const before = media.addresses.length;
    media.reportMeetingEnded();
    await appMessage(page, "MEETING_RECONNECTED");
    assert.ok(media.addresses.length > before, "it went in again");
    assert.deepEqual(
      (await appEvents(page)).filter((event) => /ENDED|LEFT|ERROR/.test(event)),
      [],
    );
    // The page has asked the server to check with Chime whether the meeting still exists.
    assert.ok(
      proxy.requests.some(
        ({ method, path, body }) => method === "POST" && /\/call$/.test(path) && body?.checked === true,
      ),
    );
  });
});

test("the page does not report the end of a call while the server cannot be reached either", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    const page = await inCall("provider");
    proxy.settings.respond = () => "drop";
    media.reportMeetingEnded();
    await appMessage(page, "MEETING_RECONNECTING");
    const asked = proxy.requests.length;
    await eventually(() => proxy.requests.length > asked + 1, "it goes on asking");
    assert.equal(await shownScreen(page), "call");
    proxy.settings.respond = undefined;
    await appMessage(page, "MEETING_RECONNECTED");
    assert.deepEqual(
      (await appEvents(page)).filter((event) => /ENDED|LEFT|ERROR/.test(event)),
      [],
    );
  });
});

test("the patient's page learns from the server that the call has ended, and tells the app", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    await inCall("provider");
    const patient = await inCall("patient");
    // Not through the provider's page, and nothing arrives over the media connection: only the server knows.
    const { body } = await ask("provider", "DELETE", "");
    await screen(patient, "ended");
    assert.deepEqual((await appMessage(patient, "MEETING_ENDED_BY_PROVIDER")).data, { sessionId: body.sessionId });
    assert.ok(
      (await patient.evaluate(() => window.appMessages.flutter)).includes(
        `MEETING_ENDED_BY_PROVIDER:${body.sessionId}`,
      ),
    );
    await button(patient, "Close").click();
    await appMessage(patient, "CLOSE_REQUESTED");
  });
});

test("a patient who comes first waits, and joins when the provider starts the call", async () => {
  await calls.withAppointment(async ({ person, enter, inCall }) => {
    const patient = await person("patient");
    await enter(patient);
    await screen(patient, "not-started");
    await patient.getByRole("heading", { name: "The consultation has not started yet" }).waitFor();
    await inCall("provider");
    await appMessage(patient, "MEETING_JOINED");
  });
});

test("a person who leaves can come back, and the earlier app receives both in its own strings", async () => {
  await calls.withAppointment(async ({ inCall, enter, ask, users }) => {
    await inCall("provider");
    const patient = await inCall("patient");
    await button(patient, "Leave").click();
    await screen(patient, "left");
    await appMessage(patient, "MEETING_LEFT");
    assert.deepEqual(await patient.evaluate(() => window.appMessages.flutter), [
      "SDK_READY",
      "MEETING_JOINED",
      "MEETING_LEFT",
    ]);
    await eventually(
      async () => !(await ask("provider", "GET", "")).body.present.includes(users.patient.id),
      "the server knows that the patient has left",
    );
    await button(patient, "Come back").click();
    await enter(patient);
    await patient.waitForFunction(
      () => window.appMessages.flutter.filter((text) => text === "MEETING_JOINED").length === 2,
    );
  });
});

test("medzen.leave makes the provider leave without ending the call", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    const provider = await inCall("provider");
    await post(provider, { type: "medzen.leave" });
    await screen(provider, "left");
    await appMessage(provider, "MEETING_LEFT");
    assert.equal((await ask("provider", "GET", "")).body.callStatus, "active");
  });
});

test("closing the page leaves the call by a request that outlives the page", async () => {
  await calls.withAppointment(async ({ inCall, ask, users, media, context, proxy }) => {
    await context.addInitScript(() => {
      const { fetch } = window;
      window.fetch = (address, options) => {
        if (options?.keepalive) sessionStorage.setItem("outlives", `${options.method} ${address}`);
        return fetch(address, options);
      };
    });
    await inCall("provider");
    const patient = await inCall("patient");
    await eventually(
      async () => (await ask("provider", "GET", "")).body.present.includes(users.patient.id),
      "the patient is present",
    );
    const { connected } = media;
    await patient.goto(`${proxy.origin}/config.json`);
    await eventually(
      async () => !(await ask("provider", "GET", "")).body.present.includes(users.patient.id),
      "the patient has left",
    );
    const left = proxy.requests.filter(({ method }) => method === "DELETE");
    assert.deepEqual(
      left.map(({ path, headers, status }) => [path.replace(/^.*\/call/, ""), headers.authorization, status]),
      [["/attendees/me", `Bearer ${users.patient.token}`, 200]],
    );
    assert.equal(await patient.evaluate(() => sessionStorage.getItem("outlives")), `DELETE ${left[0]?.path}`);
    await eventually(() => media.connected === connected - 1, "the line is closed");
    assert.equal((await ask("provider", "GET", "")).body.callStatus, "active");
  });
});

test("the page says that media cannot be reached, and joins when the person tries again", async () => {
  await calls.withAppointment(
    async ({ person, enter, media, proxy }) => {
      media.accepting = false;
      const page = await person("provider");
      await enter(page);
      await screen(page, "media");
      await page.getByRole("heading", { name: "Sound and picture cannot be reached" }).waitFor();
      // https://docs.aws.amazon.com/chime-sdk/latest/dg/network-config.html
      await page.getByText("*.chime.aws: TCP 443 and UDP 3478, to 99.77.128.0/18").waitFor();
      assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "MEDIA_UNREACHABLE" });
      assert.ok((await page.evaluate(() => window.appMessages.flutter)).includes("MEETING_ERROR:MEDIA_UNREACHABLE"));
      media.accepting = true;
      await button(page, "Try again").click();
      await appMessage(page, "MEETING_JOINED");
      assert.equal(proxy.requests.filter(({ method }) => method === "POST").at(-1)?.body.checked, true);
    },
    { config: { mediaTimeoutSeconds: 3 } },
  );
});

test("the page violates no policy with the media service's address that the local cloud gives", async () => {
  await calls.withAppointment(
    async ({ person, enter }) => {
      // No double answers here: the browser itself tries to connect, and the host does not exist.
      const page = await person("provider", { connect: false });
      await enter(page);
      await screen(page, "media");
    },
    { config: { mediaTimeoutSeconds: 3 } },
  );
});

test("the page rejects a person who has no part in the appointment", async () => {
  await calls.withAppointment(async ({ person }) => {
    const page = await person("stranger");
    await screen(page, "forbidden");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "NOT_A_MEMBER" });
  });
});

test("a token that expires during the call is renewed without a notice to the person", async () => {
  await calls.withAppointment(async ({ inCall, proxy, users, cloud }) => {
    const page = await inCall("provider");
    const old = users.provider.token;
    proxy.settings.respond = ({ headers }) =>
      headers.authorization === `Bearer ${old}` ? { status: 401, body: { message: "Unauthorized" } } : undefined;
    await appMessage(page, "TOKEN_REQUIRED");
    const fresh = await cloud.token({ sub: users.provider.firebaseUid }, 600);
    await post(page, { type: "medzen.token", token: fresh });
    await eventually(
      () => proxy.requests.some(({ headers }) => headers.authorization === `Bearer ${fresh}`),
      "the fresh token is used",
    );
    assert.equal(await shownScreen(page), "call");
  });
});
