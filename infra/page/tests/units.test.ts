import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { parseMessage } from "../src/bridge.ts";
import { configOf } from "../src/config.ts";
import { nameOf } from "../src/controls/languages.ts";
import { lineOf, Quality } from "../src/quality.ts";
import { clock, lengthOf, parsePlayback, placeAt } from "../src/recordings/playback.ts";
import { MicrophoneLevel, SilenceDetector } from "../src/silence.ts";
import { type StopReason, stopReasonOf } from "../src/stop-reason.ts";
import { marked, parseTranscript } from "../src/transcripts/transcript.ts";

const { MeetingSessionStatusCode: codes } = createRequire(import.meta.url)(
  "amazon-chime-sdk-js/build/meetingsession/MeetingSessionStatusCode",
);

const inbound = (packetsReceived: number, packetsLost: number, jitter: number) => ({
  type: "inbound-rtp",
  id: "i",
  packetsReceived,
  packetsLost,
  jitter,
});
const pair = (bytes: number, currentRoundTripTime: number) => ({
  type: "candidate-pair",
  id: "p",
  state: "succeeded",
  nominated: true,
  bytesReceived: bytes,
  bytesSent: 0,
  currentRoundTripTime,
});

test("a sample covers the time since the one before", () => {
  const quality = new Quality();
  quality.read([inbound(100, 0, 0.01), pair(1_000, 0.1)], 0);
  assert.equal(quality.sample(), undefined, "one reading is no span of time");
  quality.read([inbound(190, 10, 0.03), pair(126_000, 0.3)], 10_000);
  assert.deepEqual(quality.sample(), {
    at: 10_000,
    packetLossPercent: 10,
    roundTripMs: 200,
    jitterMs: 20,
    bitrateKbps: 100,
  });
  quality.read([inbound(290, 10, 0.01), pair(126_000, 0.05)], 20_000);
  assert.deepEqual(quality.sample(), {
    at: 20_000,
    packetLossPercent: 0,
    roundTripMs: 50,
    jitterMs: 10,
    bitrateKbps: 0,
  });
});

test("a new connection, which counts from zero, gives no negative sample", () => {
  const quality = new Quality();
  quality.read([inbound(1_000, 50, 0), pair(1_000_000, 0.1)], 0);
  quality.read([inbound(90, 10, 0), pair(12_500, 0.1)], 10_000);
  const sample = quality.sample();
  assert.equal(sample?.packetLossPercent, 10);
  assert.equal(sample?.bitrateKbps, 10);
});

test("a sample without packets has no packet loss", () => {
  const quality = new Quality();
  quality.read([pair(0, 0.1)], 0);
  quality.read([pair(0, 0.1)], 10_000);
  assert.equal("packetLossPercent" in (quality.sample() ?? { packetLossPercent: 0 }), false);
});

test("the connection is rated poor at the values at which speech suffers", () => {
  assert.equal(lineOf({ at: 0, packetLossPercent: 1, roundTripMs: 80, jitterMs: 5 }), "good");
  assert.equal(lineOf({ at: 0, packetLossPercent: 5 }), "fair");
  assert.equal(lineOf({ at: 0, roundTripMs: 700 }), "poor");
  assert.equal(lineOf({ at: 0, packetLossPercent: 12 }), "poor");
});

test("a microphone is silent after 20 seconds without sound, and not while it is heard or off", () => {
  const silence = new SilenceDetector();
  const QUIET_ROOM = 0.001;
  for (let second = 0; second < 20; second += 1) assert.equal(silence.read(0, second * 1_000), false);
  assert.equal(silence.read(0.0001, 20_000), true);
  assert.equal(silence.read(QUIET_ROOM, 21_000), false, "it is heard");
  assert.equal(silence.read(0, 22_000), false);
  silence.reset();
  assert.equal(silence.read(0, 42_000), false, "the time while it was off does not count");
  assert.equal(silence.read(0, 62_000), true);
});

test("the level of the microphone is that of the time between two readings", () => {
  const level = new MicrophoneLevel();
  const source = (totalAudioEnergy: number, totalSamplesDuration: number) => [
    { type: "media-source", kind: "video" },
    { type: "media-source", kind: "audio", totalAudioEnergy, totalSamplesDuration },
  ];
  assert.equal(level.read(source(0.04, 1)), 0.2);
  assert.equal(level.read(source(0.04, 2)), 0);
  assert.equal(level.read(source(0.04, 2)), 0, "a device that has died gives no samples");
  assert.equal(level.read(source(0.01, 1)), undefined, "another track counts from zero");
  assert.equal(level.read(source(0.02, 2)), 0.1);
  assert.equal(level.read([{ type: "inbound-rtp" }]), undefined, "the browser does not report it");
});

