// The frames that the local media plane is tested with are those of the SDK's own encoder, in the version that the page uses.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const protocol = createRequire(import.meta.url)("amazon-chime-sdk-js/build/signalingprotocol/SignalingProtocol.js");
const file = new URL("../../../crates/local-media/src/frame/sdk-frames.json", import.meta.url);
const { frames, transcript } = JSON.parse(readFileSync(file, "utf8")) as {
  frames: { name: string; frame: object; hex: string }[];
  transcript: { frame: object; hex: string };
};

// biome-ignore lint/suspicious/noExplicitAny: the package has no types that name its messages' classes.
const encode = (type: any, frame: object): string =>
  Buffer.from(type.encode(type.fromObject(frame)).finish()).toString("hex");

for (const { name, frame, hex } of frames)
  test(`the SDK encodes ${name} as the media plane does`, () => {
    assert.equal(encode(protocol.SdkSignalFrame, frame), hex);
  });

test("the SDK encodes captions as the media plane does", () => {
  assert.equal(encode(protocol.SdkTranscriptFrame, transcript.frame), transcript.hex);
});
