/** Facts of the deployment, written beside the page by whoever deploys it. */
export interface Config {
  /** Origins that may show the page in a frame and hand it a token. */
  embeddingOrigins: string[];
  /** What a link into the app begins with; the appointment's id follows. */
  deepLinkBase: string | null;
  /** The header that the API reads the token from. */
  tokenHeader: "Authorization" | "X-Firebase-Token";
  /** How long connecting to media may take before the page says that it cannot. */
  mediaTimeoutSeconds: number;
}

/** Reads `/config.json`, which `index.html` preloads: so the request has no wish of its own. What is missing or malformed takes the safe default: no origin but our own, no link. */
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
    // The scheme of an app or https, and never one that runs in this page.
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
