// The line to the local cloud's CloudFront, which a test can disturb: files and calls are counted on their way, and may be
// held, altered or dropped. What is not disturbed comes as CloudFront sends it.

import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const pageRoot = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const built = join(pageRoot, "../../target/page");

/** The policy of `csp.txt`, for these embedding origins. */
export function policyFor(origins) {
  return readFileSync(join(pageRoot, "csp.txt"), "utf8")
    .trim()
    .split("\n")
    .join("; ")
    .replace("{EmbeddingOrigins}", origins.join(" ") || "'none'");
}

/** What an app around the page has to hand on by `allow`, as README.md tells it. */
export const allow = /^allow="([^"]+)"$/m.exec(readFileSync(join(pageRoot, "README.md"), "utf8"))[1];

/**
 * `answer(told, real)` may answer a call of the API instead: `{status, body, headers}`, "drop" for a line that breaks, "tear"
 * and "stall" for one that breaks or hangs amid the answer; `real()` is what the API answers. `alter` is `[pattern, change]`:
 * files of that path are what `change(contents)` makes of them, and with `undefined` they never come. `config` is laid over the
 * facts of the deployment. `embeddable` leaves out of the policy who may show the page in a frame, as if the browser did not
 * know that part of it.
 */
export async function front(cloud, { answer, alter, config, embeddable = false } = {}) {
  const manifest = JSON.parse(readFileSync(join(built, "manifest.json"), "utf8"));
  const served = [];
  const asked = [];
  const settings = { answer, alter, config };

  const server = createServer(async (incoming, outgoing) => {
    const { pathname } = new URL(incoming.url, "http://front");
    try {
      if (/^\/(appointments|meetings|health)(\/|$)/.test(pathname)) await call(incoming, outgoing, pathname);
      else await file(incoming, outgoing, pathname);
    } catch (error) {
      outgoing.destroy(error);
    }
  });

  async function file(incoming, outgoing, path) {
    const laidOver =
      path === "/config.json" && settings.config
        ? (contents) => JSON.stringify({ ...JSON.parse(contents), ...settings.config })
        : undefined;
    const change = laidOver ?? (settings.alter?.[0].test(path) ? settings.alter[1] : undefined);
    if (!change) {
      const back = await passed(cloud, incoming);
      served.push({ path, bytes: back.body.length });
      const policy = back.headers["content-security-policy"];
      if (embeddable && policy)
        back.headers["content-security-policy"] = policy.replace(/frame-ancestors [^;]*;? ?/, "");
      outgoing.writeHead(back.status, back.headers).end(back.body);
      return;
    }
    // Whole and plain, so that it can be changed; what was changed is not kept.
    const {
      "accept-encoding": encodings,
      "if-none-match": tag,
      "if-modified-since": time,
      ...headers
    } = incoming.headers;
    const back = await passed(cloud, { method: incoming.method, url: incoming.url, headers });
    const contents = change(back.body);
    served.push({ path, bytes: contents?.length ?? 0 });
    if (contents === undefined) return;
    const kept = plain(back.headers, ["content-length", "etag", "last-modified"]);
    outgoing.writeHead(back.status, { ...kept, "cache-control": "no-store" }).end(contents);
  }

  async function call(incoming, outgoing, path) {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const told = {
      method: incoming.method,
      path,
      headers: incoming.headers,
      body: body.length > 0 ? JSON.parse(body) : undefined,
    };
    asked.push(told);
    const real = async () => {
      const back = await passed(cloud, incoming, body);
      return {
        status: back.status,
        body: JSON.parse(back.body),
        headers: plain(back.headers, ["content-length", "content-type"]),
      };
    };
    const own = await settings.answer?.(told, real);
    if (own === "drop") {
      outgoing.destroy();
    } else if (own === "tear" || own === "stall") {
      outgoing.writeHead(200, { "content-type": "application/json", "content-length": 1_000 });
      outgoing.write('{"sessionId"', () => own === "tear" && outgoing.destroy());
    } else if (own) {
      told.status = own.status ?? 200;
      outgoing
        .writeHead(told.status, { ...own.headers, "content-type": "application/json" })
        .end(JSON.stringify(own.body ?? {}));
    } else {
      const back = await passed(cloud, incoming, body);
      told.status = back.status;
      told.bytes = back.body.length;
      outgoing.writeHead(back.status, back.headers).end(back.body);
    }
  }

  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    /** Files that were sent, in order; bytes as they went over the line. */
    served,
    /** Calls of the API, in order, with the status and the bytes of the answer once there is one. */
    asked,
    /** May be changed while it runs. */
    settings,
    manifest,
    close: () => closed(server),
  };
}

/** What CloudFront answers, byte for byte. */
function passed(cloud, { method, url, headers }, body) {
  return new Promise((resolve, reject) => {
    const going = request(cloud.page + url, { method, headers: plain(headers, ["connection"]) }, async (coming) => {
      const chunks = [];
      try {
        for await (const chunk of coming) chunks.push(chunk);
        resolve({
          status: coming.statusCode,
          headers: plain(coming.headers, ["connection", "keep-alive", "transfer-encoding"]),
          body: Buffer.concat(chunks),
        });
      } catch (error) {
        reject(error);
      }
    });
    going.on("error", reject);
    going.end(body);
  });
}

function plain(headers, without) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !without.includes(name)));
}

function closed(server) {
  return new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

/** An app at an origin of its own that shows the page in a frame and keeps what it is told. */
export async function host(page, port = 0) {
  const server = createServer((_, outgoing) => {
    outgoing.writeHead(200, { "content-type": "text/html" });
    outgoing.end(`<!doctype html><title>app</title><body style="margin:0"><iframe title="call" id="call" src="${page()}" allow="${allow}" style="border:0;width:100vw;height:100vh"></iframe>
      <script>window.told = []; addEventListener("message", (event) => told.push({ origin: event.origin, ...event.data }));</script>`);
  });
  await new Promise((resolve, reject) => server.on("error", reject).listen(port, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => closed(server) };
}
