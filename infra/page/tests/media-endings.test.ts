// The ends of a person's part in a call: another device, removal, the end for everyone, and a media server that lets nobody in.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { appMessage, button, eventually, screen, times } from "./fixtures/browser.ts";
import { type LiveCall, LiveCalls, namesOf } from "./fixtures/live-call.ts";
import { hearsOnly, seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  // Refusals meet everyone who comes.
  calls = await LiveCalls.open({ ownCloud: "media_endings" });
});
after(() => calls.close());

/** The ids of the attendees that the media server has connected, shared screens too. */
async function connected({ control }: LiveCall): Promise<string[]> {
  const { participants } = (await control("media", undefined, "GET")) as {
    participants: { attendeeId: string; present: boolean }[];
  };
  return participants.filter(({ present }) => present).map(({ attendeeId }) => attendeeId);
}

async function sees(page: Page, attendeeId: string, name: "provider" | "patient"): Promise<void> {
  await eventually(async () => (await seen(page, attendeeId)) === name, `the ${name} is seen`);
}

test("a second device takes over from the first one, which says so", async () => {
  await calls.withAppointment(async (call) => {
    const { join, attendee, events } = call;
    const provider = await join("provider");
    const first = await join("patient");
    const id = await attendee("patient");
    await sees(provider, id, "patient");
    // In another colour and tone, so that it is known which of them the provider sees and hears.
    const second = await join("patient", "guest");
    await screen(first, "elsewhere");
    assert.deepEqual((await appMessage(first, "MEETING_ERROR")).data, { code: "JOINED_ELSEWHERE" });
    assert.equal(await attendee("patient"), id, "it is the same attendee");
    await eventually(async () => (await seen(provider, id)) === "guest", "the provider sees the second device");
    await eventually(() => hearsOnly(provider, "guest"), "the provider hears the second device only");
    await eventually(() => hearsOnly(second, "provider"), "the second device hears the provider");
    assert.equal(await provider.locator(".tile").count(), 2, "one tile each");
    const published = async () => namesOf(await events(), id);
    await eventually(async () => (await published()).length === 6, "the engine publishes the change");
    assert.deepEqual((await published()).sort(), [
      "Dropped",
      "Joined",
      "Joined",
      "VideoStarted",
      "VideoStarted",
      "VideoStopped",
    ]);
  });
});

test("a participant whom the provider removes is disconnected at once and told so", async () => {
  await calls.withAppointment(async (call) => {
    const { join, attendee } = call;
    const provider = await join("provider");
    const patient = await join("patient");
    const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
    await sees(provider, ids.patient, "patient");
    await provider.bringToFront();
    await button(provider, "People").click();
    await provider
      .locator(".person", { hasText: "Patient" })
      .getByRole("button", { name: /^Remove/ })
      .click();
    await provider.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await screen(patient, "removed");
    await provider.locator(`.tile[data-attendee="${ids.patient}"]`).waitFor({ state: "detached" });
    await eventually(() => hearsOnly(provider), "the patient is not heard any more");
    assert.ok((await connected(call)).includes(ids.provider), "the provider is in the call");
    await eventually(async () => !(await connected(call)).includes(ids.patient), "the patient is not connected");
  });
});

test("the end for everyone disconnects everyone, and the media server closes the socket of one who comes later", async () => {
  await calls.withAppointment(async (call) => {
    const { join, attendee, ask } = call;
    const provider = await join("provider");
    const patient = await join("patient");
    const id = await attendee("patient");
    await sees(provider, id, "patient");
    // What a client holds that comes late.
    const { body: place } = await ask("patient", "POST", "/attendees", {});
    await provider.bringToFront();
    await button(provider, "Leave").click();
    await button(provider, "End for everyone").click();
    for (const page of [provider, patient]) await screen(page, "ended");
    await eventually(async () => !(await connected(call)).includes(id), "nobody is connected");
    const code = await patient.evaluate(
      ({ url, token }) =>
        new Promise<number>((resolve) => {
          const socket = new WebSocket(`${url}?X-Chime-Control-Protocol-Version=3`, ["_aws_wt_session", token]);
          socket.onclose = ({ code }) => resolve(code);
        }),
      { url: place.meeting.MediaPlacement.SignalingUrl, token: place.attendee.JoinToken },
    );
    assert.equal(code, 4410);
  });
});

for (const [reason, shown, code] of [
  ["full", "full", "CALL_FULL"],
  ["wrongToken", "failed", "MEDIA_REFUSED"],
  ["ended", "failed", "MEDIA_REFUSED"],
] as const) {
  test(`a person whom the media server refuses as ${reason} can try again, and then joins`, async () => {
    await calls.withAppointment(async (call) => {
      const { person, enter, control } = call;
      const page = await person("provider");
      await control("media/refusal", { reason });
      try {
        await enter(page);
        await screen(page, shown);
        assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code });
        assert.equal(await times(page, "MEETING_JOINED"), 0);
      } finally {
        await control("media/refusal", undefined, "DELETE");
      }
      await button(page, "Try again").click();
      await appMessage(page, "MEETING_JOINED");
    });
  });
}

test("a join token that no attendee has is refused, and the right one is not", async () => {
  await calls.withAppointment(async ({ person, enter }) => {
    const forged = async (page: Page) => {
      await page.route(/\/call(\/attendees)?$/, async (route) => {
        const answer = await route.fetch();
        const body = await answer.json();
        if (body.attendee) body.attendee.JoinToken = body.attendee.JoinToken.replace(/..$/, "xx");
        await route.fulfill({ response: answer, json: body });
      });
    };
    const page = await person("provider", "provider", forged);
    await enter(page);
    await screen(page, "failed");
    assert.deepEqual((await appMessage(page, "MEETING_ERROR")).data, { code: "MEDIA_REFUSED" });
    await page.unrouteAll();
    await button(page, "Try again").click();
    await appMessage(page, "MEETING_JOINED");
  });
});
