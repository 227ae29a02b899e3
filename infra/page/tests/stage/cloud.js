// Local clouds of this repository, each with a database of its own: the real functions behind the real API, and the page as
// CloudFront would serve it. In one a patient goes straight in, in the other they wait to be let in.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../../..");
/** Where `local` and the functions are. */
const binaries = process.env.PAGE_BINARIES ?? join(root, "target/debug");

const KINDS = { open: "off", waiting: "on" };

/** Those that `run.js` has started, if it has, else new ones. */
export async function clouds() {
  const { PAGE_CLOUDS } = process.env;
  return PAGE_CLOUDS ? { ...reached(JSON.parse(PAGE_CLOUDS)), close: async () => undefined } : begin();
}

/** Starts them. */
export async function begin() {
  const app = await port();
  const started = await Promise.allSettled(
    Object.entries(KINDS).map(([kind, waitingRoom]) => start(kind, waitingRoom, app)),
  );
  // Together: each stops the PostgreSQL server that they share.
  const close = () => Promise.all(started.map(({ value }) => value?.stop())).then(() => undefined);
  const failed = started.find(({ status }) => status === "rejected");
  if (failed) {
    await close();
    throw failed.reason;
  }
  const addresses = {
    app,
    ...Object.fromEntries(Object.keys(KINDS).map((kind, index) => [kind, started[index].value.addresses])),
  };
  return { ...reached(addresses), addresses, close };
}

async function start(kind, waitingRoom, app) {
  const [api, aws, invoke, postgres, page] = await Promise.all([port(), port(), port(), port(), port()]);
  const parameters = { WaitingRoom: waitingRoom, EmbeddingOrigins: `http://127.0.0.1:${aws},http://127.0.0.1:${app}` };
  const child = spawn(join(binaries, "local"), ["run"], {
    cwd: root,
    env: {
      ...process.env,
      LOCAL_API_PORT: api,
      LOCAL_AWS_PORT: aws,
      LOCAL_INVOKE_PORT: invoke,
      LOCAL_PG_PORT: postgres,
      LOCAL_PAGE_PORT: page,
      LOCAL_DATABASE: `page_${kind}`,
      LOCAL_PARAMETERS: JSON.stringify(parameters),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const ended = new Promise((resolve) => child.once("close", resolve));
  await new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      said += chunk;
      // The last line of what it says when it is ready.
      if (/^ +cargo lambda invoke .*\n/m.test(said)) resolve();
    });
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the local cloud ended with ${code}:\n${said.slice(-2000)}`)));
  });
  // Under "Open the call page in the app around it, in two windows:".
  const apps = Object.fromEntries(
    [...said.matchAll(/^ +(http:\S+\/app\/(\w+))$/gm)].map(([, address, role]) => [role, address]),
  );
  return {
    addresses: {
      api: `http://127.0.0.1:${api}`,
      page: `http://127.0.0.1:${page}`,
      door: `http://127.0.0.1:${aws}/_local`,
      embedders: parameters.EmbeddingOrigins.split(","),
      apps,
    },
    async stop() {
      child.kill("SIGINT");
      await ended;
    },
  };
}

function reached({ app, ...kinds }) {
  const entries = Object.entries(kinds).map(([kind, { api, page, door, embedders, apps }]) => [
    kind,
    {
      api,
      page,
      door,
      /** What it printed: for each role the address of the app around the page. */
      apps,
      /** Origins that may show the page in a frame. */
      embedders,
      /** A new appointment with new people, each with a token. */
      appointment: () => ask(`${door}/appointments`, "POST", {}),
      token: async (claims, expiresIn) => (await ask(`${door}/tokens`, "POST", { claims, expiresIn })).token,
    },
  ]);
  /** `app` is the port of a test's own app that may show the page. */
  return { app, ...Object.fromEntries(entries) };
}

async function ask(address, method, body) {
  const answer = await fetch(address, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${address}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

function port() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
