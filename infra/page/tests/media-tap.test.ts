// The tap of the media plane: what a recorder gets is what the participants may send, decoded here by the browser's own decoders.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { button, eventually } from "./fixtures/browser.ts";
import type { Cloud } from "./fixtures/cloud.ts";
import { LiveCalls } from "./fixtures/live-call.ts";
import { hearsOnly, nameOfColor, SIGNATURES, type SignatureName } from "./fixtures/signature.ts";

let calls: LiveCalls;
before(async () => {
  calls = await LiveCalls.open();
});
after(() => calls.close());

interface Frame {
  timeUs: number;
  keyframe: boolean;
  data: string;
}

interface Chunk {
  attendeeId: string;
  content: boolean;
  index: number;
  startedUs: number;
  durationUs: number;
  codec: string;
  video: Frame[];
  sound: Frame[];
}

/** Five seconds of everybody's sound. */
interface MixChunk {
  index: number;
  startedUs: number;
  durationUs: number;
  sound: Frame[];
  speakers: { timeUs: number; attendeeId: string | null }[];
}

interface Tapped {
  chunks: Chunk[];
  mix: MixChunk[];
}

/** The mean colour of the last picture of a chunk, and how many decibels each tone has in its sound. */
function decoded(page: Page, chunk: { video: Frame[]; sound: Frame[] }, tones: readonly number[]) {
  return page.evaluate(
    async ({ video, sound, tones }) => {
      const bytes = (data: string) => Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      let color: [number, number, number] | undefined;
      let pictures = 0;
      const failures: string[] = [];
      const decoder = new VideoDecoder({
        error: (error) => failures.push(String(error)),
        output: (picture) => {
          pictures++;
          const canvas = new OffscreenCanvas(picture.displayWidth, picture.displayHeight);
          const drawing = canvas.getContext("2d");
          drawing?.drawImage(picture, 0, 0);
          picture.close();
          const [red = 0, green = 0, blue = 0] =
            drawing?.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data ?? [];
          color = [red, green, blue];
        },
      });
      decoder.configure({ codec: "avc1.42e01f" });
      for (const { timeUs, keyframe, data } of video)
        decoder.decode(
          new EncodedVideoChunk({ type: keyframe ? "key" : "delta", timestamp: timeUs, data: bytes(data) }),
        );
      await decoder.flush();
      const samples: number[] = [];
      const ear = new AudioDecoder({
        error: (error) => failures.push(String(error)),
        output: (part) => {
          const plane = new Float32Array(part.numberOfFrames);
          part.copyTo(plane, { planeIndex: 0, format: "f32-planar" });
          samples.push(...plane);
          part.close();
        },
      });
      ear.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1 });
      for (const { timeUs, data } of sound)
        ear.decode(new EncodedAudioChunk({ type: "key", timestamp: timeUs, data: bytes(data) }));
      await ear.flush();
      const decibels = tones.map((tone) => {
        let [cosine, sine] = [0, 0];
        for (const [i, sample] of samples.entries()) {
          cosine += sample * Math.cos((2 * Math.PI * tone * i) / 48_000);
          sine += sample * Math.sin((2 * Math.PI * tone * i) / 48_000);
        }
        return 20 * Math.log10((2 * Math.hypot(cosine, sine)) / samples.length);
      });
      return { color, pictures, decibels, failures };
    },
    { video: chunk.video, sound: chunk.sound, tones },
  );
}

const NAMES = Object.keys(SIGNATURES) as SignatureName[];
const TONES = NAMES.map((name) => SIGNATURES[name].tone);

/** Whose tones are in the sound. */
async function voicesIn(page: Page, chunk: { sound: Frame[] }): Promise<SignatureName[]> {
  const { decibels, failures } = await decoded(page, { video: [], sound: chunk.sound }, TONES);
  assert.deepEqual(failures, []);
  return NAMES.filter((_, i) => (decibels[i] ?? 0) > -40);
}

/** The path of the tap of the meeting in which this attendee is. */
async function tapOf(cloud: Cloud, attendeeId: string): Promise<string> {
  const { meetings } = (await cloud.control("chime/meetings", undefined, "GET")) as {
    meetings: { meetingId: string; attendees: { attendeeId: string }[] }[];
  };
  const meeting = meetings.find(({ attendees }) => attendees.some((attendee) => attendee.attendeeId === attendeeId));
  return `chime/meetings/${meeting?.meetingId}/tap`;
}

