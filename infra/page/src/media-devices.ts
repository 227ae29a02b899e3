// Microphone and camera of one media connection. The page opens them itself and hands their streams to the SDK, which would
// otherwise stop what works before it knows whether what was chosen can be opened.

import type * as Chime from "amazon-chime-sdk-js";
import { openOne, stop } from "./devices.ts";

export class MediaDevices {
  readonly #av: Chime.AudioVideoFacade;
  readonly #controller: Chime.DefaultDeviceController;
  #microphone: MediaStream | undefined;
  #camera: MediaStream | undefined;
  #closed = false;

  constructor(av: Chime.AudioVideoFacade, controller: Chime.DefaultDeviceController) {
    this.#av = av;
    this.#controller = controller;
  }

  close(): void {
    this.#closed = true;
    for (const stream of [this.#microphone, this.#camera]) stop(stream);
  }

  mute(muted: boolean): void {
    if (muted) this.#av.realtimeMuteLocalAudio();
    else this.#av.realtimeUnmuteLocalAudio();
  }

  get muted(): boolean {
    return this.#av.realtimeIsLocalAudioMuted();
  }

  /** Whether a microphone is open; without one the SDK sends silence. */
  get microphoneOpen(): boolean {
    return this.#microphone !== undefined;
  }

  /** The ids of the devices that are open. */
  get openIds(): { microphone: string | undefined; camera: string | undefined } {
    const idOf = (stream: MediaStream | undefined) => stream?.getTracks()[0]?.getSettings().deviceId;
    return { microphone: idOf(this.#microphone), camera: idOf(this.#camera) };
  }

  /** Whether the camera is open and gives no picture, as after a phone call. */
  get cameraHeld(): boolean {
    return this.#camera?.getTracks().some(({ muted, readyState }) => muted || readyState === "ended") ?? false;
  }

  /** Opens a microphone. A muted person stays muted. */
  async openMicrophone(id: string): Promise<void> {
    // A phone opens one at a time, and one that a phone call has silenced gives sound again only when it is opened anew.
    stop(this.#microphone);
    this.#microphone = undefined;
    try {
      const stream = await openOne("audio", id);
      // The SDK mutes its present track only, not the next one: the new track is disabled until the person may be heard.
      for (const track of stream.getAudioTracks()) track.enabled = false;
      if (this.#closed) return stop(stream);
      await this.#av.startAudioInput(stream).catch((error: unknown) => {
        // Nothing else closes the stream.
        stop(stream);
        throw error;
      });
      this.#microphone = stream;
    } catch (error) {
      if (!this.#closed) this.mute(true);
      throw error;
    }
    if (!this.muted) this.#controller.unmuteLocalAudioInputStream();
  }

  /** Turns the microphone on, and opens this one if none is open, or anew if the one that is open gives no sound. */
  async unmute(id: string, anew: boolean): Promise<void> {
    if (anew || !this.microphoneOpen) await this.openMicrophone(id);
    this.mute(false);
  }

  /** The microphone has gone. Without another one silence is sent. */
  async loseMicrophone(): Promise<void> {
    stop(this.#microphone);
    this.#microphone = undefined;
    await this.#av.startAudioInput(null);
  }

  /**
   * Opens a camera. If it fails, the one before is opened again and the answer is false; if that fails too, there is no camera
   * and the first error is thrown.
   */
  async openCamera(id: string, before?: string): Promise<boolean> {
    try {
      await this.#useCamera(id);
      return true;
    } catch (error) {
      if (before === undefined || before === id) {
        await this.closeCamera();
        throw error;
      }
    }
    await this.openCamera(before);
    return false;
  }

  async closeCamera(): Promise<void> {
    stop(this.#camera);
    this.#camera = undefined;
    this.#av.stopLocalVideoTile();
    await this.#av.stopVideoInput();
  }

  async #useCamera(id: string): Promise<void> {
    // A phone opens one camera at a time.
    stop(this.#camera);
    this.#camera = undefined;
    const stream = await openOne("video", id);
    if (this.#closed) return stop(stream);
    await this.#av.startVideoInput(stream).catch((error: unknown) => {
      stop(stream);
      throw error;
    });
    this.#camera = stream;
    if (!this.#closed) this.#av.startLocalVideoTile();
  }
}
