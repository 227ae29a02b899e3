// Runs the tests, two files at a time, over one pair of local clouds. Arguments go to node's test runner.

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startClouds } from "./fixtures/cloud.ts";
import { runOnlyWithLoopback } from "./only-loopback.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const given = process.argv.slice(2);
const all = !given.some((argument) => argument.endsWith(".test.ts"));
const files = all
  ? readdirSync(folder)
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => folder + name)
  : [];
const withoutNetwork = all ? await runOnlyWithLoopback() : 0;
const clouds = await startClouds();
try {
  const tests = spawn(
    process.execPath,
    [
      ...process.execArgv,
      "--test",
      "--test-concurrency=2",
      // A test that hangs ends after this time, with its name.
      `--test-timeout=${20 * 60_000}`,
      ...given,
      ...files,
    ],
    { stdio: "inherit", env: { ...process.env, PAGE_CLOUDS: JSON.stringify(clouds.addresses) } },
  );
  // A signal to stop ends the tests, and then what was started here.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => tests.kill(signal));
  process.exitCode = await new Promise<number>((resolve) => {
    tests.on("exit", (code) => resolve(code || withoutNetwork));
  });
} finally {
  await clouds.close();
}
