// Builds the call page: `make page`. The same input gives the same bytes: they contain no time and no path.

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { slim } from "./sdk/slim.js";

const root = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const sdkRoot = join(root, "node_modules/amazon-chime-sdk-js");
const TARGET = ["chrome90", "firefox90", "safari15"];

/** The scripts that are loaded when they are wanted, see `src/scripts.ts`, with the texts that they alone need. */
const SCRIPTS = {
  controls: (key) => /^(recording|transcription)\./.test(key) && key !== "recording.title",
  recordings: (key) => key.startsWith("player."),
  transcripts: (key) => key.startsWith("transcript."),
};

/** Builds the page into a folder and returns the manifest. */
export async function buildPage(out) {
  const sdkVersion = JSON.parse(await readFile(join(sdkRoot, "package.json"), "utf8")).version;
  const texts = JSON.parse(await readFile(join(root, "src/texts.json"), "utf8"));

  const sdk = hashed(
    `chime-sdk-${sdkVersion}`,
    "js",
    await bundle("sdk/entry.cjs", {
      globalName: "ChimeSDK",
      define: { global: "globalThis" },
      plugins: [slim({ root })],
    }),
  );
  const worker = hashed(`chime-worker-${sdkVersion}`, "js", await minified(workerSource()));
  const isLater = (key) => Object.values(SCRIPTS).some((isOwn) => isOwn(key));
  const page = hashed(
    "page",
    "js",
    await bundle("src/main.ts", { format: "esm", plugins: [keysOnce(texts, (key) => !isLater(key))] }),
  );
  const scripts = {};
  for (const [name, isOwn] of Object.entries(SCRIPTS)) {
    const options = { globalName: `Medzen.${name}`, plugins: [keysOnce(texts, isOwn)] };
    scripts[name] = hashed(name, "js", await bundle(`src/${name}/main.ts`, options));
  }
  const style = hashed("page", "css", await bundle("src/page.css"));
  const icon = hashed("icon", "svg", await readFile(join(root, "src/icon.svg")));
  const notices = hashed("notices", "txt", await noticesOf());

  const names = {
    sdk: sdk.path,
    sdkIntegrity: sdk.integrity,
    worker: worker.path,
    page: page.path,
    pageIntegrity: page.integrity,
    ...Object.fromEntries(
      Object.entries(scripts).flatMap(([name, { path, integrity }]) => [
        [name, path],
        [`${name}Integrity`, integrity],
      ]),
    ),
    style: style.path,
    styleIntegrity: style.integrity,
    icon: icon.path,
    notices: notices.path,
  };
  const html = file(
    "index.html",
    "html",
    fillPlaceholders(await readFile(join(root, "src/index.html"), "utf8"), {
      ...names,
      ...texts.en,
      ...suffixed(texts.fr),
    }),
  );

  const files = [html, sdk, worker, page, ...Object.values(scripts), style, icon, notices];
  const budget = JSON.parse(await readFile(join(root, "budget.json"), "utf8"));
  checkBudget(budget, { sdk, worker, page: [page, style], html, ...scripts });

  await rm(out, { recursive: true, force: true });
  for (const { path, contents, gzip, brotli } of files) {
    await mkdir(dirname(join(out, path)), { recursive: true });
    await Promise.all([
      writeFile(join(out, path), contents),
      writeFile(join(out, `${path}.gz`), gzip),
      writeFile(join(out, `${path}.br`), brotli),
    ]);
  }
  const manifest = { version: sdkVersion, files: files.map(manifestEntry) };
  await writeFile(join(out, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
}

async function bundle(entry, options) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    platform: "browser",
    target: TARGET,
    legalComments: "none",
    charset: "utf8",
    logLevel: "error",
    ...options,
  });
  return Buffer.from(result.outputFiles[0].contents);
}

