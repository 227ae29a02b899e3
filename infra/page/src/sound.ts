// What the others say, where the browser does not play it by itself: iOS does so only while something is captured, which is not
// so for one who listens; and it stops for a call of the phone.

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

  /** Plays what there is to hear; if that takes a touch, asks for one. */
  check(): void {
    // What is taken from the page or has nothing to play is paused rightly.
    if (!this.#audio.paused || !this.#audio.srcObject || !this.#audio.isConnected) return;
    this.#audio.play().catch((error: DOMException) => {
      if (error.name !== "NotAllowedError") return;
      if (this.root.hidden) announce("sound.blocked", true);
      this.root.hidden = false;
    });
  }
}
