// The provider's actions, and what the others see of them: waiting room, people, quality, focus.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { Person } from "../src/answers.ts";
import { appMessage, button, eventually, post, screen } from "./fixtures/browser.ts";
import { both, type Call, CallFixture } from "./fixtures/call-fixture.ts";
import { isJoin, isStatus } from "./fixtures/cdn-proxy.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const person = (page: Page, name: string) =>
  page.locator(".person", { hasText: name }).filter({ has: page.locator(".person-actions") });

/** The patient's entry in the roster. */
const entryOf = async ({ ask, users }: Call): Promise<Person> =>
  (await ask("provider", "GET", "/attendees")).body.attendees.find(({ userId }: Person) => userId === users.patient.id);

test("the provider sees who waits and admits them, and the patient joins", async () => {
  await calls.withAppointment(
    async ({ inCall, person, enter, ask }) => {
      const provider = await inCall("provider");
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      const { body } = await ask("patient", "GET", "");
      assert.equal((await appMessage(patient, "MEETING_WAITING")).data["sessionId"], body.sessionId);
      assert.equal(body.me.status, "waiting");
      const notice = provider.locator('[data-notice="waiting"]');
      await notice.getByText("Patient is waiting").waitFor();
      await notice.getByRole("button", { name: "Let in" }).click();
      await appMessage(patient, "MEETING_JOINED");
      await notice.waitFor({ state: "hidden" });
    },
    { waitingRoom: true },
  );
});

test("a patient who waits learns by the poll that the appointment is cancelled, without joining again", async () => {
  await calls.withAppointment(
    async ({ person, enter, ask, proxy }) => {
      assert.equal((await ask("provider", "POST", "")).status, 201);
      const patient = await person("patient");
      await enter(patient);
      await screen(patient, "waiting");
      // The host application cancels it.
      const joinRefusal = { code: "APPOINTMENT_CANCELLED", error: "The appointment is cancelled." };
      proxy.settings.respond = async (request, real) => {
        if (!isStatus(request)) return undefined;
        const { body, ...answer } = await real();
        return { ...answer, body: { ...body, canJoin: false, joinRefusal } };
      };
      await screen(patient, "missing");
      assert.equal((await appMessage(patient, "MEETING_ERROR")).data["code"], "APPOINTMENT_CANCELLED");
      assert.equal(proxy.requests.filter(isJoin).length, 1);
    },
    { waitingRoom: true },
  );
});

test("a patient who is turned away does not get in, unless the provider admits them later", async () => {
  await calls.withAppointment(
    async (call) => {
      const { inCall, person: opened, enter } = call;
      const provider = await inCall("provider");
      const patient = await opened("patient");
      await enter(patient);
      await screen(patient, "waiting");
      await provider.locator('[data-notice="waiting"]').getByRole("button", { name: "Turn away" }).click();
      await screen(patient, "turned-away");
      assert.ok((await patient.evaluate(() => window.appMessages.flutter)).includes("MEETING_ERROR:TURNED_AWAY"));
      assert.equal((await entryOf(call)).status, "turned_away");
      const { status, body } = await call.ask("patient", "POST", "/attendees", {});
      assert.deepEqual([status, body.code], [403, "TURNED_AWAY"]);
      await button(provider, "People").click();
      await provider
        .locator(".person.away", { hasText: "Turned away" })
        .getByRole("button", { name: "Let in Patient" })
        .click();
      await enter(patient);
      await appMessage(patient, "MEETING_JOINED");
    },
    { waitingRoom: true },
  );
});

test("a patient who stops waiting disappears from the provider's notice", async () => {
  await calls.withAppointment(
    async ({ inCall, person, enter, ask }) => {
      const provider = await inCall("provider");
      const patient = await person("patient");
      await enter(patient);
      const notice = provider.locator('[data-notice="waiting"]');
      await notice.waitFor();
      await button(patient, "Stop waiting").click();
      await screen(patient, "left");
      await notice.waitFor({ state: "hidden" });
      assert.deepEqual((await ask("provider", "GET", "")).body.waiting, []);
    },
    { waitingRoom: true },
  );
});

