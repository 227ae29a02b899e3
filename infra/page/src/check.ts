// The device check before the call.

import type { DeviceDefaults } from "./bridge.ts";
import { checkbox, field, toggle } from "./device-fields.ts";
import {
  browserKind,
  type Choices,
  canChooseSpeaker,
  chosenAtFirst,
  DeviceError,
  type Devices,
  listDevices,
  meter,
  openDevices,
  openOne,
  playNotes,
  stop,
} from "./devices.ts";
import { announce, button, h, named } from "./dom.ts";
import { head, message, type Screen, show } from "./screen.ts";
import { clear, put, type Text } from "./text.ts";

/** What a provider may request for the call that they start. */
export interface RequestedFeatures {
  recording: boolean;
  transcription: boolean;
}

export interface CheckOptions {
  /** The name of the other person. */
  name: string | null;
  provider: boolean;
  /** Whether joining starts the call. */
  begins: boolean;
  defaults: DeviceDefaults;
  join(choices: Choices, requested: RequestedFeatures): void;
}

/** Opens the devices, then shows the check, or the reason why they cannot be opened. */
export async function checkDevices(options: CheckOptions): Promise<void> {
  const signal = show(
    message({
      name: "permission",
      icon: "camera",
      title: "permission.title",
      body: ["permission.body"],
      actions: [],
      busy: true,
    }),
  );
  const choices = chosenAtFirst(options.defaults);
  const listen = () =>
    options.join(
      { ...choices, audioInput: undefined, videoInput: undefined, microphone: false, camera: false },
      { recording: false, transcription: false },
    );
  try {
    const stream = await openDevices(choices);
    if (signal.aborted) {
      stop(stream);
      return;
    }
    const devices = await listDevices();
    if (signal.aborted) stop(stream);
    else show(new Check(options, choices, stream, devices).screen);
  } catch (error) {
    if (signal.aborted) return;
    const kind = error instanceof DeviceError ? error.kind : "none";
    show(
      message({
        name: `devices-${kind}`,
        icon: "cameraOff",
        title: `devices.${kind}.title`,
        body: [`devices.${kind}.body`],
        hints: kind === "denied" ? permissionHints() : [`devices.${kind}.hint`],
        actions: [
          { text: "again", press: () => void checkDevices(options) },
          { text: "check.listen", press: listen, quiet: true },
        ],
        wrong: true,
      }),
    );
  }
}

function permissionHints(): Text[] {
  const kind = browserKind();
  return [`permission.${kind}.1`, `permission.${kind}.2`];
}

