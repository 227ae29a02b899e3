// Runs the tests, two files at a time, over one pair of local clouds. Arguments go to node's test runner.

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { begin } from "./stage/cloud.js";

const folder = new URL(".", import.meta.url).pathname;
const named = process.argv.slice(2);
const files = named.some((argument) => argument.endsWith(".test.js"))
  ? []
  : readdirSync(folder)
      .filter((name) => name.endsWith(".test.js"))
      .map((name) => folder + name);
const clouds = await begin();
try {
  // What hangs ends some day, with its name.
  const tests = spawn(
    process.execPath,
    ["--test", "--test-concurrency=2", `--test-timeout=${20 * 60_000}`, ...named, ...files],
    { stdio: "inherit", env: { ...process.env, PAGE_CLOUDS: JSON.stringify(clouds.addresses) } },
  );
  // Whoever is told to stop stops what it has started.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => tests.kill(signal));
  process.exitCode = await new Promise((resolve) => tests.on("exit", (code) => resolve(code ?? 1)));
} finally {
  await clouds.close();
}
