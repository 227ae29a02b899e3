// The way to the app around the page and back. `README.md` has the table; each line of it has a test.

/** What the page tells, and with what. Nothing of it names a person or holds a token. */
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
  MEETING_ERROR: { code: string };
  LANGUAGE_CHANGED: { language: string };
  CLOSE_REQUESTED: Record<string, never>;
}

/** What the page takes from outside; each field has been checked. */
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

/** The strings that the earlier app knows. It knows no others and is told no others. */
function flutterText<E extends keyof OutgoingMessages>(event: E, data: OutgoingMessages[E]): string | undefined {
  switch (event) {
    case "SDK_READY":
    case "MEETING_JOINED":
    case "MEETING_LEFT":
      return event;
    case "MEETING_ERROR":
      return `MEETING_ERROR:${(data as OutgoingMessages["MEETING_ERROR"]).code}`;
    case "MEETING_ENDED_BY_PROVIDER":
      return `MEETING_ENDED_BY_PROVIDER:${(data as OutgoingMessages["MEETING_ENDED_BY_PROVIDER"]).sessionId}`;
    default:
      return undefined;
  }
}

/** How many messages are kept until it is known whom to believe. */
const KEPT = 16;

export class Bridge {
  #origins: string[] | undefined;
  #peer: string | undefined;
  #early: MessageEvent[] = [];
  #unsent: object[] = [];
  readonly #receive: (message: IncomingMessage) => void;

  /** Listens from now on. Until `trust` has been called, what comes is kept. */
  constructor(receive: (message: IncomingMessage) => void) {
    this.#receive = receive;
    window.addEventListener("message", (event) => {
      // The app of a WebView speaks in the page's own name and needs no list.
      if (this.#origins || isOwn(event)) this.#handle(event);
      else if (this.#early.length < KEPT) this.#early.push(event);
    });
  }

  /** From these origins messages are taken, and to them they are sent. */
  trust(origins: string[]): void {
    this.#origins = origins;
    const around = surroundingOrigin();
    if (around && origins.includes(around)) this.#peer = around;
    for (const message of this.#unsent.splice(0)) this.#post(message);
    for (const event of this.#early.splice(0)) this.#handle(event);
  }

  /** Whether somebody is there who could hand over a token. */
  get hosted(): boolean {
    return Boolean(host() || window.FlutterChannel || window.ChimeHandler);
  }

  /** Tells everyone who listens. A listener that fails is its own affair. */
  emit<E extends keyof OutgoingMessages>(event: E, data: OutgoingMessages[E]): void {
    const message = { event, data, timestamp: Date.now() };
    const old = flutterText(event, data);
    if (old !== undefined) attempt(() => window.FlutterChannel?.postMessage(old));
    attempt(() => window.ChimeHandler?.postMessage(JSON.stringify(message)));
    const posted = { type: "medzen.event", ...message };
    // Before it is known who may be there, nobody may hear it.
    if (this.#origins) this.#post(posted);
    else if (this.#unsent.length < KEPT) this.#unsent.push(posted);
  }

  /** To the one origin that is known to be there, else to each that may be: the browser delivers to none but the right one. */
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

/** Who shows this page in a frame. A window that opened it is none: `Cross-Origin-Opener-Policy` parts the two. */
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
    // The app's side is broken or gone; the call is not.
  }
}

/** What a message says, if it is one of ours and whole. */
export function parseMessage(data: unknown): IncomingMessage | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { type, token, language, deviceDefaults } = data as Record<string, unknown>;
  switch (type) {
    case "medzen.join": {
      if (!isToken(token) || (language !== undefined && !isLanguage(language))) return undefined;
      const devices = deviceDefaults === undefined ? {} : devicesOf(deviceDefaults);
      if (!devices) return undefined;
      return { type, token, deviceDefaults: devices, ...(language === undefined ? {} : { language }) };
    }
    case "medzen.token":
      return isToken(token) ? { type, token } : undefined;
    case "medzen.leave":
      return { type };
    case "medzen.setLanguage":
      return isLanguage(language) ? { type, language } : undefined;
    default:
      return undefined;
  }
}

/** A JSON Web Token by its look, so that nothing else gets into a header. Whether it is good the API decides. */
function isToken(value: unknown): value is string {
  return typeof value === "string" && value.length <= 8192 && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value);
}

function isLanguage(value: unknown): value is string {
  return typeof value === "string" && /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(value) && value.length <= 35;
}

function devicesOf(value: unknown): DeviceDefaults | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found: DeviceDefaults = {};
  for (const [name, setting] of Object.entries(value)) {
    switch (name) {
      case "audioInput":
      case "videoInput":
      case "audioOutput":
        if (typeof setting !== "string" || setting.length > 512) return undefined;
        found[name] = setting;
        break;
      case "microphone":
      case "camera":
        if (typeof setting !== "boolean") return undefined;
        found[name] = setting;
        break;
      default:
        break;
    }
  }
  return found;
}