class Check {
  readonly screen: Screen;
  readonly #choices: Choices;
  readonly #picture = h("video", {
    attributes: { autoplay: true, playsinline: true, muted: true, tabindex: "-1", "aria-hidden": "true" },
  });
  readonly #off = h("p", { class: "preview-off", t: "check.cameraOff" });
  readonly #level = h(
    "div",
    {
      class: "level",
      label: "check.level",
      attributes: { role: "meter", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" },
    },
    h("i"),
  );
  readonly #error = h("p", { class: "trouble", attributes: { role: "alert" } });
  #audio: MediaStream | undefined;
  #video: MediaStream | undefined;
  #stopMeter: () => void = () => undefined;
  #closed = false;

  constructor(options: CheckOptions, choices: Choices, stream: MediaStream, devices: Devices) {
    this.#choices = choices;
    const [audio, video] = [stream.getAudioTracks(), stream.getVideoTracks()];
    this.#audio = audio.length > 0 ? new MediaStream(audio) : undefined;
    this.#video = video.length > 0 ? new MediaStream(video) : undefined;
    choices.audioInput = this.#audio ? (audio[0]?.getSettings().deviceId ?? "") : undefined;
    choices.videoInput = this.#video ? (video[0]?.getSettings().deviceId ?? "") : undefined;
    if (!this.#audio) choices.microphone = false;
    if (!this.#video) choices.camera = false;

    const microphone = toggle("microphone", choices.microphone, Boolean(this.#audio), (on) => {
      choices.microphone = on;
      this.#measureLevel();
    });
    const camera = toggle("camera", choices.camera, Boolean(this.#video), (on) => {
      choices.camera = on;
      void this.#showPreview();
    });
    const preview = h(
      "div",
      { class: "preview" },
      this.#picture,
      this.#off,
      h("div", { class: "preview-controls" }, microphone, camera),
    );

    const test = button("button quiet small", "check.speaker.test", () => void this.#play(test), "speaker");
    const fields = h(
      "div",
      { class: "fields" },
      devices.audioInput.length > 0 &&
        field(
          "check.microphone",
          devices.audioInput,
          choices.audioInput ?? "",
          (id) => void this.#changeMicrophone(id),
        ),
      h("div", { class: "level-row" }, h("span", { t: "check.level" }), this.#level),
      devices.videoInput.length > 0 &&
        field("check.camera", devices.videoInput, choices.videoInput ?? "", (id) => void this.#changeCamera(id)),
      h(
        "div",
        { class: "speaker-row" },
        canChooseSpeaker &&
          devices.audioOutput.length > 0 &&
          field("check.speaker", devices.audioOutput, choices.audioOutput, (id) => (choices.audioOutput = id)),
        test,
      ),
      this.#error,
    );

    const requested: RequestedFeatures = { recording: false, transcription: false };
    const wanted =
      options.provider && options.begins
        ? h(
            "fieldset",
            { class: "wishes" },
            h("legend", { t: "check.wishes" }),
            checkbox("check.recording", "check.recording.more", (on) => (requested.recording = on)),
            checkbox("check.transcription", "check.transcription.more", (on) => (requested.transcription = on)),
          )
        : undefined;

    const lead =
      options.name && !options.provider
        ? h(
            "p",
            { class: "lead" },
            h("span", { t: "check.with" }),
            document.createTextNode(" "),
            named("span", options.name),
          )
        : h("p", { class: "lead", t: options.provider ? "check.lead.provider" : "check.lead" });
    // Above the choice of devices, which most people do not change: on a phone the button is visible without scrolling.
    const join = button(
      "button wide",
      options.provider ? (options.begins ? "check.start" : "check.rejoin") : "check.join",
      () => options.join(choices, requested),
      "camera",
    );
    const side = h(
      "div",
      { class: "side" },
      h("h1", { t: "check.title" }),
      lead,
      wanted,
      join,
      h("p", { class: "small", t: "check.private" }),
      fields,
    );
    this.screen = {
      name: "check",
      title: "check.title",
      root: h("div", { class: "plain" }, head(), h("section", { class: "card check" }, preview, side)),
      close: () => this.#close(),
    };
    this.#measureLevel();
    void this.#showPreview();
  }

  #measureLevel(): void {
    this.#stopMeter();
    this.#level.classList.toggle("off", !this.#choices.microphone);
    this.#showLevel(0);
    if (this.#audio && this.#choices.microphone)
      this.#stopMeter = meter(this.#audio, (level) => this.#showLevel(level));
  }

  #showLevel(level: number): void {
    const bar = this.#level.firstElementChild as HTMLElement;
    bar.style.transform = `scaleX(${level.toFixed(2)})`;
    this.#level.setAttribute("aria-valuenow", String(Math.round(level * 10) * 10));
  }

  async #showPreview(): Promise<void> {
    if (this.#choices.camera && this.#choices.videoInput !== undefined && !this.#video)
      await this.#changeCamera(this.#choices.videoInput);
    // The camera is closed, so that its light goes out.
    if (!this.#choices.camera) {
      stop(this.#video);
      this.#video = undefined;
    }
    this.#picture.srcObject = this.#video ?? null;
    this.#off.hidden = Boolean(this.#video);
  }

  async #changeMicrophone(id: string): Promise<void> {
    await this.#change(async () => {
      const stream = await openOne("audio", id);
      stop(this.#audio);
      this.#audio = stream;
      this.#choices.audioInput = id;
      this.#measureLevel();
    });
  }

  async #changeCamera(id: string): Promise<void> {
    await this.#change(async () => {
      // A phone opens one camera at a time.
      stop(this.#video);
      this.#video = undefined;
      this.#choices.videoInput = id;
      this.#video = await openOne("video", id);
      this.#picture.srcObject = this.#video;
      this.#off.hidden = true;
    });
  }

  async #change(action: () => Promise<void>): Promise<void> {
    clear(this.#error);
    try {
      await action();
    } catch (error) {
      put(this.#error, `devices.${error instanceof DeviceError ? error.kind : "none"}.title`);
    }
    if (this.#closed) this.#close();
  }

  async #play(test: HTMLButtonElement): Promise<void> {
    test.setAttribute("aria-disabled", "true");
    announce("check.speaker.plays");
    await playNotes(this.#choices.audioOutput).catch(() => undefined);
    test.removeAttribute("aria-disabled");
  }

  #close(): void {
    this.#closed = true;
    this.#stopMeter();
    stop(this.#audio);
    stop(this.#video);
    this.#picture.srcObject = null;
  }
}
