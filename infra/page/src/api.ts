// The API, as far as the page needs it. Every failure is an `ApiError` that says what can be done about it.

import {
  type Body,
  type Change,
  type Consent,
  type ConsentChoice,
  type ErrorCode,
  isObject,
  type Person,
  type Place,
  parseConsent,
  parsePlace,
  parseRecording,
  parseRecordings,
  parseRoster,
  parseStatus,
  type Recording,
  type Sample,
  type StartOptions,
  type Status,
} from "./answers.ts";
import type { Config } from "./config.ts";

/** Errors by what can be done about them. */
export type ErrorKind =
  | "offline"
  | "unauthorized"
  | "forbidden"
  | "missing"
  | "conflict"
  | "gone"
  | "busy"
  | "down"
  | "broken";

export class ApiError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly retryAfterSeconds: number;
  /** The API's answer, with what it says beside the code. */
  readonly details: Body;

  constructor(kind: ErrorKind, code: string, retryAfterSeconds = 0, details: Body = {}) {
    super(code);
    this.kind = kind;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
    this.details = details;
  }
}

/** Whether the API has answered with this code. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof ApiError && error.code === code;
}

/** Where the token comes from. */
export interface TokenSource {
  readonly current: string;
  /** Resolves to another token than this one, or to nothing if none arrives in time. */
  renew(old: string): Promise<string | undefined>;
}

const REQUEST_TIMEOUT_MS = 15_000;

/** An answer that has arrived completely. */
interface Answer {
  status: number;
  retryAfterSeconds: number;
  type: string;
  text: string;
}

export class Api {
  /** The paths of the appointment, and of its call. */
  readonly appointment: string;
  readonly call: string;
  readonly #header: Config["tokenHeader"];
  readonly #tokens: TokenSource;

  constructor(appointmentId: string, config: Config, tokens: TokenSource) {
    this.appointment = `/appointments/${appointmentId}`;
    this.call = `${this.appointment}/call`;
    this.#header = config.tokenHeader;
    this.#tokens = tokens;
  }

  status(): Promise<Status> {
    return this.read(parseStatus, "GET", this.call);
  }

  start(options: StartOptions): Promise<Place> {
    return this.read(parsePlace, "POST", this.call, options);
  }

  join(checked: boolean): Promise<Place> {
    return this.read(parsePlace, "POST", `${this.call}/attendees`, checked ? { checked } : {});
  }

  /** Keeps a call going in which this person is alone. */
  async stay(): Promise<void> {
    await this.#ask("POST", `${this.call}/attendees`, { stay: true });
  }

  async leave(): Promise<void> {
    await this.#ask("DELETE", `${this.call}/attendees/me`);
  }

  /** Ends this session, and no later one. */
  async end(sessionId: string): Promise<void> {
    await this.#ask("DELETE", this.call, { sessionId });
  }

  roster(): Promise<Person[]> {
    return this.read(parseRoster, "GET", `${this.call}/attendees`);
  }

  async change(userId: string, change: Change): Promise<void> {
    await this.#ask("PATCH", `${this.call}/attendees/${encodeURIComponent(userId)}`, change);
  }

  async remove(userId: string): Promise<void> {
    await this.#ask("DELETE", `${this.call}/attendees/${encodeURIComponent(userId)}`);
  }

  consent(choice: ConsentChoice): Promise<Consent> {
    return this.read(parseConsent, "PUT", `${this.call}/consent`, choice);
  }

  async quality(samples: Sample[]): Promise<void> {
    await this.#ask("POST", `${this.call}/quality`, { samples });
  }

  startRecording(): Promise<Recording> {
    return this.read(parseRecording, "POST", `${this.call}/recordings`, {});
  }

  changeRecording(recordingId: string, change: "pause" | "resume" | "stop"): Promise<Recording> {
    return this.read(parseRecording, "POST", `/recordings/${recordingId}/${change}`, {});
  }

  recording(recordingId: string): Promise<Recording> {
    return this.read(parseRecording, "GET", `/recordings/${recordingId}`);
  }

  /** The recordings of the appointment, the newest first. */
  recordings(): Promise<Recording[]> {
    return this.read(parseRecordings, "GET", `${this.appointment}/recordings`);
  }

