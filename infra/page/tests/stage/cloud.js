// The local cloud of this repository, with a database of its own: the real functions behind a real API.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../../..");

/** The one that `run.js` has started, if it has: two of one workspace would take each other's database. */
export async function cloud() {
  const { PAGE_CLOUD } = process.env;
  return PAGE_CLOUD ? { ...reached(JSON.parse(PAGE_CLOUD)), close: async () => undefined } : begin();
}

/** Starts one. */
export async function begin() {
  const [api, aws, invoke, postgres] = await Promise.all([port(), port(), port(), port()]);
  const child = spawn(join(root, "target/debug/local"), ["run"], {
    cwd: root,
    env: { ...process.env, LOCAL_API_PORT: api, LOCAL_AWS_PORT: aws, LOCAL_INVOKE_PORT: invoke, LOCAL_PG_PORT: postgres },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let told = "";
  const ready = new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      told += chunk;
      if (told.includes("Ready after")) resolve();
    });
    child.stderr.on("data", (chunk) => {
      told += chunk;
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the local cloud ended with ${code}:\n${told.slice(-2000)}`)));
  });
  await ready;
  child.removeAllListeners("exit");
  const addresses = { api: `http://127.0.0.1:${api}`, door: `http://127.0.0.1:${aws}/_local` };
  return {
    ...reached(addresses),
    addresses,
    async close() {
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGINT");
      await ended;
    },
  };
}

function reached({ api, door }) {
  return {
    api,
    /** A new appointment with new people, each with a token. */
    appointment: () => ask(`${door}/appointments`, "POST", {}),
    token: async (claims, expiresIn) => (await ask(`${door}/tokens`, "POST", { claims, expiresIn })).token,
  };
}

async function ask(address, method, body) {
  const answer = await fetch(address, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
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
