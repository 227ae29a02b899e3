// Microphone, camera, speaker and screen sharing in the call: the controls, the choice of devices, and what the provider has
// taken away.

import type { Capabilities } from "../answers.ts";
import { field, speakerTest } from "../device-fields.ts";
import { type Choices, canChooseSpeaker, canShareScreen, type Devices, listDevices } from "../devices.ts";
import { announce, h } from "../dom.ts";
import type { Media } from "../media.ts";
import { sends } from "../people.ts";
import { SilenceDetector } from "../silence.ts";
import { type Control, control } from "./controls.ts";
import type { Notices } from "./notices.ts";

export class DeviceControls {
  readonly microphone: Control;
  readonly camera: Control;
  readonly screen: Control;
  /** The choice of devices in the settings. */
  readonly fields = h("div", { class: "fields" });
  readonly #choices: Choices;
  readonly #notices: Notices;
  // The SDK reports a device that is plugged in only after it was asked for a list, and for that it may ask the person
  // for permission.
  readonly #devicesChanged = () => void this.#checkDevices();
  readonly #silence = new SilenceDetector();
  /** The devices of the last list. On phones one that works may be in none: https://github.com/aws/amazon-chime-sdk-js/issues/3135 */
  #listed = new Set<string>();
  #media: Media | undefined;
  #cameraOn: boolean;
  #sharing = false;
  /** The microphone was on and has gone away: another one that is chosen is on too. */
  #microphoneLost = false;
  /** The device uses the microphone for something else, as for a phone call. */
  #microphoneHeld = false;
  /** Cameras are opened one after the other: a phone has room for one, and a fast choice must not overtake another. */
  #cameraQueue: Promise<unknown> = Promise.resolve();
  /** The media that the provider has taken away. */
  #restricted = { audio: false, video: false, content: false };

