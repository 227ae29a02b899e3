// What the provider does and what the others see of it: waiting room, people, consent, indicators, captions, quality.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { Person } from "../src/answers.ts";
import { appMessage, button, eventually, screen } from "./fixtures/browser.ts";
import { type Call, CallFixture } from "./fixtures/call-fixture.ts";

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

/** Chime's recorder, which joins as an attendee. */
const RECORDER = { attendeeId: "recorder-1", externalUserId: "aws:MediaPipeline-7d9f1c5e", video: false };

/** Joins provider and patient; the provider's page knows the patient's attendee. */
async function both({ inCall, ask, media, users }: Call) {
  const provider = await inCall("provider");
  const patient = await inCall("patient");
  const { body } = await ask("provider", "GET", "/attendees");
  const { attendeeId } = body.attendees.find(({ userId }: Person) => userId === users.patient.id);
  const other = { attendeeId, externalUserId: users.patient.id };
  media.addParticipant(other);
  await provider.locator(`.tile[data-attendee="${attendeeId}"] .name`, { hasText: "Patient" }).waitFor();
  return { provider, patient, other };
}

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

test("the page asks for consent where a recording is requested; the answer is stored and can be changed", async () => {
  await calls.withAppointment(async ({ person, ask, users, inCall }) => {
    const page = await person("provider");
    await screen(page, "check");
    await page.getByLabel("Ask for a recording").check();
    await button(page, "Start the consultation").click();
    const question = page.getByRole("dialog", { name: "Recording and transcript" });
    await question.getByRole("button", { name: "I agree" }).click();
    const granted = (value: boolean) =>
      eventually(
        async () => (await ask("provider", "GET", "")).body.consent.recording.granted === value,
        `the API knows: ${value}`,
      );
    await granted(true);
    await button(page, "Settings").click();
    const box = page.getByLabel("I agree to the recording");
    await eventually(() => box.isChecked(), "the settings know the answer");

    // The patient, who has not requested it, is asked too; only then has everyone agreed.
    const patient = await inCall("patient");
    assert.deepEqual((await ask("provider", "GET", "")).body.consent.recording, {
      granted: true,
      allowed: false,
      missing: [users.patient.id],
    });
    await patient
      .getByRole("dialog", { name: "Recording and transcript" })
      .getByRole("button", { name: "I agree" })
      .click();
    await eventually(
      async () => (await ask("provider", "GET", "")).body.consent.recording.allowed,
      "it may be recorded",
    );
    await page.bringToFront();
    await box.uncheck();
    await granted(false);
    assert.equal((await ask("provider", "GET", "")).body.consent.recording.allowed, false);
  });
});

test("a consent question that is put off is not answered and stays in reach, however often Escape is pressed", async () => {
  await calls.withAppointment(async ({ inCall, ask }) => {
    await ask("provider", "POST", "", { enableRecording: true });
    const page = await inCall("provider");
    const question = page.getByRole("dialog", { name: "Recording and transcript" });
    const notice = page.locator('[data-notice="consent"]');
    const granted = async () => (await ask("provider", "GET", "")).body.consent.recording.granted;
    await question.waitFor();
    assert.ok(await notice.isHidden());
    for (let press = 0; press < 5; press += 1) await page.keyboard.press("Escape");
    await notice.waitFor();
    assert.equal(await page.locator("dialog").count(), 0, "one can go on");
    assert.equal(await granted(), null, "no answer is none");
    for (let time = 0; time < 2; time += 1) {
      await notice.getByRole("button", { name: "Answer" }).press("Enter");
      await question.waitFor();
      for (let press = 0; press < 4; press += 1) await page.keyboard.press("Escape");
      await notice.waitFor();
    }
    assert.equal(await granted(), null);
    await notice.getByRole("button", { name: "Answer" }).press("Enter");
    await question.getByRole("button", { name: "I do not agree" }).press("Enter");
    await eventually(async () => (await granted()) === false, "the answer is known");
    await notice.waitFor({ state: "hidden" });
    assert.equal(
      await page.evaluate(() => document.activeElement?.tagName),
      "H1",
      "the focus is not lost with the notice",
    );
  });
});

test("the page does not ask for consent when nobody has requested a recording or transcript", async () => {
  await calls.withAppointment(async ({ inCall, proxy }) => {
    const page = await inCall("provider");
    const asked = proxy.requests.length;
    await eventually(
      () =>
        proxy.requests.slice(asked).filter(({ method, path }) => method === "GET" && /\/call$/.test(path)).length >= 1,
      "a status has been read",
    );
    assert.equal(await page.locator("dialog").count(), 0);
  });
});

test("Chime's recorder has no tile and does not count as a person", async () => {
  await calls.withAppointment(async ({ inCall, media }) => {
    const page = await inCall("provider");
    media.addParticipant(RECORDER);
    // The page knows of the recorder, so it would show it.
    await page.locator(".recording-sign").waitFor();
    assert.equal(await page.locator(".tile").count(), 1);
    assert.ok(await page.getByText("Nobody else is here yet.").isVisible());
  });
});

