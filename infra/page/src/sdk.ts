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
    if (!/^\/assets\/chime-(sdk|worker)-[\w.-]+\.js(\?try=\d+)?$/.test(url))
      throw new TypeError("no asset of this page");
    return url;
  },
});
const trusted = (url: string) => (policy ? policy.createScriptURL(url) : url);

/** The SDK neither arrived nor failed. */
export class SdkTimeout extends Error {}

let tries = 0;

/** Loads the bundle that `index.html` names, if it has exactly the bytes that the build made. */
export function loadSdk(): Promise<Sdk> {
  const named = document.querySelector<HTMLLinkElement>("#sdk");
  const script = document.createElement("script");
  const loaded = new Promise<Sdk>((resolve, reject) => {
    const address = named?.getAttribute("href");
    const worker = named?.dataset["worker"];
    if (!named || !address || !worker || !named.integrity) {
      reject(new Error("no SDK named"));
      return;
    }
    script.onerror = () => reject(new Error("SDK not loaded, or altered"));
    script.onload = () => {
      const sdk = window.ChimeSDK;
      if (!sdk) {
        reject(new Error("SDK not started"));
        return;
      }
      sdk.transformWorker.address = trusted(worker);
      resolve(sdk);
    };
    script.crossOrigin = "anonymous";
    script.integrity = named.integrity;
    // A second attempt has another address: under the same one the browser would wait for the request that hangs, or use its cache.
    (script as { src: unknown }).src = trusted(tries === 0 ? address : `${address}?try=${tries}`);
    tries += 1;
    document.head.append(script);
  });
  return within(LOAD_TIMEOUT_MS, loaded, () => new SdkTimeout("SDK late")).catch((error: unknown) => {
    script.remove();
    throw error;
  });
}
