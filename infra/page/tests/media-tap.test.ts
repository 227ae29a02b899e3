// The tap of the media plane: what a recorder gets is what the participants may send, decoded here by the browser's own decoders.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { eventually } from "./fixtures/browser.ts";
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

/** The mean colour of the last picture of a chunk, and how many decibels each tone has in its sound. */
function decoded(page: Page, chunk: Chunk, tones: readonly number[]) {
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

test("chunks of five seconds hold each one's pictures and everybody's sound, and nothing that one may not send", async () => {
  await calls.withAppointment(async ({ join, attendee, control, cloud }) => {
    const provider = await join("provider");
    const patient = await join("patient");
    await eventually(() => hearsOnly(provider, "patient"), "the provider hears the patient");
    await eventually(() => hearsOnly(patient, "provider"), "the patient hears the provider");
    const ids = { provider: await attendee("provider"), patient: await attendee("patient") };
    const { meetings } = (await cloud.control("chime/meetings", undefined, "GET")) as {
      meetings: { meetingId: string; attendees: { attendeeId: string }[] }[];
    };
    const meeting = meetings.find(({ attendees }) => attendees.some(({ attendeeId }) => attendeeId === ids.provider));
    const tap = `chime/meetings/${meeting?.meetingId}/tap`;
    await control(tap);
    const chunks: Chunk[] = [];
    const of = (name: "provider" | "patient") => chunks.filter(({ attendeeId }) => attendeeId === ids[name]);
    await eventually(async () => {
      chunks.push(...((await control(tap, undefined, "GET")) as { chunks: Chunk[] }).chunks);
      return of("provider").length > 0 && of("patient").length > 0;
    }, "a chunk of each is complete");
    chunks.push(...((await control(tap, undefined, "DELETE")) as { chunks: Chunk[] }).chunks);

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
      const names = Object.keys(SIGNATURES) as SignatureName[];
      const result = await decoded(
        provider,
        first,
        names.map((name) => SIGNATURES[name].tone),
      );
      assert.deepEqual(result.failures, []);
      assert.equal(result.pictures, first.video.length, "each picture can be decoded");
      assert.equal(nameOfColor(result.color), name);
      assert.deepEqual(
        names.filter((_, i) => (result.decibels[i] ?? 0) > -40),
        ["provider", "patient"],
        `${name}: ${result.decibels}`,
      );
    }
    assert.deepEqual(new Set(chunks.map(({ attendeeId }) => attendeeId)), new Set(Object.values(ids)));
  });
});
