// The parts that are left out of the SDK's bundle, and their replacements. Each rule says how often it must apply: a new version of
// the SDK in which it does not apply fails the build, instead of making the bundle larger or breaking it silently.

import { readFile } from "node:fs/promises";

/** Modules that a call never needs, or that the page loads in another way, and their replacements. */
const REPLACED = [
  // The messaging client imports Node's own modules, which no browser has. Only the package's index imports it, and that is
  // not bundled; if a later version imports it elsewhere, the build fails here.
  {
    of: /^(?:@aws-sdk\/client-chime-sdk-messaging|.*\/messagingsession\/DefaultMessagingSession)$/,
    by: "module.exports = {};",
    times: 0,
  },
  // 71 KB of worker as a string; the worker is a file of its own, see `entry.cjs`.
  { of: /\/EncodedTransformWorkerCode$/, by: "module.exports = { default: '' };", times: 1 },
  // One task imports the whole index for two classes.
  {
    of: /^\.\.$/,
    by: `exports.MeetingSessionStatus = require("amazon-chime-sdk-js/build/meetingsession/MeetingSessionStatus").default;
         exports.MeetingSessionStatusCode = require("amazon-chime-sdk-js/build/meetingsession/MeetingSessionStatusCode").MeetingSessionStatusCode;`,
    times: 1,
  },
];

/** Functions that the protocol's generated code has for each message and the SDK never calls. */
const UNUSED = [
  "verify",
  "fromObject",
  "toObject",
  "getTypeUrl",
  "encodeDelimited",
  "decodeDelimited",
  "prototype.toJSON",
];
const MESSAGES = 53;

/** The esbuild plugin. */
export function slim({ root }) {
  return {
    name: "slim",
    setup(build) {
      const seen = REPLACED.map(() => 0);
      build.onResolve({ filter: /./ }, ({ path }) => {
        const rule = REPLACED.findIndex(({ of }) => of.test(path));
        if (rule < 0) return undefined;
        seen[rule] += 1;
        return { path: String(rule), namespace: "replaced" };
      });
      build.onLoad({ filter: /./, namespace: "replaced" }, ({ path }) => ({
        contents: REPLACED[Number(path)].by,
        resolveDir: root,
      }));
      // It tries WebAssembly for its arithmetic, which the page's policy blocks and reports; it works without.
      build.onLoad({ filter: /\/long\/umd\/index\.js$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        const without = source.replace(
          /^ {4}try \{\n {6}wasm = new WebAssembly\.Instance\([\s\S]*?^ {4}\} catch \{[\s\S]*?^ {4}\}\n/m,
          "",
        );
        if (without === source || /WebAssembly\./.test(without))
          throw new Error("the package long has changed: its WebAssembly is not where it was");
        return { contents: without };
      });
      // It observes the CPU's pressure also in a frame whose app has not permitted that, which the browser reports as a violation.
      // Version 3.33.0 of the SDK asks the policy first: https://github.com/aws/amazon-chime-sdk-js/pull/3245
      build.onLoad({ filter: /\/ComputePressureMonitor\.js$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        const observer = "const ctor = this.getPressureObserverCtor();";
        if (source.split(observer).length !== 2 || source.includes("allowsFeature"))
          throw new Error("the SDK has changed: where it observes the CPU's pressure, or it asks the policy by itself");
        const permitted = 'document.featurePolicy?.allowsFeature("compute-pressure") !== false';
        return {
          contents: source.replace(observer, `const ctor = ${permitted} ? this.getPressureObserverCtor() : null;`),
        };
      });
      build.onLoad({ filter: /\/SignalingProtocol\.js$/ }, async ({ path }) => ({
        contents: withoutUnused(await readFile(path, "utf8")),
      }));
      build.onEnd(() => {
        const errors = REPLACED.flatMap(({ of, times }, rule) =>
          seen[rule] === times
            ? []
            : [{ text: `the SDK has changed: ${of} was to be replaced ${times} times, and was ${seen[rule]} times` }],
        );
        return { errors };
      });
    },
  };
}

function withoutUnused(source) {
  return UNUSED.reduce((text, name) => {
    let found = 0;
    const last = name.split(".").at(-1);
    const method = new RegExp(
      `^( *)[\\w.]+\\.${name.replace(".", "\\.")} = function ${last}\\([^)]*\\) \\{\\n[\\s\\S]*?^\\1\\};\\n`,
      "gm",
    );
    const left = text.replace(method, () => {
      found += 1;
      return "";
    });
    if (found !== MESSAGES)
      throw new Error(`the SDK has changed: ${found} times ${name} in its protocol, not ${MESSAGES}`);
    return left;
  }, source);
}
