/** Facts of the deployment; `cdn.py` writes them beside the page. */
export interface Config {
  /** Origins that may show the page in a frame and hand it a token. */
  embeddingOrigins: string[];
  /** The beginning of a link into the app; the appointment's id follows. */
  deepLinkBase: string | null;
  /** The header from which the API reads the token. */
  tokenHeader: "Authorization" | "X-Firebase-Token";
  /** How long connecting to the media service may take before the page asks the server. */
  mediaTimeoutSeconds: number;
}

/**
 * Reads `/config.json`. The request has no options, so that it matches the preload of `index.html`. A missing or malformed
 * value becomes the safe default: no origin but the page's own, no link.
 */
export async function readConfig(): Promise<Config> {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error("no configuration");
  return configOf(await answer.json());
}

export function configOf(json: unknown): Config {
  const facts = (typeof json === "object" && json !== null ? json : {}) as Record<string, unknown>;
  const origins = Array.isArray(facts["embeddingOrigins"]) ? facts["embeddingOrigins"] : [];
  const link = facts["deepLinkBase"];
  const seconds = facts["mediaTimeoutSeconds"];
  return {
    embeddingOrigins: origins.filter((origin): origin is string => typeof origin === "string" && isOrigin(origin)),
    // An app's scheme or https, and never one that runs in this page.
    deepLinkBase:
      typeof link === "string" && /^(?!javascript:|data:|blob:|vbscript:)[a-z][a-z0-9+.-]*:\/\//i.test(link)
        ? link
        : null,
    tokenHeader: facts["tokenHeader"] === "X-Firebase-Token" ? "X-Firebase-Token" : "Authorization",
    mediaTimeoutSeconds: typeof seconds === "number" && seconds > 0 && seconds <= 120 ? seconds : 20,
  };
}

function isOrigin(text: string): boolean {
  try {
    return new URL(text).origin === text;
  } catch {
    return false;
  }
}
