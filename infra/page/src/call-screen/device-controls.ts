// Microphone, camera, speaker and screen sharing in the call: the controls, the choice of devices, and what the provider has
// taken away.

import type { Capabilities } from "../answers.ts";
import { field } from "../device-fields.ts";
import { type Choices, canChooseSpeaker, canShareScreen, listDevices } from "../devices.ts";
import { announce, h } from "../dom.ts";
import type { Media } from "../media.ts";
import { sends } from "../people.ts";
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
  readonly #devicesChanged = () => void this.listDevices();
  #media: Media | undefined;
  #cameraOn: boolean;
  #sharing = false;
  /** The microphone was on and has gone away: another one that is chosen is on too. */
  #microphoneLost = false;
  /** The device uses the microphone for something else, as for a phone call. */
  #microphoneHeld = false;
  /** What the provider has taken away. */
  #restricted = { audio: false, video: false, content: false };

  constructor(choices: Choices, notices: Notices) {
    this.#choices = choices;
    this.#notices = notices;
    this.#cameraOn = choices.camera;
    this.microphone = control(
      "microphone",
      "microphone.turnOff",
      () => void this.#turnMicrophone(this.#media?.muted ?? false),
    );
    this.camera = control("camera", "camera.turnOff", () => void this.#turnCamera(!this.#cameraOn));
    this.screen = control("screen", "screen.share", () => void this.#share());
    this.screen.root.hidden = !canShareScreen;
    this.#paintCamera();
    this.#paintMicrophone(!choices.microphone);
    navigator.mediaDevices?.addEventListener("devicechange", this.#devicesChanged);
  }

  /** Another connection is in use. */
  attach(media: Media): void {
    this.#media = media;
    this.#sharing = false;
    this.#microphoneHeld = false;
    this.#notices.show("held", undefined);
    this.#paintShare();
  }

  close(): void {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#devicesChanged);
  }

  muted(muted: boolean): void {
    if (!muted) this.#microphoneFound();
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
    this.#paintMicrophone(this.#media?.muted ?? false);
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
      if (audio) this.#media?.mute(true);
      this.#paintMicrophone(audio || (this.#media?.muted ?? false));
      announce(audio ? "microphone.takenAway" : "microphone.givenBack", true);
    }
    if (video !== before.video) {
      if (video && this.#cameraOn) void this.#turnCamera(false);
      this.#paintCamera();
      announce(video ? "camera.takenAway" : "camera.givenBack", true);
    }
    if (content !== before.content) {
      if (content && this.#sharing) this.#media?.unshare();
      this.#paintShare();
    }
  }

  async listDevices(): Promise<void> {
    const { audioInput, videoInput, audioOutput } = await listDevices();
    // A person who is choosing must not lose the list.
    if (this.fields.contains(document.activeElement)) return;
    const choices = this.#choices;
    this.fields.replaceChildren(
      ...[
        audioInput.length > 0 &&
          field("check.microphone", audioInput, choices.audioInput ?? "", (id) => void this.#chooseMicrophone(id)),
        videoInput.length > 0 &&
          field("check.camera", videoInput, choices.videoInput ?? "", (id) => void this.#chooseCamera(id)),
        canChooseSpeaker &&
          audioOutput.length > 0 &&
          field("check.speaker", audioOutput, choices.audioOutput, (id) => void this.#chooseSpeaker(id)),
      ].filter((part) => part !== false),
    );
  }

  async #turnMicrophone(on: boolean): Promise<void> {
    const media = this.#media;
    if (!on) {
      media?.mute(true);
      return;
    }
    try {
      await media?.unmute(this.#choices.audioInput ?? "");
      this.#choices.audioInput ??= "";
      // The provider may have muted the person while the microphone was opened.
      if (this.#restricted.audio) media?.mute(true);
    } catch {
      this.lost("microphone");
    }
  }

  async #chooseMicrophone(id: string): Promise<void> {
    const media = this.#media;
    const on = this.#microphoneLost || media?.muted === false;
    this.#choices.audioInput = id;
    try {
      await media?.microphone(id);
      if (on && !this.#restricted.audio) media?.mute(false);
      this.#microphoneFound();
    } catch {
      if (on) this.lost("microphone");
      else announce("devices.taken.title", true);
    }
  }

  #microphoneFound(): void {
    this.#microphoneLost = false;
    this.#notices.show("microphone", undefined);
  }

  async #chooseCamera(id: string): Promise<void> {
    this.#choices.videoInput = id;
    if (this.#cameraOn) await this.#turnCamera(true);
  }

  async #turnCamera(on: boolean): Promise<void> {
    try {
      if (on) await this.#media?.camera(this.#choices.videoInput ?? "");
      else await this.#media?.cameraOff();
      if (on) this.#choices.videoInput ??= "";
      this.#showCamera(on);
      this.#notices.show("camera", undefined);
      announce(on ? "camera.isOn" : "camera.isOff");
    } catch {
      this.lost("camera");
    }
  }

  async #chooseSpeaker(id: string): Promise<void> {
    this.#choices.audioOutput = id;
    await this.#media?.speaker(id).catch(() => announce("devices.taken.title", true));
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
