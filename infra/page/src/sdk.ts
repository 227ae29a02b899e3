// Loading the SDK. The page's own script contains nothing of it, so that the page is usable before the SDK is.

import type * as Chime from "amazon-chime-sdk-js";
import { within } from "./wait.ts";

/** The global that the SDK's bundle defines, see `sdk/entry.cjs`. */
export type Sdk = Pick<
  typeof Chime,
  | "DefaultDeviceController"
  | "DefaultMeetingSession"
  | "MeetingSessionConfiguration"
  | "MeetingSessionStatusCode"
  | "NoOpLogger"
  | "VideoPriorityBasedPolicy"
  | "Versioning"
  | "LogLevel"
> & {
  transformWorker: { address: unknown };
};

declare global {
  interface Window {
    ChimeSDK?: Sdk;
    trustedTypes?: {
      createPolicy(
        name: string,
        rules: { createScriptURL(url: string): string },
      ): { createScriptURL(url: string): unknown };
    };
  }
}

/** How long loading may take on a bad connection; the browser gives up later or never. */
const LOAD_TIMEOUT_MS = 45_000;

// Only the page's own assets may become script, whatever a mistake elsewhere passes in.
const policy = window.trustedTypes?.createPolicy("medzen", {
  createScriptURL(url) {
    if (!/^\/assets\/(chime-(sdk|worker)|controls|recordings|transcripts)-[\w.-]+\.js(\?try=\d+)?$/.test(url))
      throw new TypeError("no asset of this page");
    return url;
  },
});
const trusted = (url: string) => (policy ? policy.createScriptURL(url) : url);

/** The SDK neither arrived nor failed. */
export class SdkTimeout extends Error {}

/** How often each address was tried. */
const tries = new Map<string, number>();

/** Loads the bundle that `index.html` names. */
export async function loadSdk(): Promise<Sdk> {
  const named = document.querySelector<HTMLLinkElement>("#sdk");
  const address = named?.getAttribute("href");
  const worker = named?.dataset["worker"];
  if (!named || !address || !worker) throw new Error("no SDK named");
  await loadScript(address, named.integrity);
  const sdk = window.ChimeSDK;
  if (!sdk) throw new Error("SDK not started");
  sdk.transformWorker.address = trusted(worker);
  return sdk;
}

/** Runs a script of the page, if it has exactly the bytes that the build made. */
export function loadScript(address: string, integrity: string): Promise<void> {
  const script = document.createElement("script");
  const loaded = new Promise<void>((resolve, reject) => {
    // Without it the browser would run any bytes.
    if (!integrity) {
      reject(new Error("no integrity named"));
      return;
    }
    script.onerror = () => reject(new Error("script not loaded, or altered"));
    script.onload = () => resolve();
    script.crossOrigin = "anonymous";
    script.integrity = integrity;
    // A second attempt has another address: under the same one the browser would wait for the request that hangs, or use its cache.
    const tried = tries.get(address) ?? 0;
    (script as { src: unknown }).src = trusted(tried === 0 ? address : `${address}?try=${tried}`);
    tries.set(address, tried + 1);
    document.head.append(script);
  });
  return within(LOAD_TIMEOUT_MS, loaded, () => new SdkTimeout("script late")).catch((error: unknown) => {
    script.remove();
    throw error;
  });
}
