// A consultation from start to end, through the real functions and with the real SDK.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { Joined, Person } from "../src/answers.ts";
import { appEvents, appMessage, button, eventually, post, screen, shownScreen } from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const seen = (page: Page, attendee: string) =>
  page.waitForFunction(
    (attendee) =>
      (document.querySelector<HTMLVideoElement>(`.tile[data-attendee="${attendee}"].seen video`)?.videoWidth ?? 0) > 0,
    attendee,
  );

test("provider and patient see each other by name, and the provider ends it for both", async () => {
  await calls.withAppointment(async ({ inCall, media, users, ask }) => {
    const provider = await inCall("provider");
    const patient = await inCall("patient");
    const { body } = await ask("provider", "GET", "/attendees");
    const other = body.attendees.find(({ userId }: Person) => userId === users.patient.id);
    media.addParticipant({ attendeeId: other.attendeeId, externalUserId: users.patient.id });
    await seen(provider, other.attendeeId);
    await provider.locator(`.tile[data-attendee="${other.attendeeId}"] .name`, { hasText: "Patient" }).waitFor();
    await patient.getByRole("heading", { name: "Provider" }).waitFor();
    await button(provider, "People").click();
    await provider.getByRole("heading", { name: "People" }).waitFor();
    await provider.locator(".person", { hasText: "Patient" }).getByText("Patient", { exact: true }).first().waitFor();

    await button(provider, "Leave").click();
    await button(provider, "End for everyone").click();
    await Promise.all([screen(provider, "ended"), screen(patient, "ended")]);
    assert.equal((await ask("patient", "GET", "")).body.callStatus, "ended");
  });
});

test("f21_the_sdk_takes_meeting_and_attendee_exactly_as_the_api_gave_them", async () => {
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

test("f04_a_short_loss_of_the_line_is_no_end", async () => {
  await calls.withAppointment(async ({ inCall, media, ask }) => {
    const page = await inCall("provider");
    await media.dropConnections();
    await appMessage(page, "MEETING_RECONNECTING");
    await page.getByText("The connection was lost. Reconnecting…").first().waitFor();
    await appMessage(page, "MEETING_RECONNECTED");
    await page.locator('[data-notice="line"]').waitFor({ state: "hidden" });
    assert.equal((await ask("provider", "GET", "")).body.callStatus, "active");
    assert.deepEqual(
      (await appEvents(page)).filter((event) => /ENDED|LEFT|ERROR/.test(event)),
      [],
    );
  });
});

test("f04_that_the_client_stops_with_the_word_ended_is_no_end_while_the_server_says_that_it_goes_on", async () => {
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
    // Chime was to be asked whether the meeting is there: what the client had been given did not hold.
    assert.ok(
      proxy.requests.some(
        ({ method, path, body }) => method === "POST" && /\/call$/.test(path) && body?.checked === true,
      ),
    );
  });
});

test("f04_while_the_server_cannot_be_asked_either_the_call_is_not_said_to_have_ended", async () => {
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

test("f22_the_patient_learns_from_the_server_that_the_call_has_ended_and_the_app_is_told", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    await inCall("provider");
    const patient = await inCall("patient");
    // Not through the page of the provider, and nothing comes over the media line: only the server knows.
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

test("a patient who comes first waits, and is in when the provider starts", async () => {
  await calls.withAppointment(async ({ person, enter, inCall }) => {
    const patient = await person("patient");
    await enter(patient);
    await screen(patient, "not-started");
    await patient.getByRole("heading", { name: "The consultation has not started yet" }).waitFor();
    await inCall("provider");
    await appMessage(patient, "MEETING_JOINED");
  });
});

test("whoever leaves can come back; the app hears both as the earlier app knows it", async () => {
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

test("the provider may leave without ending, and medzen.leave of the app does the same", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    const provider = await inCall("provider");
    await post(provider, { type: "medzen.leave" });
    await screen(provider, "left");
    await appMessage(provider, "MEETING_LEFT");
    assert.equal((await ask("provider", "GET", "")).body.callStatus, "active");
  });
});

test("whoever closes the page leaves the call, by a request that outlives the page", async () => {
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

test("when media cannot be reached the page says so, and trying again goes in", async () => {
  await calls.withAppointment(
    async ({ person, enter, media, proxy }) => {
      media.accepting = false;
      const page = await person("provider");
      await enter(page);
      await screen(page, "media");
      await page.getByRole("heading", { name: "Sound and picture cannot be reached" }).waitFor();
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

test("with the address of the media service as the local cloud gives it, the page lives under its policy up to the line", async () => {
  await calls.withAppointment(
    async ({ person, enter }) => {
      // Nothing stands in for the service here: the browser itself tries to connect, and there is no such host.
      const page = await person("provider", { connect: false });
      await enter(page);
      await screen(page, "media");
    },
    { config: { mediaTimeoutSeconds: 3 } },
  );
});

test("a stranger to the appointment is told so", async () => {
  await calls.withAppointment(async ({ person }) => {
    const page = await person("stranger");
    await screen(page, "forbidden");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "NOT_A_MEMBER" });
  });
});

test("a token that runs out in the call is renewed without a word to the person", async () => {
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
