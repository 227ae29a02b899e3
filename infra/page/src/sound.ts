// The notice that the browser blocks the sound. iOS plays sound without a touch only while something is captured, which is not
// so for a person who only listens; and a phone call pauses it.

import { announce, button, drawn, h, hide } from "./dom.ts";

export class SoundNotice {
  readonly root = h(
    "div",
    { class: "notice", attributes: { hidden: true, "data-notice": "sound" } },
    drawn("speaker"),
    h("p", { t: "sound.blocked" }),
    button("button small", "sound.hear", () => this.check()),
  );
  readonly #audio: HTMLAudioElement;

  constructor(audio: HTMLAudioElement) {
    this.#audio = audio;
    for (const change of ["loadedmetadata", "pause"]) audio.addEventListener(change, () => this.check());
    audio.addEventListener("playing", () => hide(this.root));
  }

  /** Plays the sound; if the browser requires a touch for that, asks for one. */
  check(): void {
    // An element that is not in the page or has no stream is paused rightly.
    if (!this.#audio.paused || !this.#audio.srcObject || !this.#audio.isConnected) return;
    this.#audio.play().catch((error: DOMException) => {
      if (error.name !== "NotAllowedError") return;
      if (this.root.hidden) announce("sound.blocked", true);
      this.root.hidden = false;
    });
  }
}
