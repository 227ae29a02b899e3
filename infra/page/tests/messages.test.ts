// The messages to the app: each one of the table in README.md, with exactly the data of the table.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { EarlierMessages } from "../src/earlier-app.ts";
import { appMessage, button, post, screen } from "./fixtures/browser.ts";
import { CallFixture } from "./fixtures/call-fixture.ts";
import { RECORDER, RecordingApi } from "./fixtures/recording-api.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
/** Event, names of its data, and the string that `FlutterChannel` receives. */
const TABLE = readme
  .split("\n")
  .filter((line) => /^\| `[A-Z_]+` \|/.test(line))
  .map((line) => {
    const [, event, data, flutter] = line
      .split("|")
      .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word));
    return { event: event?.[0] ?? "", data: data ?? [], flutter: flutter?.[0] };
  });

/** Event and string of the earlier app on `ChimeHandler`, and the event of the page that it follows. */
const EARLIER_TABLE = readme
  .split("\n")
  .filter((line) => /^\| `[a-z]+` \| `[A-Z]/.test(line))
  .map((line) => line.split("|").map((cell) => /`([^`]+)`/.exec(cell)?.[1] ?? ""))
  .map(([, event = "", data = ""]) => [event, data]);

let calls: CallFixture;
before(async () => {
  calls = await CallFixture.open();
});
after(() => calls.close());

const times = (page: Page, event: string, count: number) =>
  page.waitForFunction(
    ({ event, count }) => window.appMessages.chime.filter((message) => message.event === event).length >= count,
    { event, count },
  );

test("each message of the table is sent with its data, and the earlier app receives its own strings", async () => {
  await calls.withAppointment(
    async ({ appointmentId, inCall, person, enter, ask, media, users, cloud, proxy }) => {
      const provider = await inCall("provider");
      const { sessionId } = (await ask("provider", "GET", "")).body;
      const change = (body: object) => ask("provider", "PATCH", `/attendees/${users.patient.id}`, body);

      const page = await person("patient");
      await enter(page);
      await screen(page, "waiting");
      await change({ admitted: false });
      await screen(page, "turned-away");
      await change({ admitted: true });
      await enter(page);
      await appMessage(page, "MEETING_JOINED");
      await ask("patient", "PUT", "/consent", { recording: true });
      const api = new RecordingApi(appointmentId);
      proxy.settings.respond = api.respond;
      const recording = api.begin({ capturing: true });
      media.addParticipant(RECORDER);
      await appMessage(page, "RECORDING_STARTED");
      Object.assign(recording, { state: "paused", capturing: false });
      media.removeParticipant(RECORDER.attendeeId);
      await appMessage(page, "RECORDING_PAUSED");
      recording.state = "processing";
      media.requestRefresh();
      await appMessage(page, "RECORDING_STOPPED");
      await button(page, "Français").click();
      const { token } = users.patient;
      proxy.settings.respond = ({ headers }) =>
        headers.authorization === `Bearer ${token}` ? { status: 401, body: { message: "Unauthorized" } } : undefined;
      await appMessage(page, "TOKEN_REQUIRED");
      await post(page, { type: "medzen.token", token: await cloud.token({ sub: users.patient.firebaseUid }, 600) });
      await media.dropConnections();
      await appMessage(page, "MEETING_RECONNECTED");
      await button(page, "Quitter").click();
      await button(page, "Revenir").click();
      await enter(page);
      await times(page, "MEETING_JOINED", 2);
      await provider.bringToFront();
      await ask("provider", "DELETE", "");
      await page.bringToFront();
      await screen(page, "ended");
      await button(page, "Fermer").click();
      await appMessage(page, "CLOSE_REQUESTED");

      const expected: Record<string, Record<string, string>> = {
        PAGE_READY: {},
        SDK_READY: { version: proxy.manifest.version },
        TOKEN_REQUIRED: { reason: "expired" },
        MEETING_WAITING: { sessionId },
        MEETING_JOINED: { sessionId, role: "patient" },
        MEETING_RECONNECTING: { sessionId },
        MEETING_RECONNECTED: { sessionId },
        MEETING_LEFT: { sessionId },
        MEETING_ENDED_BY_PROVIDER: { sessionId },
        RECORDING_STARTED: { sessionId },
        RECORDING_PAUSED: { sessionId },
        RECORDING_STOPPED: { sessionId },
        MEETING_ERROR: { code: "TURNED_AWAY" },
        LANGUAGE_CHANGED: { language: "fr" },
        CLOSE_REQUESTED: {},
      };
      const { chime: all, flutter } = await page.evaluate(() => window.appMessages);
      // The earlier app receives lower case on the same channel.
      const chime = all.filter(({ event }) => event === event.toUpperCase());
      for (const { event, data } of chime) assert.deepEqual(data, expected[event], event);
      assert.deepEqual([...new Set(chime.map(({ event }) => event))].sort(), TABLE.map(({ event }) => event).sort());
      for (const { event, data } of TABLE)
        assert.deepEqual(Object.keys(expected[event] ?? {}).sort(), data.sort(), `${event} in README.md`);
      const strings = new Map(
        TABLE.map(({ event, flutter }) => [
          event,
          flutter?.replace(/<(\w+)>/, (_, name) => expected[event]?.[name] ?? ""),
        ]),
      );
      assert.deepEqual(flutter, chime.map(({ event }) => strings.get(event)).filter(Boolean));

      const earlier = all.filter(({ event }) => event !== event.toUpperCase());
      assert.deepEqual(
        earlier.map(({ event, data }) => [event, data]),
        [
          ["error", "INIT_FAILED: TURNED_AWAY"],
          ["ready", "MEETING_INITIALIZED"],
          ["ended", "USER_LEFT"],
          ["ready", "MEETING_INITIALIZED"],
          ["ended", "MEETING_STOPPED"],
        ],
      );
      for (const message of earlier) {
        assert.deepEqual(Object.keys(message), ["event", "data", "timestamp"]);
        assert.equal(typeof message.timestamp, "number");
      }
    },
    { waitingRoom: true },
  );
});

test("the earlier app receives ready, error and ended with the strings of its table", () => {
  const sent = (...messages: Parameters<EarlierMessages["of"]>[]) => {
    const earlier = new EarlierMessages();
    return messages.flatMap(([event, data]) => {
      const message = earlier.of(event, data);
      return message ? [[message.event, message.data]] : [];
    });
  };
  const sessionId = "s";
  const ready: Parameters<EarlierMessages["of"]> = ["MEETING_JOINED", { sessionId, role: "patient" }];
  const started = ["ready", "MEETING_INITIALIZED"];
  assert.deepEqual(sent(["MEETING_ERROR", { code: "SDK_LOAD_FAILED" }]), [["error", "SDK_LOAD_FAILED"]]);
  assert.deepEqual(sent(["MEETING_ERROR", { code: "SDK_LOAD_FAILED", cause: "timeout" }]), [["error", "SDK_TIMEOUT"]]);
  assert.deepEqual(sent(["MEETING_ERROR", { code: "OFFLINE" }]), [["error", "INIT_FAILED: OFFLINE"]]);
  assert.deepEqual(sent(ready, ["MEETING_LEFT", { sessionId }]), [started, ["ended", "USER_LEFT"]]);
  assert.deepEqual(sent(ready, ["MEETING_ENDED_BY_PROVIDER", { sessionId }]), [started, ["ended", "MEETING_STOPPED"]]);
  // The end of a meeting that has begun is no failure to begin.
  assert.deepEqual(
    sent(ready, ["MEETING_ERROR", { code: "JOINED_ELSEWHERE" }], ["MEETING_ERROR", { code: "OFFLINE" }]),
    [started, ["ended", "MEETING_STOPPED"], ["error", "INIT_FAILED: OFFLINE"]],
  );
  assert.deepEqual(
    sent(["PAGE_READY", {}], ["MEETING_WAITING", { sessionId }], ["MEETING_RECONNECTING", { sessionId }]),
    [],
  );
  assert.deepEqual(EARLIER_TABLE, [
    started,
    ["error", "SDK_LOAD_FAILED"],
    ["error", "SDK_TIMEOUT"],
    ["error", "INIT_FAILED: <reason>"],
    ["ended", "MEETING_STOPPED"],
    ["ended", "USER_LEFT"],
  ]);
});
