// Messages between the page and the app around it. `README.md` has the table; each line of it has a test.

import { EarlierMessages, flutterText } from "./earlier-app.ts";

/** The page's messages and their data. None names a person or contains a token. */
export interface OutgoingMessages {
  PAGE_READY: Record<string, never>;
  SDK_READY: { version: string };
  TOKEN_REQUIRED: { reason: "expired" };
  MEETING_WAITING: { sessionId: string };
  MEETING_JOINED: { sessionId: string; role: string };
  MEETING_RECONNECTING: { sessionId: string };
  MEETING_RECONNECTED: { sessionId: string };
  MEETING_LEFT: { sessionId: string | null };
  MEETING_ENDED_BY_PROVIDER: { sessionId: string };
  RECORDING_STARTED: { sessionId: string };
  RECORDING_PAUSED: { sessionId: string };
  RECORDING_STOPPED: { sessionId: string };
  MEETING_ERROR: { code: string; cause?: "timeout" };
  LANGUAGE_CHANGED: { language: string };
  CLOSE_REQUESTED: Record<string, never>;
}

/** The messages that the page accepts; each field has been checked. */
export type IncomingMessage =
  | { type: "medzen.join"; token: string; language?: string; deviceDefaults?: DeviceDefaults }
  | { type: "medzen.token"; token: string }
  | { type: "medzen.leave" }
  | { type: "medzen.setLanguage"; language: string };

export interface DeviceDefaults {
  audioInput?: string;
  videoInput?: string;
  audioOutput?: string;
  microphone?: boolean;
  camera?: boolean;
}

interface Channel {
  postMessage(text: string): void;
}

declare global {
  interface Window {
    FlutterChannel?: Channel;
    ChimeHandler?: Channel;
  }
}

/** How many messages are kept until the trusted origins are known. */
const MAX_KEPT_MESSAGES = 16;

export class Bridge {
  #origins: string[] | undefined;
  #peer: string | undefined;
  #early: MessageEvent[] = [];
  #unsent: object[] = [];
  readonly #earlier = new EarlierMessages();
  readonly #receive: (message: IncomingMessage) => void;

  /** Listens from now on. Messages that arrive before `trust` is called are kept. */
  constructor(receive: (message: IncomingMessage) => void) {
    this.#receive = receive;
    window.addEventListener("message", (event) => {
      // The app of a WebView sends from the page's own window and needs no list.
      if (this.#origins || isOwn(event)) this.#handle(event);
      else if (this.#early.length < MAX_KEPT_MESSAGES) this.#early.push(event);
    });
  }

  /** Messages are accepted from these origins, and sent to them. */
  trust(origins: string[]): void {
    this.#origins = origins;
    const around = surroundingOrigin();
    if (around && origins.includes(around)) this.#peer = around;
    for (const message of this.#unsent.splice(0)) this.#post(message);
    for (const event of this.#early.splice(0)) this.#handle(event);
  }

  /** Whether there is an app that could hand over a token. */
  get hosted(): boolean {
    return Boolean(host() || window.FlutterChannel || window.ChimeHandler);
  }

  /** Sends a message through every channel. A channel that fails does not affect the others. */
  emit<E extends keyof OutgoingMessages>(event: E, data: OutgoingMessages[E]): void {
    const message = { event, data, timestamp: Date.now() };
    const old = flutterText(event, data);
    if (old !== undefined) attempt(() => window.FlutterChannel?.postMessage(old));
    attempt(() => window.ChimeHandler?.postMessage(JSON.stringify(message)));
    const earlier = this.#earlier.of(event, data);
    if (earlier)
      attempt(() => window.ChimeHandler?.postMessage(JSON.stringify({ ...earlier, timestamp: message.timestamp })));
    const posted = { type: "medzen.event", ...message };
    // Nobody receives it before the trusted origins are known.
    if (this.#origins) this.#post(posted);
    else if (this.#unsent.length < MAX_KEPT_MESSAGES) this.#unsent.push(posted);
  }

  /** Sends to the app's origin if it is known, else to each trusted one: the browser delivers to the right one only. */
  #post(message: object): void {
    const target = host();
    const origins = this.#peer ? [this.#peer] : (this.#origins ?? []);
    if (target) for (const origin of origins) attempt(() => target.postMessage(message, origin));
  }

  #handle(event: MessageEvent): void {
    const own = isOwn(event);
    const embedding = event.source !== null && event.source === host() && (this.#origins ?? []).includes(event.origin);
    if (!own && !embedding) return;
    const message = parseMessage(event.data);
    if (!message) return;
    if (embedding) this.#peer = event.origin;
    this.#receive(message);
  }
}

function isOwn(event: MessageEvent): boolean {
  return event.source === window && event.origin === location.origin;
}

/** The window that shows this page in a frame. `Cross-Origin-Opener-Policy` isolates the page from a window that opened it. */
function host(): Window | undefined {
  return window.parent === window ? undefined : window.parent;
}

function surroundingOrigin(): string | undefined {
  const ancestor = location.ancestorOrigins?.[0];
  if (ancestor) return ancestor;
  try {
    return document.referrer ? new URL(document.referrer).origin : undefined;
  } catch {
    return undefined;
  }
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // The app's side is broken or gone; the call goes on.
  }
}

/**
 * The message, if it is one of the page's own and has what it needs. Optional fields that cannot be used, `null` among them,
 * are left out: an app of another language or age must not lose the call for one of them.
 */
export function parseMessage(data: unknown): IncomingMessage | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { type, token, language, deviceDefaults } = data as Record<string, unknown>;
  const tag = languageTag(language);
  switch (type) {
    case "medzen.join":
      if (!isToken(token)) return undefined;
      return {
        type,
        token,
        deviceDefaults: devicesOf(deviceDefaults),
        ...(tag === undefined ? {} : { language: tag }),
      };
    case "medzen.token":
      return isToken(token) ? { type, token } : undefined;
    case "medzen.leave":
      return { type };
    case "medzen.setLanguage":
      return tag === undefined ? undefined : { type, language: tag };
    default:
      return undefined;
  }
}

/** API Gateway takes 10,240 bytes of request line and headers: a longer token is refused there, with an answer. */
const MAX_TOKEN_CHARACTERS = 10_240;

/** Whether this looks like a JSON Web Token, so that nothing else gets into a header. The API decides if it is valid. */
function isToken(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TOKEN_CHARACTERS && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value);
}

/** The language tag. Platforms also spell it `fr_FR` (Dart, Java) or `fr_FR.UTF-8` (POSIX), and in any case of letters. */
function languageTag(value: unknown): string | undefined {
  if (typeof value !== "string" || value.length > 35) return undefined;
  const [first = "", ...rest] = (value.trim().split(/[.@]/)[0] ?? "").split(/[-_]/);
  const tag = [first.toLowerCase(), ...rest].join("-");
  return /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(tag) ? tag : undefined;
}

function devicesOf(value: unknown): DeviceDefaults {
  const found: DeviceDefaults = {};
  if (typeof value !== "object" || value === null) return found;
  for (const [name, setting] of Object.entries(value)) {
    switch (name) {
      case "audioInput":
      case "videoInput":
      case "audioOutput":
        if (typeof setting === "string" && setting.length <= 512) found[name] = setting;
        break;
      case "microphone":
      case "camera":
        if (typeof setting === "boolean") found[name] = setting;
        break;
      default:
        break;
    }
  }
  return found;
}