test("the provider mutes, stops video, allows both again and removes a patient, who sees it each time", async () => {
  await calls.withAppointment(async (call) => {
    const { provider, patient } = await both(call);
    await button(provider, "People").click();
    const entry = person(provider, "Patient");
    await entry.getByRole("button", { name: /^Mute/ }).click();
    await patient.locator('button:disabled[aria-label="Microphone: turned off by your care provider"]').waitFor();
    assert.deepEqual((await entryOf(call)).capabilities, {
      Audio: "Receive",
      Video: "SendReceive",
      Content: "SendReceive",
    });
    await entry.getByRole("img", { name: "Not allowed to speak" }).waitFor();
    await entry.getByRole("button", { name: /^Stop video/ }).click();
    await patient.locator('button:disabled[aria-label="Camera: turned off by your care provider"]').waitFor();
    assert.deepEqual((await entryOf(call)).capabilities, {
      Audio: "Receive",
      Video: "Receive",
      Content: "SendReceive",
    });
    await entry.getByRole("button", { name: /^Let speak/ }).click();
    await entry.getByRole("button", { name: /^Allow video/ }).click();
    // The provider allows it again; the patient switches it on.
    await button(patient, "Microphone: turn on").click();
    await button(patient, "Microphone: turn off").waitFor();
    await button(patient, "Camera: turn on").click();
    await patient.locator(".tile.self.seen").waitFor();

    await entry.getByRole("button", { name: /^Remove/ }).click();
    const question = provider.getByRole("dialog", { name: "Remove Patient?" });
    await question.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await entryOf(call)).status, "joined", "cancel changes nothing");
    await entry.getByRole("button", { name: /^Remove/ }).click();
    await question.getByRole("button", { name: "Remove" }).click();
    await screen(patient, "removed");
    assert.ok((await patient.evaluate(() => window.appMessages.flutter)).includes("MEETING_ERROR:REMOVED_FROM_CALL"));
    const { status, body } = await call.ask("patient", "POST", "/attendees", {});
    assert.deepEqual([status, body.code], [403, "REMOVED_FROM_CALL"]);
  });
});

test("a participant who may only receive cannot speak, be seen or share a screen", async () => {
  await calls.withAppointment(async (call) => {
    const { provider, patient, other } = await both(call);
    await call.ask("provider", "PATCH", `/attendees/${other.externalUserId}`, {
      capabilities: { audio: "Receive", video: "Receive", content: "Receive" },
    });
    for (const name of [
      "Microphone: turned off by your care provider",
      "Camera: turned off by your care provider",
      "Screen: you may not share",
    ]) {
      await patient.locator(`button:disabled[aria-label="${name}"]`).waitFor();
    }
    assert.ok(await button(provider, "Screen: share").isEnabled(), "the others are left alone");
  });
});

test("the page measures the connection, shows its quality and sends samples to the API", async () => {
  await calls.withAppointment(async ({ inCall, proxy }) => {
    const page = await inCall("provider");
    await page.getByRole("img", { name: /^Connection: (good|fair|poor)$/ }).waitFor();
    // Samples are sent together, and what there is when the person leaves.
    await post(page, { type: "medzen.leave" });
    const { body } = await eventually(
      () => proxy.requests.find(({ path, status }) => path.endsWith("/quality") && status === 202),
      "the API takes a sample",
    );
    const [sample] = body.samples;
    assert.equal(typeof sample.at, "number");
    assert.ok(sample.roundTripMs >= 0 && sample.bitrateKbps > 0, JSON.stringify(sample));
    for (const name of Object.keys(sample))
      assert.ok(["at", "packetLossPercent", "roundTripMs", "jitterMs", "bitrateKbps"].includes(name), name);
  });
});

test("the list of people follows the connection before the server knows", async () => {
  await calls.withAppointment(async (call) => {
    const { provider, other } = await both(call);
    await button(provider, "People").click();
    await person(provider, "Patient").waitFor();
    call.media.removeParticipant(other.attendeeId);
    await provider.locator(".person.away", { hasText: "Patient" }).waitFor();
    assert.equal((await entryOf(call)).present, true, "the server does not know it yet");
    call.media.addParticipant(other);
    await person(provider, "Patient").waitFor();
  });
});

