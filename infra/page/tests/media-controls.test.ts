// What a participant turns off and on, and what the others then see and hear.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { button, eventually } from "./fixtures/browser.ts";
import { LiveCalls, namesOf } from "./fixtures/live-call.ts";
import { counters, forceMicrophones, whileSending } from "./fixtures/sending.ts";
import { heard, hearsOnly, seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

test("a muted participant is not heard, even if their client keeps sending sound", async () => {
  await calls.withAppointment(async ({ join, attendee }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const id = await attendee("patient");
    const tile = (state: string) => provider.locator(`.tile${state}[data-attendee="${id}"]`);
    await eventually(async () => (await heard(provider)).includes("patient"), "the provider hears the patient");
    await tile(":not(.muted)").waitFor();
    await button(patient, "Microphone: turn off").click();
    await eventually(async () => (await heard(provider)).length === 0, "the patient is not heard any more");
    await eventually(async () => (await counters(patient)).microphone === 0, "the client sends silence");
    await tile(".muted").waitFor();
    await forceMicrophones(patient);
    await eventually(async () => (await counters(patient)).microphone > 0.05, "the client sends sound");
    await whileSending(patient, async () => assert.deepEqual(await heard(provider), []));
    await eventually(() => hearsOnly(patient, "provider"), "the patient still hears the provider");
    await button(patient, "Microphone: turn on").click();
    await eventually(async () => (await heard(provider)).includes("patient"), "the patient is heard again");
    await tile(":not(.muted)").waitFor();
  });
});

test("a camera that is turned off is not seen any more, comes back, and the engine publishes both", async () => {
  await calls.withAppointment(async ({ join, attendee, events }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    const id = await attendee("patient");
    const published = async () => namesOf(await events(), id).filter((name) => name.startsWith("Video"));
    await eventually(async () => (await seen(provider, id)) === "patient", "the provider sees the patient");
    await button(patient, "Camera: turn off").click();
    await provider.locator(`.tile:not(.seen)[data-attendee="${id}"]`).waitFor();
    await eventually(async () => (await seen(provider, id)) === null, "the picture is gone");
    await eventually(async () => (await published()).length === 2, "the engine publishes that the video has stopped");
    assert.deepEqual(await published(), ["VideoStarted", "VideoStopped"]);
    await eventually(async () => (await heard(provider)).includes("patient"), "the patient is still heard");
    await button(patient, "Camera: turn on").click();
    await provider.locator(`.tile.seen[data-attendee="${id}"]`).waitFor();
    await eventually(async () => (await seen(provider, id)) === "patient", "the patient is seen again");
    await eventually(async () => (await published()).length === 3, "the engine publishes that the video has started");
    assert.deepEqual(await published(), ["VideoStarted", "VideoStopped", "VideoStarted"]);
    assert.equal(await provider.locator(".tile").count(), 2, "one tile of each");
  });
});

test("a shared screen is seen and heard by the others, and the one who shares it hears no echo", async () => {
  await calls.withAppointment(async ({ join, invite, attendee, events }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    await invite();
    const guest = await join("stranger");
    const id = await attendee("provider");
    const content = `${id}#content`;
    await eventually(async () => (await heard(provider)).length === 2, "the provider hears both others");
    await provider.bringToFront();
    await button(provider, "Screen: share").click();
    await button(provider, "Screen: stop sharing").waitFor();
    for (const [name, page] of Object.entries({ patient, guest })) {
      await eventually(async () => (await seen(page, content)) === "screen", `${name} sees the screen`);
      await page.locator('.tiles[data-layout="shared"] .tile.content.seen').waitFor();
      await page.getByText("Screen of Provider").waitFor();
      assert.equal(await seen(page, id), "provider", `${name} sees the provider beside it`);
      await eventually(async () => (await heard(page)).includes("screen"), `${name} hears the screen`);
    }
    await whileSending(provider, async () => assert.ok(!(await heard(provider)).includes("screen"), "no echo"));
    await eventually(() => hearsOnly(provider, "patient", "guest"), "the provider hears both others all the time");
    const published = async () => namesOf(await events(), content);
    await eventually(async () => (await published()).length === 2, "the engine publishes the share");
    assert.deepEqual((await published()).sort(), ["ContentJoined", "ContentVideoStarted"]);

    await button(provider, "Screen: stop sharing").click();
    await button(provider, "Screen: share").waitFor();
    for (const [name, page] of Object.entries({ patient, guest })) {
      await page.locator(".tile.content").waitFor({ state: "detached" });
      await page.locator('.tiles:not([data-layout="shared"])').waitFor();
      await eventually(
        async () => !(await heard(page)).includes("screen"),
        `${name} does not hear the screen any more`,
      );
      await eventually(async () => (await heard(page)).includes("provider"), `${name} still hears the provider`);
    }
    await eventually(async () => (await published()).length === 4, "the engine publishes the end of the share");
    assert.deepEqual((await published()).slice(2).sort(), ["ContentLeft", "ContentVideoStopped"]);
  });
});