/** The texts that a script needs, with each key once and not once per language, which saves 650 bytes of gzip. */
function keysOnce(texts, isNeeded) {
  const needed = Object.keys(texts.en).filter(isNeeded);
  const keys = JSON.stringify(needed.join(" "));
  const values = Object.entries(texts).map(
    ([language, own]) => `${language}:of(${JSON.stringify(needed.map((key) => own[key]))})`,
  );
  return {
    name: "keys-once",
    setup(build) {
      build.onLoad({ filter: /\/texts\.json$/ }, () => ({
        contents: `const keys = ${keys}.split(" ");
          const of = (texts) => Object.fromEntries(keys.map((key, index) => [key, texts[index]]));
          export default {${values.join()}};`,
      }));
    },
  };
}

async function minified(source) {
  const result = await build({
    stdin: { contents: source },
    minify: true,
    write: false,
    target: TARGET,
    legalComments: "none",
    charset: "utf8",
    logLevel: "error",
  });
  return Buffer.from(result.outputFiles[0].contents);
}

function workerSource() {
  return require(join(sdkRoot, "build/encodedtransformworkercode/EncodedTransformWorkerCode.js")).default;
}

/** The licenses of the bundled packages, which require that they are passed on. */
async function noticesOf() {
  const packages = [
    "amazon-chime-sdk-js",
    "@protobufjs/base64",
    "@protobufjs/float",
    "@protobufjs/utf8",
    "detect-browser",
    "long",
    "pako",
    "protobufjs",
    "resize-observer",
    "ua-parser-js",
  ];
  const parts = await Promise.all(
    packages.map(async (name) => {
      const folder = join(root, "node_modules", name);
      const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
      const text = await firstOf(
        ["LICENSE", "LICENSE.md", "license.md", "License"].map((license) => join(folder, license)),
      );
      return `${name} ${version} (${license})\n\n${text.trim()}\n`;
    }),
  );
  return Buffer.from(parts.join("\n----\n\n"));
}

async function firstOf(paths) {
  for (const path of paths) {
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  return "";
}

function hashed(name, extension, contents) {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 16);
  return file(`assets/${name}-${hash}.${extension}`, extension, contents);
}

const TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
};

function file(path, extension, contents) {
  const bytes = Buffer.from(contents);
  return {
    path,
    contents: bytes,
    // Node's gzip has no time in its header. Less memory than usual makes shorter blocks, each with codes of its own for its bytes.
    gzip: gzipSync(bytes, { level: 9, memLevel: 6 }),
    brotli: brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_LGWIN]: 22,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
    integrity: `sha384-${createHash("sha384").update(bytes).digest("base64")}`,
    contentType: TYPES[extension],
  };
}

function manifestEntry({ path, contents, gzip, brotli, integrity, contentType }) {
  const cacheControl = path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  return {
    path,
    bytes: contents.length,
    gzip: gzip.length,
    brotli: brotli.length,
    integrity,
    contentType,
    cacheControl,
    encodings: { br: `${path}.br`, gzip: `${path}.gz` },
  };
}

function suffixed(texts) {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [`${key}.fr`, text]));
}

function fillPlaceholders(html, values) {
  return html.replace(/\{\{([\w.]+)\}\}/g, (_, name) => {
    const value = values[name];
    if (typeof value !== "string") throw new Error(`index.html has the placeholder ${name}, which has no value`);
    return value.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
  });
}

/** Fails on the first size that exceeds the budget. */
function checkBudget(budget, files) {
  for (const [name, limits] of Object.entries(budget.bytes)) {
    for (const encoding of ["gzip", "brotli"]) {
      const size = [files[name]].flat().reduce((sum, one) => sum + one[encoding].length, 0);
      if (size > limits[encoding])
        throw new Error(`${name} is ${size} bytes of ${encoding}; budget.json allows ${limits[encoding]}`);
    }
  }
}

if (resolve(process.argv[1] ?? "") === fileURLToPath(import.meta.url)) {
  const out = resolve(process.argv[2] ?? join(root, "../../target/page"));
  const { files } = await buildPage(out);
  const width = Math.max(...files.map(({ path }) => path.length));
  console.log(`${"".padEnd(width)} ${"bytes".padStart(9)} ${"gzip".padStart(8)} ${"brotli".padStart(8)}`);
  for (const { path, bytes, gzip, brotli } of files)
    console.log(
      `${path.padEnd(width)} ${String(bytes).padStart(9)} ${String(gzip).padStart(8)} ${String(brotli).padStart(8)}`,
    );
}
