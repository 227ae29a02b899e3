// Camera, microphone and speaker, without the SDK, so that the device check works before that is loaded.

import type { DeviceDefaults } from "./bridge.ts";
import { permitted } from "./permitted.ts";
import { within } from "./wait.ts";

/** The devices with which the person joins. An id of "" is the system's default; `undefined` means that there is no device. */
export interface Choices {
  audioInput: string | undefined;
  videoInput: string | undefined;
  audioOutput: string;
  microphone: boolean;
  camera: boolean;
}

export type DeviceKind = "microphone" | "camera";

/** Why a device cannot be opened: `system` is a block outside of the browser; one that does not answer counts as `taken`. */
export type DeviceErrorKind = "denied" | "system" | "none" | "taken";

export class DeviceError extends Error {
  readonly kind: DeviceErrorKind;
  constructor(kind: DeviceErrorKind) {
    super(kind);
    this.kind = kind;
  }
}

export interface Devices {
  audioInput: MediaDeviceInfo[];
  videoInput: MediaDeviceInfo[];
  audioOutput: MediaDeviceInfo[];
}

export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype && permitted("speaker-selection");
export const canShareScreen =
  typeof navigator.mediaDevices?.getDisplayMedia === "function" && permitted("display-capture");

export async function listDevices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId !== "");
  return {
    audioInput: of("audioinput"),
    videoInput: of("videoinput"),
    audioOutput: canChooseSpeaker ? of("audiooutput") : [],
  };
}

/** The wanted devices that were opened, and why the rest was not. */
export interface OpenedDevices {
  microphone?: MediaStream;
  camera?: MediaStream;
  errors: Partial<Record<DeviceKind, DeviceErrorKind>>;
}

/** How long an open request for a permitted device may take; a browser that asks the person may take any time. */
const OPEN_TIMEOUT_MS = 15_000;

const KINDS = ["microphone", "camera"] as const;

/**
 * Opens the devices that are wanted, by one question to the person if the browser asks. If that fails, each is opened by itself:
 * a camera that is blocked or in use takes no microphone with it. What the person has declined is not requested again.
 */
export async function openDevices(choices: Choices): Promise<OpenedDevices> {
  const opened: OpenedDevices = { errors: {} };
  const wanted = KINDS.filter((kind) => choices[kind]);
  const before = await permissions();
  for (const kind of wanted) if (before[kind] === "denied") opened.errors[kind] = "denied";
  const permitted = wanted.filter((kind) => opened.errors[kind] === undefined);
  if (permitted.length === KINDS.length) {
    try {
      const stream = await capture(
        { audio: microphone(choices.audioInput), video: camera(choices.videoInput) },
        before,
      );
      return {
        microphone: new MediaStream(stream.getAudioTracks()),
        camera: new MediaStream(stream.getVideoTracks()),
        errors: {},
      };
    } catch (error) {
      // A request by itself would ask the person again who has just declined or closed the question.
      const after = await permissions();
      // In a WebView the app decides, for each device, and nobody is asked again.
      const declined = isDenial(error) && !isOfSystem(error) && browserKind() !== "webview";
      for (const kind of permitted)
        if (declined && (after[kind] === "denied" || after[kind] === "prompt")) opened.errors[kind] = "denied";
    }
  }
  for (const kind of permitted.filter((one) => opened.errors[one] === undefined)) {
    const id = kind === "microphone" ? choices.audioInput : choices.videoInput;
    try {
      opened[kind] = await openOne(kind === "microphone" ? "audio" : "video", id ?? "");
    } catch (error) {
      opened.errors[kind] = error instanceof DeviceError ? error.kind : "none";
    }
  }
  return opened;
}

/** Opens one device that was chosen. */
export async function openOne(kind: "audio" | "video", id: string): Promise<MediaStream> {
  const states = await permissions();
  try {
    return await capture(kind === "audio" ? { audio: microphone(id) } : { video: camera(id) }, states);
  } catch (error) {
    throw deviceErrorOf(error, states[kind === "audio" ? "microphone" : "camera"]);
  }
}

