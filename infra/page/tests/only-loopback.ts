// Runs the tests of a call of two in a network namespace that has nothing but loopback: a machine without any network.

import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { binaries } from "./fixtures/cloud.ts";

const file = fileURLToPath(new URL("media.test.ts", import.meta.url));
// A plain user may make a namespace of the network in one of users, where the system permits it.
const own = process.getuid?.() === 0 ? ["--net"] : ["--net", "--map-root-user"];
const withLoopback = ["sh", "-c", 'ip link set lo up && exec "$0" "$@"'];

/** Its exit code. The clouds of other tests must not run: their PostgreSQL is on the other side. */
export async function runOnlyWithLoopback(): Promise<number> {
  const permitted = spawnSync("unshare", [...own, ...withLoopback, "true"]);
  if (permitted.status !== 0) {
    console.log(
      `# skipped: this system permits no network namespace, so no call without a network was tried: ${permitted.stderr}`,
    );
    return 0;
  }
  // A server that earlier tests have left would be on the other side.
  const stopped = spawnSync(join(binaries, "local"), ["postgres", "stop"], { encoding: "utf8" });
  if (/keeps running/.test(stopped.stderr)) {
    console.log("# skipped: PostgreSQL is in use, so no call without a network was tried");
    return 0;
  }
  const tests = spawn("unshare", [...own, ...withLoopback, process.execPath, ...process.execArgv, "--test", file], {
    stdio: "inherit",
  });
  return new Promise((resolve) => {
    tests.on("exit", (code) => resolve(code ?? 1));
  });
}