test("the focus stays with the person whose button was pressed, and is never lost", async () => {
  await calls.withAppointment(async (call) => {
    const { provider } = await both(call);
    const focused = () => provider.evaluate(() => document.activeElement?.textContent);
    const focus = async (words: string) => {
      await provider.waitForFunction(
        (words) => [...document.querySelectorAll(".people button")].some(({ textContent }) => textContent === words),
        words,
      );
      assert.equal(await focused(), words);
    };
    await button(provider, "People").press("Enter");
    const entry = person(provider, "Patient");
    await entry.getByRole("button", { name: "Mute Patient" }).press("Enter");
    await focus("Let speak Patient");
    await provider.keyboard.press("Enter");
    await focus("Mute Patient");
    await entry.getByRole("button", { name: "Stop video Patient" }).press("Enter");
    await focus("Allow video Patient");
    await entry.getByRole("button", { name: "Remove Patient" }).press("Enter");
    await provider.getByRole("dialog").getByRole("button", { name: "Remove" }).press("Enter");
    await provider.locator(".person.away", { hasText: "Removed" }).waitFor();
    assert.equal(await focused(), "In the consultation", "with the entry's buttons gone it is in the list still");
  });
});

test("the focus is never lost when people are admitted or turned away", async () => {
  await calls.withAppointment(
    async ({ inCall, person: opened, enter, proxy, users, ask }) => {
      const provider = await inCall("provider");
      const focused = () => provider.evaluate(() => document.activeElement?.textContent);
      // A second person who waits is added to the API's answers until the provider has decided.
      const guest = {
        userId: users.stranger.id,
        displayName: "Guest",
        role: "observer",
        since: "2026-11-20T10:00:00Z",
      };
      let guests = [guest];
      const { body: roster } = await ask("provider", "GET", "/attendees");
      const entry = roster.attendees[0];
      proxy.settings.respond = async ({ method, path }, real) => {
        if (method === "PATCH" && path.endsWith(guest.userId)) {
          guests = [];
          const { since, ...admitted } = guest;
          return { status: 200, body: { ...entry, ...admitted, waitingSince: since, admitted: true } };
        }
        if (method !== "GET" || !path.endsWith("/call")) return undefined;
        const answer = await real();
        return answer.body.isProvider
          ? { ...answer, body: { ...answer.body, waiting: [...answer.body.waiting, ...guests] } }
          : undefined;
      };
      const notice = provider.locator('[data-notice="waiting"]');
      await notice.getByText("Guest is waiting").waitFor();
      await notice.getByRole("button", { name: "Let in" }).focus();
      const patient = await opened("patient");
      await enter(patient);
      await provider.bringToFront();
      await notice.getByText("2 people are waiting").waitFor();
      assert.equal(await focused(), "2 people are waiting", "the button under the finger would let in another one");
      await notice.getByRole("button", { name: "Let in" }).press("Enter");
      await notice.getByText("Guest is waiting").waitFor();
      assert.equal(await focused(), "Guest is waiting");
      await notice.getByRole("button", { name: "Turn away" }).press("Enter");
      await notice.waitFor({ state: "hidden" });
      assert.equal(await focused(), "Consultation");
      await appMessage(patient, "MEETING_JOINED");
    },
    { waitingRoom: true },
  );
});

test("the call is operable by keyboard, and dialogs keep the focus", async () => {
  await calls.withAppointment(async ({ inCall }) => {
    const page = await inCall("provider");
    const focused = () =>
      page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);
    assert.equal(await focused(), "Consultation", "the heading has the focus when the screen is shown");
    const order: (string | null | undefined)[] = [];
    for (let step = 0; step < 10; step += 1) {
      await page.keyboard.press("Tab");
      order.push(await focused());
    }
    assert.deepEqual(order.slice(0, 9), [
      "Français",
      "Microphone: turn off",
      "Camera: turn off",
      "Screen: share",
      "Captions: show",
      order[5],
      "Recording and transcript",
      "Settings",
      "Leave",
    ]);
    assert.match(order[5] ?? "", /^People/);
    await button(page, "People").focus();
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "People");
    await page.keyboard.press("Escape");
    assert.match((await focused()) ?? "", /^People: /);
    await button(page, "Leave").focus();
    await page.keyboard.press("Space");
    await page.getByRole("dialog", { name: "Leave the consultation?" }).waitFor();
    for (let step = 0; step < 6; step += 1) {
      await page.keyboard.press("Tab");
      assert.ok(
        await page.evaluate(
          () => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null,
        ),
        "the focus does not leave the question",
      );
    }
    await page.keyboard.press("Escape");
    assert.equal(await focused(), "Leave", "and returns to where it was");
  });
});
