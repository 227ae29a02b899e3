// Camera, microphone and speaker, without the SDK, so that the device check works before that is loaded.

import type { DeviceDefaults } from "./bridge.ts";

/** The devices with which the person joins. An id of "" is the system's default; `undefined` means that there is no device. */
export interface Choices {
  audioInput: string | undefined;
  videoInput: string | undefined;
  audioOutput: string;
  microphone: boolean;
  camera: boolean;
}

/** Why a device cannot be opened. */
export type DeviceErrorKind = "denied" | "none" | "taken";

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

export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;
export const canShareScreen = typeof navigator.mediaDevices?.getDisplayMedia === "function";

export async function listDevices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId !== "");
  return {
    audioInput: of("audioinput"),
    videoInput: of("videoinput"),
    audioOutput: canChooseSpeaker ? of("audiooutput") : [],
  };
}

/** Opens microphone and camera, or only one if the other is missing or in use. The browser may ask the person. */
export async function openDevices(wanted: {
  audioInput?: string | undefined;
  videoInput?: string | undefined;
}): Promise<MediaStream> {
  // Without HTTPS, or in a WebView whose app has no permission, the browser cannot ask.
  if (!navigator.mediaDevices) throw new DeviceError("denied");
  const audio = prefer(wanted.audioInput);
  const video = {
    ...prefer(wanted.videoInput),
    width: { ideal: 1280 },
    height: { ideal: 720 },
    ...(wanted.videoInput ? {} : { facingMode: "user" }),
  };
  const attempts: MediaStreamConstraints[] = [{ audio, video }, { audio }, { video }];
  let first: DeviceError | undefined;
  for (const constraints of attempts) {
    try {
      return await capture(constraints);
    } catch (error) {
      first ??= deviceErrorOf(error);
      // A request for less would be refused too.
      if (first.kind === "denied" && !(await oneIsAllowed())) break;
    }
  }
  throw first ?? new DeviceError("none");
}

/** Opens one device that was chosen. */
export async function openOne(kind: "audio" | "video", id: string): Promise<MediaStream> {
  try {
    const constraints =
      kind === "audio"
        ? { audio: prefer(id) }
        : { video: { ...prefer(id), width: { ideal: 1280 }, height: { ideal: 720 } } };
    return await capture(constraints);
  } catch (error) {
    throw deviceErrorOf(error);
  }
}

/** `exact`, because `ideal` is only a hint, and Chromium prefers its own choice. */
function prefer(id: string | undefined): MediaTrackConstraints {
  return id ? { deviceId: { exact: id } } : {};
}

async function capture(constraints: MediaStreamConstraints): Promise<MediaStream> {
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

async function oneIsAllowed(): Promise<boolean> {
  const states = await Promise.all(
    ["camera", "microphone"].map((name) =>
      navigator.permissions?.query({ name: name as PermissionName }).then(
        ({ state }) => state,
        () => "denied",
      ),
    ),
  );
  return (
    states.some((state) => state === "granted" || state === "prompt") && states.some((state) => state === "denied")
  );
}

function deviceErrorOf(error: unknown): DeviceError {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return new DeviceError("denied");
    case "NotReadableError":
    case "AbortError":
      return new DeviceError("taken");
    default:
      return new DeviceError("none");
  }
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

/** Reports how loud the microphone is, from 0 to 1, until it is stopped. */
export function meter(stream: MediaStream, show: (level: number) => void): () => void {
  if (stream.getAudioTracks().length === 0) return () => undefined;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // From -60 dB, a quiet room, to -10 dB, speech near the microphone.
    show(Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-10) + 60) / 50)));
  }, 80);
  return () => {
    clearInterval(timer);
    if (context.state !== "closed") void context.close();
  };
}

/** Plays two soft notes from a speaker. */
export async function playNotes(speaker: string): Promise<void> {
  const context = new AudioContext();
  const destination = context.createMediaStreamDestination();
  const audio = new Audio();
  audio.srcObject = destination.stream;
  if (canChooseSpeaker && speaker) await audio.setSinkId(speaker).catch(() => undefined);
  await context.resume();
  for (const [at, pitch] of [
    [0.05, 523.25],
    [0.45, 659.25],
  ] as const) {
    const note = new OscillatorNode(context, { frequency: pitch });
    const volume = new GainNode(context, { gain: 0 });
    const begin = context.currentTime + at;
    volume.gain.setValueAtTime(0, begin);
    volume.gain.linearRampToValueAtTime(0.25, begin + 0.04);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.7);
    note.connect(volume).connect(destination);
    note.start(begin);
    note.stop(begin + 0.75);
  }
  try {
    await audio.play();
    await new Promise((resolve) => setTimeout(resolve, 1300));
  } finally {
    audio.pause();
    void context.close();
  }
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
