// What the media server must not forget: without it a call of the unmodified SDK shows no picture or interrupts them. Each time the
// signalling is changed on its way, so that the same check that passes with the server as it is fails.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { button, eventually } from "./fixtures/browser.ts";
import { DatagramRelay, isKeyframeRequest } from "./fixtures/datagram-relay.ts";
import { type LiveCall, LiveCalls } from "./fixtures/live-call.ts";
import { counters, whileSending } from "./fixtures/sending.ts";
import { type AnyFrame, filterSignals } from "./fixtures/signal-filter.ts";
import { seen } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

/** More for two pictures than the 2,800 kbit/s that the SDK takes for available where it estimates the bandwidth by itself. */
const ANNOUNCED_KBPS = 2_000;

/** A call of three, of whom the third receives two pictures that announce much bandwidth. */
async function withTwoPictures(
  { join, invite, attendee }: LiveCall,
  change: (frame: AnyFrame) => void,
): Promise<{ guest: Page; picturesSeen(): Promise<number> }> {
  await join("provider");
  await join("patient");
  await invite();
  const guest = await join("stranger", "guest", (page) =>
    filterSignals(page, {
      fromServer(frame) {
        for (const source of frame.index?.sources ?? []) {
          source.maxBitrateKbps = ANNOUNCED_KBPS;
          source.avgBitrateBps = ANNOUNCED_KBPS * 1_000;
        }
        change(frame);
        return frame;
      },
    }),
  );
  const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
  const picturesSeen = async () =>
    Number((await seen(guest, ids.provider)) === "provider") + Number((await seen(guest, ids.patient)) === "patient");
  return { guest, picturesSeen };
}

test("with the server's adaptation in JOIN_ACK the SDK receives all pictures", async () => {
  await calls.withAppointment(async (call) => {
    const { guest, picturesSeen } = await withTwoPictures(call, () => undefined);
    await eventually(async () => (await picturesSeen()) === 2, "both pictures are seen");
    assert.equal(await guest.locator(".tile.paused").count(), 0);
  });
});

test("without the server's adaptation in JOIN_ACK the SDK pauses a picture", async () => {
  await calls.withAppointment(async (call) => {
    let acks = 0;
    const { guest, picturesSeen } = await withTwoPictures(call, ({ joinack }) => {
      if (!joinack) return;
      acks += 1;
      assert.equal(joinack.defaultServerSideNetworkAdaption, 4);
      delete joinack.defaultServerSideNetworkAdaption;
    });
    assert.ok(acks > 0, "the server has sent a JOIN_ACK");
    await guest.locator(".tile.paused").waitFor();
    await eventually(async () => (await picturesSeen()) === 1, "one picture is seen");
    const { framesDecoded } = await counters(guest);
    await eventually(async () => (await counters(guest)).framesDecoded > framesDecoded + 30, "its pictures go on");
    assert.equal(await picturesSeen(), 1, "the other one stays paused");
  });
});

/** The sections of the SDP in which the page receives pictures, before and after it has turned its own camera off. */
async function sectionsAfterRenegotiation(
  { join, attendee }: LiveCall,
  change: (answer: AnyFrame) => void,
): Promise<{ before: string[]; after: string[] }> {
  let answers = 0;
  const provider = await join("provider", "provider", (page) =>
    filterSignals(page, {
      fromServer(frame) {
        if (frame.suback) {
          answers += 1;
          change(frame.suback);
        }
        return frame;
      },
    }),
  );
  await join("patient");
  const id = await attendee("patient");
  await eventually(async () => (await seen(provider, id)) === "patient", "the provider sees the patient");
  const sections = () =>
    provider.evaluate(() =>
      window.peerConnections
        .filter(({ connectionState }) => connectionState !== "closed")
        .flatMap((connection) => connection.getTransceivers())
        .filter(({ receiver, currentDirection }) => receiver.track.kind === "video" && currentDirection === "recvonly")
        .map(({ mid }) => mid ?? ""),
    );
  const before = await sections();
  const answered = answers;
  await provider.bringToFront();
  await button(provider, "Camera: turn off").click();
  await eventually(() => answers > answered, "the server answers another offer");
  const { framesDecoded } = await counters(provider);
  await eventually(async () => (await counters(provider)).framesDecoded > framesDecoded + 5, "pictures arrive again");
  return { before, after: await sections() };
}

test("with labels of the form v_<mid> the SDK keeps the pictures that it receives when it negotiates again", async () => {
  await calls.withAppointment(async (call) => {
    const { before, after } = await sectionsAfterRenegotiation(call, () => undefined);
    assert.equal(before.length, 1);
    assert.deepEqual(after, before);
  });
});

test("without labels of the form v_<mid> the SDK ends the pictures that it receives and starts them anew", async () => {
  await calls.withAppointment(async (call) => {
    let renamed = 0;
    const { before, after } = await sectionsAfterRenegotiation(call, (answer) => {
      for (const track of answer.tracks) {
        assert.match(track.trackLabel, /^v_\d+$/);
        track.trackLabel = track.trackLabel.replace("v_", "other_");
        renamed += 1;
      }
      answer.sdpAnswer = answer.sdpAnswer.replace(/(msid:)v_/g, "$1other_");
    });
    assert.ok(renamed > 0);
    assert.equal(before.length, 1);
    assert.notDeepEqual(after, before);
  });
});

for (const drop of [false, true]) {
  test(`a camera is ${drop ? "not " : ""}seen by one who joins later, ${drop ? "without" : "with"} requests for key frames`, async () => {
    const relay = await DatagramRelay.open((datagram) => drop && isKeyframeRequest(datagram));
    try {
      await calls.withAppointment(async ({ join, invite, attendee }) => {
        await join("provider");
        const patient = await join("patient", "patient", (page) =>
          filterSignals(page, {
            fromServer(frame) {
              if (frame.suback) relay.rewrite(frame.suback);
              return frame;
            },
          }),
        );
        await eventually(async () => (await counters(patient)).framesSent > 30, "the camera has run for a while");
        await invite();
        const guest = await join("stranger");
        const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
        await eventually(async () => (await seen(guest, ids.provider)) === "provider", "the guest sees the provider");
        if (!drop) {
          await eventually(async () => (await seen(guest, ids.patient)) === "patient", "the guest sees the patient");
          return;
        }
        await whileSending(patient, async () => assert.equal(await seen(guest, ids.patient), null), { frames: 30 });
        assert.ok(relay.dropped > 0, "the server has requested key frames");
      });
    } finally {
      relay.close();
    }
  });
}
