import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import type * as Chime from "amazon-chime-sdk-js";
import { buildPage } from "../build.js";
import { built, type Manifest } from "./fixtures/cdn-proxy.ts";

const manifest: Manifest = JSON.parse(await readFile(join(built, "manifest.json"), "utf8"));
const budget = JSON.parse(await readFile(new URL("../budget.json", import.meta.url), "utf8"));
const sdk = manifest.files.find(({ path }) => path.includes("chime-sdk-"));
if (!sdk) throw new Error("the manifest has no SDK");

async function all(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return new Map(
    await Promise.all(
      names.sort().map(
        async (name): Promise<[string, string]> => [
          name.slice(folder.length),
          createHash("sha256")
            .update(await readFile(name))
            .digest("hex"),
        ],
      ),
    ),
  );
}

test("the build makes the same bytes from the same input, in another folder and at another time", async () => {
  const folder = await mkdtemp(join(tmpdir(), "page-"));
  try {
    await buildPage(join(folder, "again"));
    assert.deepEqual(await all(join(folder, "again")), await all(built));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the manifest describes each file correctly", async () => {
  for (const { path, bytes, gzip, brotli, integrity, contentType, cacheControl, encodings } of manifest.files) {
    const plain = await readFile(join(built, path));
    assert.equal(plain.length, bytes, path);
    assert.equal(integrity, `sha384-${createHash("sha384").update(plain).digest("base64")}`, path);
    const small = { gzip: await readFile(join(built, encodings.gzip)), br: await readFile(join(built, encodings.br)) };
    assert.equal(small.gzip.length, gzip, path);
    assert.equal(small.br.length, brotli, path);
    assert.deepEqual(gunzipSync(small.gzip), plain, path);
    assert.deepEqual(brotliDecompressSync(small.br), plain, path);
    assert.deepEqual(small.gzip.subarray(4, 8), Buffer.alloc(4), `${path} bears a time`);
    assert.ok(contentType, path);
    const hashed = path.startsWith("assets/");
    assert.equal(cacheControl, hashed ? "public, max-age=31536000, immutable" : "no-cache", path);
    if (hashed)
      assert.ok(
        path.includes(createHash("sha256").update(plain).digest("hex").slice(0, 16)),
        `${path} does not bear its hash`,
      );
  }
});

test("the SDK keeps to its budget, and its file name contains its version", () => {
  assert.equal(manifest.version, "3.32.0");
  assert.match(sdk.path, /^assets\/chime-sdk-3\.32\.0-[0-9a-f]{16}\.js$/);
  assert.ok(sdk.gzip <= budget.bytes.sdk.gzip, `${sdk.gzip} bytes of gzip`);
  assert.ok(sdk.brotli <= budget.bytes.sdk.brotli, `${sdk.brotli} bytes of brotli`);
  assert.ok(
    budget.bytes.sdk.gzip <= 260_000 && budget.bytes.sdk.brotli <= 200_000,
    "the budget is larger than was agreed",
  );
});

test("the bundle defines the global ChimeSDK, whose configuration accepts the API's answer unchanged", async () => {
  const window = {
    document: { addEventListener() {} },
    navigator: {
      userAgent:
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    },
  };
  const context = Object.assign(window, {
    window,
    self: window,
    console,
    setTimeout,
    clearTimeout,
    TextEncoder,
    TextDecoder,
    URL,
  });
  runInNewContext(`${await readFile(join(built, sdk.path), "utf8")}; globalThis.ChimeSDK = ChimeSDK`, context);
  const { ChimeSDK } = context as unknown as { ChimeSDK: Record<string, unknown> & typeof Chime };
  for (const name of [
    "MeetingSessionConfiguration",
    "DefaultMeetingSession",
    "DefaultDeviceController",
    "ConsoleLogger",
    "NoOpLogger",
    "VideoPriorityBasedPolicy",
  ])
    assert.equal(typeof ChimeSDK[name], "function", name);
  const configuration = new ChimeSDK.MeetingSessionConfiguration(
    { MeetingId: "m", MediaPlacement: { SignalingUrl: "wss://signal" } },
    { AttendeeId: "a", JoinToken: "t" },
  );
  assert.equal(configuration.meetingId, "m");
  assert.equal(configuration.credentials?.attendeeId, "a");
  assert.equal(configuration.urls?.signalingURL, "wss://signal");
});

test("the page has no inline script or style, and every file that it loads has an integrity hash", async () => {
  const html = await readFile(join(built, "index.html"), "utf8");
  assert.doesNotMatch(html, /<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/);
  for (const [tag] of html.matchAll(/<(?:script|link rel="stylesheet"|link id="sdk")[^>]*>/g))
    assert.match(tag, /integrity="sha384-/, tag);
});

test("the lock file names no registry host", async () => {
  const lock = await readFile(new URL("../package-lock.json", import.meta.url), "utf8");
  assert.doesNotMatch(lock, /"resolved"/);
  assert.doesNotMatch(lock, /"https?:\/\/(?!.*(funding|opencollective|github\.com\/sponsors))[^"]*registry/);
});
