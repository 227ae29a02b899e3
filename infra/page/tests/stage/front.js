// Plays the CDN and the API behind it: the built files with the headers that the page has to live under, and the calls of the
// API passed on to the local cloud, but for those that a test answers itself.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const pageRoot = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const built = join(pageRoot, "../../target/page");

/** The policy of `csp.txt`, for these embedding origins. */
export function policyFor(origins) {
  return readFileSync(join(pageRoot, "csp.txt"), "utf8").trim().split("\n").join("; ").replace("{EmbeddingOrigins}", origins.join(" ") || "'none'");
}

/**
 * `api` is where calls go, as an address, or nothing. `answer(request, real)` may answer one instead: `{status, body, headers}`,
 * or "drop" for a line that breaks; `real()` is what the API answers.
 * `alter(path, contents)` may change a file on its way; with
 * `undefined` it never comes. `origins` may embed the page.
 */
export async function front({ api, answer = () => undefined, alter = (_, contents) => contents, origins = [], config = {} } = {}) {
  const manifest = JSON.parse(await readFile(join(built, "manifest.json"), "utf8"));
  const files = new Map(manifest.files.map((file) => [`/${file.path}`, file]));
  const served = [];
  const asked = [];
  const settings = { api, answer, alter, origins, config };

  const server = createServer(async (incoming, outgoing) => {
    const url = new URL(incoming.url, "http://front");
    try {
      if (/^\/(appointments|meetings|health)(\/|$)/.test(url.pathname)) await call(incoming, outgoing, url);
      else await file(incoming, outgoing, url);
    } catch (error) {
      outgoing.destroy(error);
    }
  });

  async function file(incoming, outgoing, url) {
    const headers = {
      "content-security-policy": policyFor(settings.origins),
      "permissions-policy": "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), autoplay=(self), geolocation=(), payment=(), usb=()",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    };
    if (url.pathname === "/config.json") {
      const body = JSON.stringify({ embeddingOrigins: settings.origins, deepLinkBase: "medzen://call", tokenHeader: "Authorization", ...settings.config });
      outgoing.writeHead(200, { ...headers, "content-type": "application/json", "cache-control": "no-cache" }).end(body);
      return;
    }
    const path = url.pathname.startsWith("/call") ? "/index.html" : url.pathname;
    const found = files.get(path);
    if (!found) {
      outgoing.writeHead(404, headers).end();
      return;
    }
    const encoding = ["br", "gzip"].find((one) => (incoming.headers["accept-encoding"] ?? "").includes(one));
    const plain = await readFile(join(built, found.path));
    const altered = await settings.alter(found.path, plain);
    if (altered === undefined) {
      // Never answered: a line on which nothing comes.
      outgoing.on("close", () => undefined);
      served.push({ path, bytes: 0 });
      return;
    }
    const contents = altered !== plain ? altered : encoding ? await readFile(join(built, found.encodings[encoding])) : plain;
    served.push({ path, bytes: contents.length });
    outgoing.writeHead(200, {
      ...headers,
      "content-type": found.contentType,
      // What was changed on its way only is not kept.
      "cache-control": altered === plain ? found.cacheControl : "no-store",
      ...(altered === plain && encoding ? { "content-encoding": encoding, vary: "accept-encoding" } : {}),
    });
    outgoing.end(contents);
  }

  async function call(incoming, outgoing, url) {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const told = { method: incoming.method, path: url.pathname, headers: incoming.headers, body: text ? JSON.parse(text) : undefined };
    asked.push(told);
    const real = async () => {
      if (!settings.api) return { status: 503, body: { message: "Service Unavailable" }, headers: {} };
      const { host, connection, "content-length": length, ...headers } = incoming.headers;
      const back = await fetch(settings.api + url.pathname, { method: incoming.method, headers, ...(text ? { body: text } : {}) });
      const retryAfter = back.headers.get("retry-after");
      return { status: back.status, body: await back.json(), headers: retryAfter ? { "retry-after": retryAfter } : {} };
    };
    const own = (await settings.answer(told, real)) ?? (await real());
    if (own === "drop") outgoing.destroy();
    else outgoing.writeHead(own.status ?? 200, { "content-type": "application/json", ...own.headers }).end(JSON.stringify(own.body ?? {}));
  }

  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    /** Files that were sent, in order; bytes as they went over the line. */
    served,
    /** Calls of the API, in order. */
    asked,
    /** May be changed while it runs. */
    settings,
    manifest,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

/** An app at an origin of its own that shows the page in a frame and keeps what it is told. */
export async function host(page) {
  const server = createServer((_, outgoing) => {
    outgoing.writeHead(200, { "content-type": "text/html" });
    outgoing.end(`<!doctype html><title>app</title><body style="margin:0"><iframe title="call" id="call" src="${page()}" allow="camera; microphone; display-capture; autoplay; screen-wake-lock" style="border:0;width:100vw;height:100vh"></iframe>
      <script>window.told = []; addEventListener("message", (event) => told.push({ origin: event.origin, ...event.data }));</script>`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