function microphone(id: string | undefined): MediaTrackConstraints {
  return prefer(id);
}

/** As large and fast as the SDK sends it. */
function camera(id: string | undefined): MediaTrackConstraints {
  const size = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { ideal: 15 } };
  return { ...prefer(id), ...size, ...(id ? {} : { facingMode: "user" }) };
}

/** `exact`, because `ideal` is only a hint, and Chromium prefers its own choice. */
function prefer(id: string | undefined): MediaTrackConstraints {
  return id ? { deviceId: { exact: id } } : {};
}

/** Rejects as the browser does, and as for a device in use if no person is being asked and nothing happens. A stream that arrives later is closed. */
async function capture(constraints: MediaStreamConstraints, states: Permissions): Promise<MediaStream> {
  // Without HTTPS, or in a WebView whose app has no permission, the browser cannot ask.
  if (!navigator.mediaDevices) throw new DeviceError("denied");
  const asksNobody =
    (!constraints.audio || states.microphone === "granted") && (!constraints.video || states.camera === "granted");
  const request = getUserMedia(constraints);
  if (!asksNobody) return request;
  try {
    return await within(OPEN_TIMEOUT_MS, request, () => new DeviceError("taken"));
  } catch (error) {
    request.then(stop, () => undefined);
    throw error;
  }
}

async function getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    if ((error as Error).name !== "OverconstrainedError") throw error;
    // A device that was unplugged must not prevent joining.
    const any = (wanted: MediaStreamConstraints["audio"]) =>
      typeof wanted === "object" ? { ...wanted, deviceId: "" } : (wanted ?? false);
    return navigator.mediaDevices.getUserMedia({ audio: any(constraints.audio), video: any(constraints.video) });
  }
}

type Permissions = Record<DeviceKind, PermissionState | undefined>;

/** The devices that the browser permits this page; nothing where it does not say. */
async function permissions(): Promise<Permissions> {
  const [microphone, camera] = await Promise.all(
    KINDS.map(async (kind) => {
      try {
        return (await navigator.permissions.query({ name: kind as PermissionName })).state;
      } catch {
        // The browser has no `permissions`, or does not know the name.
        return undefined;
      }
    }),
  );
  return { microphone, camera };
}

function isDenial(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "SecurityError");
}

/** Chromium's message when the system blocks what the person has permitted the page: "Permission denied by system". */
function isOfSystem(error: unknown): boolean {
  return isDenial(error) && /\bsystem\b/i.test((error as DOMException).message);
}

function deviceErrorOf(error: unknown, state: PermissionState | undefined): DeviceError {
  if (error instanceof DeviceError) return error;
  // The page is permitted, and nevertheless refused.
  if (isOfSystem(error) || (isDenial(error) && state === "granted")) return new DeviceError("system");
  if (isDenial(error)) return new DeviceError("denied");
  const name = error instanceof DOMException ? error.name : "";
  return new DeviceError(name === "NotReadableError" || name === "AbortError" ? "taken" : "none");
}

export function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

export function chosenAtFirst(defaults: DeviceDefaults): Choices {
  return {
    audioInput: defaults.audioInput ?? "",
    videoInput: defaults.videoInput ?? "",
    audioOutput: defaults.audioOutput ?? "",
    microphone: defaults.microphone ?? true,
    camera: defaults.camera ?? true,
  };
}

/** Which instructions for allowing the devices apply to this browser. */
export function browserKind(): "webview" | "ios" | "android" | "safari" | "firefox" | "desktop" {
  const agent = navigator.userAgent;
  if (window.FlutterChannel || window.ChimeHandler) return "webview";
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1)) return "ios";
  if (/Android/.test(agent)) return "android";
  if (/Firefox\//.test(agent)) return "firefox";
  if (/Safari\//.test(agent) && !/Chrome|Chromium|Edg/.test(agent)) return "safari";
  return "desktop";
}