  /** Tells the server that the person leaves while the page is being closed: nobody waits for the answer. */
  leaveNow(): void {
    void fetch(`${this.call}/attendees/me`, this.#request("DELETE", this.#tokens.current)).catch(() => undefined);
  }

  async read<T>(parse: (body: Body) => T | undefined, method: string, path: string, body?: object): Promise<T> {
    const answer = parse(await this.#ask(method, path, body));
    // JSON of another shape: it is not the API that has answered, or not the one for which this page was built.
    if (answer === undefined) throw new ApiError("down", "UNEXPECTED");
    return answer;
  }

  /** A text in this format, of a path that has several. */
  async text(path: string, format: string): Promise<string> {
    const answer = await this.#answer("GET", path, undefined, format);
    if (isGood(answer) && answer.type.startsWith(format)) return answer.text;
    bodyOf(answer);
    throw new ApiError("down", "UNEXPECTED");
  }

  async #ask(method: string, path: string, body?: object): Promise<Body> {
    return bodyOf(await this.#answer(method, path, body));
  }

  async #answer(method: string, path: string, body?: object, format = "application/json"): Promise<Answer> {
    const token = this.#tokens.current;
    const first = await this.#send(method, path, token, body, format);
    if (first.status !== 401) return first;
    // The token has expired during the call, or was never valid. The app is asked once.
    const fresh = await this.#tokens.renew(token);
    if (fresh === undefined) throw new ApiError("unauthorized", "UNAUTHORIZED");
    return this.#send(method, path, fresh, body, format);
  }

  async #send(method: string, path: string, token: string, body: object | undefined, format: string): Promise<Answer> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), REQUEST_TIMEOUT_MS);
    try {
      const text = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await fetch(path, {
        ...this.#request(method, token, format),
        ...text,
        signal: deadline.signal,
      });
      // An answer whose body breaks off, or does not arrive, is a network error too.
      return {
        status: answer.status,
        retryAfterSeconds: Number(answer.headers.get("retry-after")) || 0,
        type: answer.headers.get("content-type") ?? "",
        text: await answer.text(),
      };
    } catch {
      throw new ApiError("offline", "OFFLINE");
    } finally {
      clearTimeout(timer);
    }
  }

  #request(method: string, token: string, format = "application/json"): RequestInit {
    const headers: Record<string, string> = {
      accept: format,
      [this.#header]: this.#header === "Authorization" ? `Bearer ${token}` : token,
    };
    if (method !== "GET") headers["content-type"] = "application/json";
    // The app may close the page as soon as it knows that the person has left.
    return {
      method,
      headers,
      keepalive: method === "DELETE",
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
    };
  }
}

function parsed(text: string): Body | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it may be the API that has answered. */
function isGood({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function bodyOf(answer: Answer): Body {
  const { status, retryAfterSeconds } = answer;
  const good = isGood(answer);
  const body = parsed(answer.text);
  if (good && body) return body;
  // The sign-in page of a café's network: the network is not usable yet.
  if (good) throw new ApiError("offline", "NOT_JSON");
  const code = body?.["code"];
  if (typeof code === "string") throw new ApiError(kindOf(status, code), code, retryAfterSeconds, body);
  // API Gateway, a firewall or a proxy has answered. They know nothing of the call: nothing follows from their 403 or 404.
  throw new ApiError(status === 401 || status === 429 ? kindOf(status) : "down", String(status), retryAfterSeconds);
}

/** Conflicts that do not pass by themselves, unlike the others. */
const FINAL_CONFLICTS: readonly ErrorCode[] = [
  "APPOINTMENT_CANCELLED",
  "VIDEO_NOT_ENABLED",
  "JOIN_WINDOW_NOT_OPEN",
  "JOIN_WINDOW_CLOSED",
];

function kindOf(status: number, code?: string): ErrorKind {
  if (FINAL_CONFLICTS.some((final) => final === code)) return "missing";
  switch (status) {
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "missing";
    case 409:
      return "conflict";
    case 410:
      return "gone";
    case 429:
      return "busy";
    default:
      return status >= 500 ? "down" : "broken";
  }
}