test("chunks of five seconds hold each one's pictures and everybody's sound, and nothing that one may not send", async () => {
  await calls.withAppointment(async ({ join, attendee, control, cloud }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    await eventually(() => hearsOnly(provider, "patient"), "the provider hears the patient");
    await eventually(() => hearsOnly(patient, "provider"), "the patient hears the provider");
    const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
    const tap = await tapOf(cloud, ids.provider);
    await control(tap);
    const chunks: Chunk[] = [];
    const of = (name: "provider" | "patient") => chunks.filter(({ attendeeId }) => attendeeId === ids[name]);
    await eventually(async () => {
      chunks.push(...((await control(tap, undefined, "GET")) as Tapped).chunks);
      return of("provider").length > 0 && of("patient").length > 0;
    }, "a chunk of each is complete");
    chunks.push(...((await control(tap, undefined, "DELETE")) as Tapped).chunks);

    for (const name of ["provider", "patient"] as const) {
      const [first] = of(name);
      assert.ok(first, name);
      assert.equal(first.codec, "H264");
      assert.ok(first.durationUs >= 5_000_000 && first.durationUs <= 10_000_000, `${first.durationUs} µs`);
      assert.ok(first.video[0]?.keyframe && first.video[0].timeUs === 0, "a chunk begins with a key frame");
      assert.ok(
        first.sound.every(({ timeUs }) => timeUs >= 0 && timeUs < first.durationUs),
        "its sound is within it",
      );
      const result = await decoded(provider, first, TONES);
      assert.deepEqual(result.failures, []);
      assert.equal(result.pictures, first.video.length, "each picture can be decoded");
      assert.equal(nameOfColor(result.color), name);
      assert.deepEqual(
        NAMES.filter((_, i) => (result.decibels[i] ?? 0) > -40),
        ["provider", "patient"],
        `${name}: ${result.decibels}`,
      );
    }
    assert.deepEqual(new Set(chunks.map(({ attendeeId }) => attendeeId)), new Set(Object.values(ids)));
  });
});

test("without any camera the mix is in chunks of five seconds, with who spoke and without one whom the provider has muted", async () => {
  await calls.withAppointment(async ({ join, attendee, control, cloud, ask, users }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    for (const page of [provider, patient]) await button(page, "Camera: turn off").click();
    await button(provider, "Microphone: turn off").click();
    const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
    await eventually(async () => {
      const { participants } = (await control("media", undefined, "GET")) as {
        participants: { attendeeId: string; sendsVideo: boolean; muted: boolean }[];
      };
      const of = (id: string) => participants.find(({ attendeeId }) => attendeeId === id);
      return of(ids.provider)?.muted && Object.values(ids).every((id) => of(id)?.sendsVideo === false);
    }, "no camera is on, and the provider is muted");
    await eventually(() => hearsOnly(provider, "patient"), "the provider hears the patient");
    const tap = await tapOf(cloud, ids.provider);
    await control(tap);
    const tapped: Tapped = { chunks: [], mix: [] };
    const take = async (method: string) => {
      const { chunks, mix } = (await control(tap, undefined, method)) as Tapped;
      tapped.chunks.push(...chunks);
      tapped.mix.push(...mix);
    };
    const complete = async (count: number) =>
      eventually(async () => {
        await take("GET");
        return tapped.mix.length >= count;
      }, `${count} chunks are complete`);
    await complete(1);
    const [first] = tapped.mix;
    assert.ok(first);
    assert.deepEqual(await voicesIn(provider, first), ["patient"]);
    assert.equal(first.speakers.at(-1)?.attendeeId, ids.patient);

    const muted = { audio: "Receive", video: "SendReceive", content: "SendReceive" };
    const { status } = await ask("provider", "PATCH", `/attendees/${users.patient.id}`, { capabilities: muted });
    assert.equal(status, 200);
    await eventually(() => hearsOnly(provider), "the patient is not heard");
    await button(provider, "Microphone: turn on").click();
    await eventually(() => hearsOnly(patient, "provider"), "the patient hears the provider");
    // After those that are complete: one that is open now, and one that begins after this.
    await take("GET");
    await complete(tapped.mix.length + 2);
    const last = tapped.mix.at(-1);
    assert.ok(last);
    assert.deepEqual(await voicesIn(provider, last), ["provider"]);
    assert.deepEqual(last.speakers, [{ timeUs: 0, attendeeId: ids.provider }]);
    await take("DELETE");

    assert.deepEqual(tapped.chunks, [], "there is no picture");
    const spoke = tapped.mix.flatMap(({ speakers }) => speakers.map(({ attendeeId }) => attendeeId));
    const turns = spoke.filter((id, i) => id !== null && id !== spoke[i - 1]);
    assert.deepEqual(turns, [ids.patient, ids.provider]);
    for (const [index, chunk] of tapped.mix.entries()) {
      assert.deepEqual([chunk.index, chunk.startedUs], [index, index * 5_000_000]);
      assert.ok(chunk.sound.every(({ timeUs }) => Number.isInteger(timeUs) && timeUs % 20_000 === 0));
    }
    const complete5s = tapped.mix.slice(0, -1);
    const frames = complete5s.reduce((sum, { sound }) => sum + sound.length, 0);
    assert.ok(frames >= 0.95 * 250 * complete5s.length, `${frames} frames in ${complete5s.length} chunks`);
    assert.ok(complete5s.every(({ durationUs, sound }) => durationUs === 5_000_000 && sound.length <= 250));
  });
});