const token = "aaaa.bbbb.cccc";

test("a message from outside is accepted only if it has what it needs", () => {
  assert.deepEqual(
    parseMessage({ type: "medzen.join", token, language: "fr", deviceDefaults: { camera: false, audioInput: "x" } }),
    { type: "medzen.join", token, language: "fr", deviceDefaults: { camera: false, audioInput: "x" } },
  );
  assert.deepEqual(parseMessage({ type: "medzen.token", token }), { type: "medzen.token", token });
  assert.deepEqual(parseMessage({ type: "medzen.leave" }), { type: "medzen.leave" });
  assert.deepEqual(parseMessage({ type: "medzen.setLanguage", language: "fr-CM" }), {
    type: "medzen.setLanguage",
    language: "fr-CM",
  });
  const refused = [
    undefined,
    null,
    "medzen.leave",
    7,
    {},
    { type: "medzen.unknown" },
    { type: "medzen.join" },
    { type: "medzen.join", token: 7 },
    { type: "medzen.join", token: "" },
    { type: "medzen.join", token: "two.parts" },
    { type: "medzen.join", token: `${token}\r\nX-Other: 1` },
    { type: "medzen.join", token: `a.b.${"c".repeat(10_240)}` },
    { type: "medzen.token", token: null },
    { type: "medzen.setLanguage" },
    { type: "medzen.setLanguage", language: "<b>" },
  ];
  for (const message of refused) assert.equal(parseMessage(message), undefined, JSON.stringify(message));
});

test("an optional field that cannot be used does not cost the call", () => {
  const joined = { type: "medzen.join", token, deviceDefaults: {} };
  for (const optional of [
    { language: null, deviceDefaults: null },
    { language: 7 },
    { language: "<b>" },
    { deviceDefaults: "all" },
    { deviceDefaults: { camera: "yes", audioInput: "x".repeat(513), microphone: null, unknown: 1 } },
  ]) {
    assert.deepEqual(parseMessage({ type: "medzen.join", token, ...optional }), joined, JSON.stringify(optional));
  }
  const kept = { type: "medzen.join", token, deviceDefaults: { camera: null, microphone: false } };
  assert.deepEqual(parseMessage(kept), { ...joined, deviceDefaults: { microphone: false } });
});

test("a language tag is read in the spelling of each platform", () => {
  for (const [language, tag] of [
    ["fr_FR", "fr-FR"],
    ["fr_CM.UTF-8", "fr-CM"],
    ["sr_Latn_RS@latin", "sr-Latn-RS"],
    ["FR", "fr"],
    [" en-US ", "en-US"],
  ]) {
    assert.deepEqual(parseMessage({ type: "medzen.setLanguage", language }), {
      type: "medzen.setLanguage",
      language: tag,
    });
  }
});

test("a token of 9 KB is accepted", () => {
  const long = `a.${"b".repeat(9 * 1024)}.c`;
  assert.deepEqual(parseMessage({ type: "medzen.token", token: long }), { type: "medzen.token", token: long });
});

test("unsafe values of config.json are replaced by safe defaults", () => {
  assert.deepEqual(configOf(undefined), {
    embeddingOrigins: [],
    deepLinkBase: null,
    tokenHeader: "Authorization",
    mediaTimeoutSeconds: 20,
  });
  const { embeddingOrigins, deepLinkBase, tokenHeader } = configOf({
    embeddingOrigins: ["https://app.example.com", "*", "https://app.example.com/path", 7],
    deepLinkBase: "javascript://x",
    tokenHeader: "Cookie",
  });
  assert.deepEqual(embeddingOrigins, ["https://app.example.com"]);
  assert.equal(deepLinkBase, null);
  assert.equal(tokenHeader, "Authorization");
  assert.equal(configOf({ deepLinkBase: "medzen://call" }).deepLinkBase, "medzen://call");
});

