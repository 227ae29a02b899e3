// An app that has its own HTML as a string in its WebView, whose origin is `null`, and loads only the SDK from here.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { context } from "./fixtures/browser.ts";
import { CallFixture, requestApi } from "./fixtures/call-fixture.ts";
import { built, type Manifest } from "./fixtures/cdn-proxy.ts";

const manifest: Manifest = JSON.parse(readFileSync(`${built}/manifest.json`, "utf8"));

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const sdkFile = () => {
  const file = manifest.files.find(({ path }) => path.startsWith("assets/chime-sdk-"));
  assert.ok(file);
  return file;
};

/**
 * The HTML of an app. It is shown on `about:blank`, whose origin is `null` as in a WebView; Chromium lets no `data:`
 * address load from this machine.
 */
const htmlWith = (address: string, integrity: string) =>
  `<!doctype html><title>app</title>
   <script src="${address}" integrity="${integrity}" crossorigin="anonymous" onerror="window.refused = true"></script>`;

test("a page of origin null loads the SDK with its integrity, and makes a session of the API's answer", async () => {
  const cloud = calls.clouds.open;
  const { appointmentId, users } = await cloud.appointment();
  const { status, body } = await requestApi(cloud, appointmentId, users.provider.token, "POST", "", {});
  assert.equal(status, 201);
  const { path, integrity } = sdkFile();
  const made = await context(calls.chromium);
  try {
    const page = await made.context.newPage();
    await page.setContent(htmlWith(`${cloud.page}/${path}`, integrity));
    assert.equal(await page.evaluate(() => origin), "null");
    const session = await page.evaluate(({ meeting, attendee }) => {
      const sdk = window.ChimeSDK;
      if (!sdk) return undefined;
      const logger = new sdk.NoOpLogger(sdk.LogLevel.OFF);
      const configuration = new sdk.MeetingSessionConfiguration(meeting, attendee);
      const devices = new sdk.DefaultDeviceController(logger);
      const session = new sdk.DefaultMeetingSession(configuration, logger, devices);
      return {
        meetingId: configuration.meetingId,
        attendeeId: configuration.credentials?.attendeeId,
        externalUserId: configuration.credentials?.externalUserId,
        signalling: configuration.urls?.signalingURL,
        starts: typeof session.audioVideo.start,
      };
    }, body);
    assert.deepEqual(session, {
      meetingId: body.meeting.MeetingId,
      attendeeId: body.attendee.AttendeeId,
      externalUserId: body.attendee.ExternalUserId,
      signalling: body.meeting.MediaPlacement.SignalingUrl,
      starts: "function",
    });
    assert.deepEqual(made.errors, []);
  } finally {
    await made.context.close();
  }
});

test("a page of origin null refuses an SDK that is not the one whose integrity it knows", async () => {
  const { path } = sdkFile();
  const other = manifest.files.find((file) => file.path.startsWith("assets/chime-worker-"));
  assert.ok(other);
  const made = await context(calls.chromium);
  try {
    const page = await made.context.newPage();
    await page.setContent(htmlWith(`${calls.clouds.open.page}/${path}`, other.integrity));
    await page.waitForFunction(() => window.refused === true);
    assert.equal(await page.evaluate(() => typeof window.ChimeSDK), "undefined");
  } finally {
    await made.context.close();
  }
});

test("nothing but the SDK is served to an origin that is not listed", async () => {
  const headers = { origin: "null" };
  const get = async (path: string) => (await fetch(`${calls.clouds.open.page}/${path}`, { headers })).headers;
  const sdk = await get(sdkFile().path);
  assert.equal(sdk.get("access-control-allow-origin"), "*");
  assert.equal(sdk.get("cross-origin-resource-policy"), "cross-origin");
  assert.equal(sdk.get("cache-control"), "public, max-age=31536000, immutable");
  for (const { path } of manifest.files.filter((file) => !file.path.startsWith("assets/chime-sdk-"))) {
    const other = await get(path === "index.html" ? "call/00000000-0000-4000-8000-0000000000a1" : path);
    assert.equal(other.get("access-control-allow-origin"), null, path);
    assert.equal(other.get("cross-origin-resource-policy"), "same-origin", path);
  }
});