test("everyone sees the signs of recording and transcript exactly while they run", async () => {
  await calls.withAppointment(async (call) => {
    const { media, ask, proxy } = call;
    await ask("provider", "POST", "", { enableRecording: true, enableTranscription: true });
    const { provider, patient } = await both(call);
    const signs = (page: Page) => [page.locator(".recording-sign"), page.locator(".transcription-sign")];
    const { body } = await ask("patient", "GET", "");
    assert.deepEqual([body.recording.state, body.transcription.state], ["requested", "requested"]);
    for (const page of [provider, patient])
      await page.getByRole("dialog", { name: "Recording and transcript" }).waitFor();
    for (const page of [provider, patient]) for (const sign of signs(page)) assert.ok(await sign.isHidden());
    media.addParticipant(RECORDER);
    media.transcription("STARTED");
    for (const page of [provider, patient]) for (const sign of signs(page)) await sign.waitFor();
    // Another status, which knows only the request, does not change the signs.
    const asked = proxy.requests.length;
    await eventually(
      () =>
        proxy.requests
          .slice(asked)
          .filter(({ method, path, status }) => method === "GET" && /\/call$/.test(path) && status === 200).length >= 4,
      "both have read the status again",
    );
    for (const page of [provider, patient]) for (const sign of signs(page)) assert.ok(await sign.isVisible());
    media.removeParticipant(RECORDER.attendeeId);
    media.transcription("STOPPED");
    for (const page of [provider, patient]) for (const sign of signs(page)) await sign.waitFor({ state: "hidden" });
  });
});

test("a person who joins later sees the signs at once, and a new connection keeps them", async () => {
  await calls.withAppointment(async ({ inCall, media, proxy }) => {
    media.addParticipant(RECORDER);
    const page = await inCall("provider");
    const [recording, transcription] = [page.locator(".recording-sign"), page.locator(".transcription-sign")];
    await recording.waitFor();
    media.transcription("STARTED");
    await transcription.waitFor();
    await page.evaluate(() => {
      window.signChanges = [];
      for (const sign of document.querySelectorAll<HTMLElement>(".sign-on"))
        new MutationObserver(() => window.signChanges.push(sign.hidden === true)).observe(sign, {
          attributeFilter: ["hidden"],
        });
    });
    media.reportMeetingEnded();
    await appMessage(page, "MEETING_RECONNECTED");
    const asked = proxy.requests.length;
    await eventually(
      () =>
        proxy.requests
          .slice(asked)
          .filter(({ method, path, status }) => method === "GET" && /\/call$/.test(path) && status === 200).length >= 2,
      "the status is read again",
    );
    assert.deepEqual(await page.evaluate(() => window.signChanges), []);
    assert.ok((await recording.isVisible()) && (await transcription.isVisible()));
  });
});

test("captions show who says what, and a final text replaces a partial one", async () => {
  await calls.withAppointment(async (call) => {
    const { media } = call;
    const { provider, other } = await both(call);
    media.transcription("STARTED");
    await button(provider, "Captions: show").click();
    const captions = provider.getByRole("log", { name: "Captions" });
    await captions.getByText("Captions appear here").waitFor();
    media.caption({ ...other, id: "r1", text: "My head", partial: true });
    await captions.getByText("My head").waitFor();
    media.caption({ ...other, id: "r1", text: "My head hurts." });
    await captions.getByText("My head hurts.").waitFor();
    assert.equal(await captions.locator("p").count(), 1);
    assert.equal(await captions.locator(".speaker").textContent(), "Patient");
    await button(provider, "Captions: hide").click();
    await captions.waitFor({ state: "hidden" });
  });
});

test("the page measures the connection, shows its quality and sends samples to the API", async () => {
  await calls.withAppointment(async ({ inCall, proxy }) => {
    const page = await inCall("provider");
    const { body } = await eventually(
      () => proxy.requests.find(({ path, status }) => path.endsWith("/quality") && status === 202),
      "the API takes a sample",
    );
    const [sample] = body.samples;
    assert.equal(typeof sample.at, "number");
    assert.ok(sample.roundTripMs >= 0 && sample.bitrateKbps > 0, JSON.stringify(sample));
    for (const name of Object.keys(sample))
      assert.ok(["at", "packetLossPercent", "roundTripMs", "jitterMs", "bitrateKbps"].includes(name), name);
    await page.getByRole("img", { name: /^Connection: (good|fair|poor)$/ }).waitFor();
  });
});

test("a shared screen is shown above the others, and sharing can be stopped", async () => {
  await calls.withAppointment(async (call) => {
    const { media } = call;
    const { provider, other } = await both(call);
    media.shareScreen(other);
    await provider.locator('.tiles[data-layout="shared"] .tile.content.seen').waitFor();
    await provider.getByText("Screen of Patient").waitFor();
    media.removeParticipant(`${other.attendeeId}#content`);
    await provider.locator('.tiles[data-layout="pair"]').waitFor();
    await button(provider, "Screen: share").click();
    await button(provider, "Screen: stop sharing").waitFor();
    assert.ok(await eventually(() => media.sharing, "the screen is on the line"));
    await button(provider, "Screen: stop sharing").click();
    await button(provider, "Screen: share").waitFor();
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
    async ({ inCall, person: opened, enter, proxy, users }) => {
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
      proxy.settings.respond = async ({ method, path }, real) => {
        if (method === "PATCH" && path.endsWith(guest.userId)) {
          guests = [];
          return { status: 200 };
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
    for (let step = 0; step < 9; step += 1) {
      await page.keyboard.press("Tab");
      order.push(await focused());
    }
    assert.deepEqual(order.slice(0, 8), [
      "Français",
      "Microphone: turn off",
      "Camera: turn off",
      "Screen: share",
      "Captions: show",
      order[5],
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