test("every status with which the SDK stops has its own meaning, and an unknown one means a lost connection", () => {
  const names = Object.keys(codes).filter((name) => Number.isNaN(Number(name)));
  const that = (stop: StopReason) => names.filter((name) => stopReasonOf(codes[name], codes) === stop);
  assert.deepEqual(that("elsewhere"), ["AudioJoinedFromAnotherDevice"]);
  assert.deepEqual(that("full"), ["AudioCallAtCapacity", "VideoCallAtSourceCapacity"]);
  // The page asks the server, and for another place: MeetingEnded does not end the call.
  for (const name of [
    "MeetingEnded",
    "AudioAttendeeRemoved",
    "AudioAuthenticationRejected",
    "SignalingBadRequest",
    "TURNCredentialsForbidden",
  ])
    assert.ok(that("refused").includes(name), name);
  for (const name of [
    "SignalingChannelClosedUnexpectedly",
    "ICEGatheringTimeoutWorkaround",
    "ConnectionHealthReconnect",
    "TaskFailed",
    "AudioDisconnected",
  ])
    assert.ok(that("line").includes(name), name);
  assert.equal(stopReasonOf(99, codes), "line");
});

test("a position on the timeline of a recording is a segment and a time in it, and never after what may be played", () => {
  const segments = [{ durationSeconds: 10 }, { durationSeconds: 0.5 }, { durationSeconds: 20 }];
  assert.equal(lengthOf(segments), 30.5);
  for (const [seconds, index, within] of [
    [-1, 0, 0],
    [0, 0, 0],
    [9.5, 0, 9.5],
    [10, 1, 0],
    [10.5, 2, 0],
    [30.5, 2, 20],
    [99, 2, 20],
  ] as const)
    assert.deepEqual(placeAt(segments, seconds), { index, within }, `at ${seconds}`);
});

test("a length of time is written with minutes and seconds, and with hours where there are any", () => {
  assert.deepEqual([0, 7.4, 59.6, 61, 3_599, 3_600, 36_061].map(clock), [
    "0:00",
    "0:07",
    "1:00",
    "1:01",
    "59:59",
    "1:00:00",
    "10:01:01",
  ]);
});

test("links to a recording are taken only with all that playing them in time needs", () => {
  const segment = {
    number: 1,
    url: "https://files.example.com/1.mp4",
    startedAt: "2026-11-29T10:00:00Z",
    durationSeconds: 2,
    gapSeconds: 0,
    gapReason: null,
  };
  const playback = { segments: [segment], expiresAt: "2026-11-29T10:15:00Z" };
  assert.deepEqual(parsePlayback({ ...playback, more: true }), playback);
  for (const name of ["number", "url", "startedAt", "durationSeconds", "gapSeconds"])
    assert.equal(parsePlayback({ ...playback, segments: [{ ...segment, [name]: undefined }] }), undefined, name);
  for (const faulty of [{ segments: [] }, { segments: undefined }, { expiresAt: 1 }])
    assert.equal(parsePlayback({ ...playback, ...faulty }), undefined);
  assert.equal(parsePlayback({ ...playback, segments: [{ ...segment, durationSeconds: 0 }] }), undefined);
});

test("a language is called by its own name where the browser has it, and else as the API calls it", () => {
  assert.equal(nameOf({ code: "fr-CA", name: "French (Canada)" }), "français canadien");
  assert.equal(nameOf({ code: "xx-notalanguage", name: "Another language" }), "Another language");
});

test("the words that were found are marked, whatever else is in a snippet", () => {
  assert.deepEqual(marked("a <mark>b</mark> <i>c</i>\n<mark>d"), [
    { text: "a ", found: false },
    { text: "b", found: true },
    { text: " <i>c</i>\n<mark>d", found: false },
  ]);
  assert.deepEqual(marked("1 &lt;mark&gt;<mark>2 &amp; &amp;lt;</mark>"), [
    { text: "1 <mark>", found: false },
    { text: "2 & &lt;", found: true },
  ]);
  assert.deepEqual(marked(""), []);
});

test("a transcript is taken only with all that showing it needs", () => {
  const segment = {
    ...{ number: 1, start: 0.5, speaker: { role: null, label: "speaker 1" }, text: "a", language: "en-US" },
    ...{ source: "live", revoked: false },
  };
  const transcript = { state: "ready", segments: [segment], gaps: [{ start: 1, end: 2, reason: "failed" }] };
  assert.ok(parseTranscript(transcript));
  for (const name of Object.keys(segment))
    assert.equal(parseTranscript({ ...transcript, segments: [{ ...segment, [name]: undefined }] }), undefined, name);
  for (const gaps of [undefined, [{}], [{ start: 1, end: "2", reason: "failed" }]])
    assert.equal(parseTranscript({ ...transcript, gaps }), undefined);
});