  constructor(choices: Choices, notices: Notices) {
    this.#choices = choices;
    this.#notices = notices;
    this.#cameraOn = choices.camera;
    this.microphone = control(
      "microphone",
      "microphone.turnOff",
      // A microphone that the device holds back is not on, whatever the SDK's own state is.
      () => void this.#turnMicrophone(this.#microphoneHeld || (this.#media?.devices.muted ?? false)),
    );
    this.camera = control(
      "camera",
      "camera.turnOff",
      () => void this.#queueCamera(() => this.#turnCamera(!this.#cameraOn)),
    );
    this.screen = control("screen", "screen.share", () => void this.#share());
    this.screen.root.hidden = !canShareScreen;
    this.#paintCamera();
    this.#paintMicrophone(!choices.microphone);
    navigator.mediaDevices?.addEventListener("devicechange", this.#devicesChanged);
    void this.listDevices();
  }

  /** Another connection is in use. */
  attach(media: Media): void {
    this.#media = media;
    this.#sharing = false;
    this.#microphoneHeld = false;
    this.#notices.show("held", undefined);
    this.#sounds();
    this.#paintShare();
  }

  /** The page was hidden, as during a phone call: what the device has held back meanwhile is opened anew. */
  resume(): void {
    if (this.#microphoneHeld && !this.#restricted.audio) void this.#turnMicrophone(true);
    if (this.#cameraOn && this.#media?.devices.cameraHeld) void this.#queueCamera(() => this.#turnCamera(true));
  }

  close(): void {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#devicesChanged);
  }

  muted(muted: boolean): void {
    if (!muted) this.#microphoneFound();
    this.#sounds();
    this.#paintMicrophone(muted);
    announce(muted ? "microphone.isOff" : "microphone.isOn");
  }

  lost(kind: "microphone" | "camera"): void {
    const text = kind === "camera" ? "camera.lost" : "microphone.lost";
    if (kind === "camera") this.#showCamera(false);
    else this.#microphoneLost = true;
    // A notice that was closed is shown again: now another device does not work.
    this.#notices.show(kind, undefined);
    this.#notices.show(kind, text, true);
  }

  held(held: boolean): void {
    if (held === this.#microphoneHeld) return;
    this.#microphoneHeld = held;
    this.#notices.show("held", held ? "microphone.held" : undefined, true);
    this.#paintMicrophone(this.#media?.devices.muted ?? false);
  }

  /** How loud the microphone is. One that is on and gives no sound is noticed by nobody but the others. */
  level(level: number): void {
    const expected = this.#media?.devices.microphoneOpen && !this.#media.devices.muted && !this.#microphoneHeld;
    if (!expected) this.#sounds();
    else if (this.#silence.read(level, performance.now())) this.#notices.show("silent", "microphone.silent", true);
    else this.#notices.show("silent", undefined);
  }

  #sounds(): void {
    this.#silence.reset();
    this.#notices.show("silent", undefined);
  }

  sharing(on: boolean): void {
    this.#sharing = on;
    this.#paintShare();
    announce(on ? "screen.isOn" : "screen.isOff");
  }

  /** Carries out what the provider allows. */
  restrict(capabilities: Capabilities): void {
    const before = this.#restricted;
    const audio = !sends(capabilities.Audio);
    const video = !sends(capabilities.Video);
    const content = !sends(capabilities.Content);
    this.#restricted = { audio, video, content };
    if (audio !== before.audio) {
      if (audio) this.#media?.devices.mute(true);
      this.#paintMicrophone(audio || (this.#media?.devices.muted ?? false));
      announce(audio ? "microphone.takenAway" : "microphone.givenBack", true);
    }
    if (video !== before.video) {
      if (video && this.#cameraOn) void this.#queueCamera(() => this.#turnCamera(false));
      this.#paintCamera();
      announce(video ? "camera.takenAway" : "camera.givenBack", true);
    }
    if (content !== before.content) {
      if (content && this.#sharing) this.#media?.unshare();
      this.#paintShare();
    }
  }

  /** Reads the list of devices again. */
  async listDevices(): Promise<void> {
    this.#showFields(await listDevices());
  }

  /** A device was plugged in or has gone. Not every browser ends the track of one that has gone. */
  async #checkDevices(): Promise<void> {
    const devices = await listDevices();
    const { microphone, camera } = this.#media?.devices.openIds ?? {};
    const before = this.#listed;
    this.#showFields(devices);
    const gone = (id = "") => before.has(id) && !this.#listed.has(id);
    if (gone(microphone)) this.#media?.loseMicrophone();
    if (gone(camera)) this.#media?.loseCamera();
  }

  #showFields({ audioInput, videoInput, audioOutput }: Devices): void {
    this.#listed = new Set([...audioInput, ...videoInput].map(({ deviceId }) => deviceId));
    // A person who is choosing must not lose the list.
    if (this.fields.contains(document.activeElement)) return;
    const choices = this.#choices;
    this.fields.replaceChildren(
      ...[
        audioInput.length > 0 &&
          field("check.microphone", audioInput, choices.audioInput ?? "", (id) => this.#chooseMicrophone(id)),
        videoInput.length > 0 &&
          field("check.camera", videoInput, choices.videoInput ?? "", (id) => this.#chooseCamera(id)),
        canChooseSpeaker &&
          audioOutput.length > 0 &&
          field("check.speaker", audioOutput, choices.audioOutput, (id) => this.#chooseSpeaker(id)),
        speakerTest(() => choices.audioOutput),
      ].filter((part) => part !== false),
    );
  }

  async #turnMicrophone(on: boolean): Promise<void> {
    const devices = this.#media?.devices;
    if (!on) {
      devices?.mute(true);
      return;
    }
    try {
      await devices?.unmute(this.#choices.audioInput ?? "", this.#microphoneHeld);
      this.#choices.audioInput ??= "";
      // The provider may have muted the person while the microphone was opened.
      if (this.#restricted.audio) devices?.mute(true);
    } catch {
      this.lost("microphone");
    }
  }

  async #chooseMicrophone(id: string): Promise<boolean> {
    const devices = this.#media?.devices;
    const on = this.#microphoneLost || devices?.muted === false;
    const before = this.#choices.audioInput;
    if (!on && !devices?.microphoneOpen) {
      // It is off: the choice holds for when it is turned on.
      this.#choices.audioInput = id;
      return true;
    }
    try {
      await devices?.openMicrophone(id);
      this.#choices.audioInput = id;
      if (on && !this.#restricted.audio) devices?.mute(false);
      this.#microphoneFound();
      return true;
    } catch {
      announce("devices.taken.title", true);
    }
    try {
      // Rejects if the one before is gone too.
      await devices?.openMicrophone(before ?? "");
      if (on && !this.#restricted.audio) devices?.mute(false);
    } catch {
      if (on) this.lost("microphone");
    }
    return false;
  }

  #microphoneFound(): void {
    this.#microphoneLost = false;
    this.#notices.show("microphone", undefined);
  }

  #queueCamera<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#cameraQueue.then(action);
    this.#cameraQueue = done.catch(() => undefined);
    return done;
  }

  async #chooseCamera(id: string): Promise<boolean> {
    return this.#queueCamera(async () => {
      const before = this.#choices.videoInput;
      this.#choices.videoInput = id;
      if (!this.#cameraOn) return true;
      try {
        const changed = await this.#media?.devices.openCamera(id, before);
        if (changed !== false) {
          this.#notices.show("camera", undefined);
          return true;
        }
        this.#notices.show("camera", "camera.notChanged", true);
      } catch {
        this.lost("camera");
      }
      this.#choices.videoInput = before;
      return false;
    });
  }

  async #turnCamera(on: boolean): Promise<void> {
    try {
      if (on) await this.#media?.devices.openCamera(this.#choices.videoInput ?? "");
      else await this.#media?.devices.closeCamera();
      if (on) this.#choices.videoInput ??= "";
      this.#showCamera(on);
      this.#notices.show("camera", undefined);
      announce(on ? "camera.isOn" : "camera.isOff");
    } catch {
      this.lost("camera");
    }
  }

  async #chooseSpeaker(id: string): Promise<boolean> {
    try {
      await this.#media?.speaker(id);
      this.#choices.audioOutput = id;
      return true;
    } catch {
      announce("devices.taken.title", true);
      return false;
    }
  }

  #showCamera(on: boolean): void {
    this.#cameraOn = on;
    this.#choices.camera = on;
    this.#paintCamera();
  }

  async #share(): Promise<void> {
    if (this.#sharing) {
      this.#media?.unshare();
      return;
    }
    // A person who closes the browser's own dialog has changed their mind.
    await this.#media?.share().catch(() => undefined);
  }

  #paintMicrophone(muted: boolean): void {
    this.#choices.microphone = !muted;
    const { audio } = this.#restricted;
    const text = audio ? "microphone.takenAway" : muted ? "microphone.turnOn" : "microphone.turnOff";
    const audible = !muted && !this.#microphoneHeld;
    this.microphone.set(audible, text, audible ? "microphone" : "microphoneOff");
    this.microphone.root.disabled = audio;
  }

  #paintCamera(): void {
    const { video } = this.#restricted;
    const text = video ? "camera.takenAway" : this.#cameraOn ? "camera.turnOff" : "camera.turnOn";
    this.camera.set(this.#cameraOn, text, this.#cameraOn ? "camera" : "cameraOff");
    this.camera.root.disabled = video;
  }

  #paintShare(): void {
    const { content } = this.#restricted;
    const text = content ? "screen.takenAway" : this.#sharing ? "screen.stop" : "screen.share";
    this.screen.set(this.#sharing, text, "screen");
    this.screen.root.disabled = content;
    this.screen.root.classList.toggle("on", this.#sharing);
  }
}
