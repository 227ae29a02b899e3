// Forwards the earlier app's requests to the API: the same body, the Firebase token in the header that the API reads, and the
// API's answer as it is. It verifies nothing itself: Supabase has checked its own key, and the API checks the token.

/** The values that the deployment sets as secrets of the function. */
export interface Settings {
  /** The output `ApiUrl` of app.yaml, or the page's address without `/call`: an origin, without a path. */
  endpoint: string;
  /** The API's parameter `TokenHeader`. */
  tokenHeader: string;
  /** Origins of web pages that may call the function; apps have none. */
  origins: string[];
}

/** The functions end within 20 s, API Gateway within 30 s. */
const TIMEOUT_MS = 30_000;
/** The actions' bodies have some hundred bytes. */
const MAX_BODY_BYTES = 64 * 1024;
const PASSED_ON = ["content-type", "location", "retry-after"];

export function settings(get: (name: string) => string | undefined): Settings {
  const endpoint = get("CHIME_API_ENDPOINT") ?? "";
  if (!URL.canParse(endpoint) || !["", "/"].includes(new URL(endpoint).pathname)) {
    throw new Error("CHIME_API_ENDPOINT must be the API's address without a path, such as https://calls.example.com");
  }
  return {
    endpoint: new URL(endpoint).origin,
    tokenHeader: get("CHIME_API_TOKEN_HEADER") || "X-Firebase-Token",
    origins: (get("CHIME_ALLOWED_ORIGINS") ?? "")
      .split(",")
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ""),
  };
}

export async function forward(request: Request, settings: Settings, send: typeof fetch = fetch): Promise<Response> {
  const cors = corsOf(request, settings);
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: cors });
  if (request.method !== "POST") return refuse(405, "METHOD_NOT_ALLOWED", "Send POST.", cors);
  const token = request.headers.get("x-firebase-token")?.trim();
  if (!token) return refuse(401, "NO_IDENTITY", "Missing x-firebase-token header", cors);
  const body = await request.arrayBuffer();
  if (body.byteLength > MAX_BODY_BYTES) return refuse(413, "MALFORMED_REQUEST", "The body is too long.", cors);

  const headers = new Headers({ "content-type": "application/json" });
  const bearer = settings.tokenHeader.toLowerCase() === "authorization" && !/^bearer /i.test(token);
  headers.set(settings.tokenHeader, bearer ? `Bearer ${token}` : token);
  const agent = request.headers.get("user-agent");
  if (agent) headers.set("user-agent", agent);
  let answer: Response;
  try {
    answer = await send(`${settings.endpoint}/meetings`, {
      method: "POST",
      headers,
      body,
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    // Its name alone: a message may quote the address, and nothing of the request belongs into a log.
    console.error(`the API did not answer: ${error instanceof Error ? error.name : "unknown"}`);
    return refuse(503, "UNAVAILABLE", "The call service does not answer.", { ...cors, "retry-after": "1" });
  }
  const passed = new Headers(cors);
  for (const name of PASSED_ON) {
    const value = answer.headers.get(name);
    if (value !== null) passed.set(name, value);
  }
  // The earlier function answered every success 200, and apps compare with that.
  const status = answer.status === 201 ? 200 : answer.status;
  return new Response(answer.body, { status, headers: passed });
}

function refuse(status: number, code: string, error: string, headers: Record<string, string>): Response {
  return Response.json({ error, code }, { status, headers });
}

function corsOf(request: Request, settings: Settings): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null || !settings.origins.includes(origin)) return { vary: "Origin" };
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "apikey, authorization, content-type, x-client-info, x-firebase-token",
    "access-control-expose-headers": "location, retry-after",
    vary: "Origin",
  };
}
