// The device check before the call.

import type { DeviceDefaults } from "./bridge.ts";
import { checkbox, field, speakerTest, type Toggle, toggle } from "./device-fields.ts";
import { meter } from "./device-sounds.ts";
import {
  browserKind,
  type Choices,
  canChooseSpeaker,
  chosenAtFirst,
  DeviceError,
  type DeviceErrorKind,
  type DeviceKind,
  type Devices,
  listDevices,
  type OpenedDevices,
  openDevices,
  openOne,
  stop,
} from "./devices.ts";
import { button, h, named } from "./dom.ts";
import { head, message, type Screen, show } from "./screen.ts";
import { SilenceDetector } from "./silence.ts";
import { clear, put, type Text } from "./text.ts";

/** The features that a provider may request for the call that they start. */
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

const KINDS = ["microphone", "camera"] as const;
/** The field of the choices with the device's id. */
const ID_OF = { microphone: "audioInput", camera: "videoInput" } as const;

/** Opens the devices, then shows the check, or the reason why none can be opened. */
export async function checkDevices(options: CheckOptions): Promise<void> {
  const choices = chosenAtFirst(options.defaults);
  const listen = () =>
    options.join(
      { ...choices, audioInput: undefined, videoInput: undefined, microphone: false, camera: false },
      { recording: false, transcription: false },
    );
  const signal = show(
    message({
      name: "permission",
      icon: "camera",
      // The browser may ask, and its question may never be answered.
      actions: [{ text: "check.listen", press: listen, quiet: true }],
      busy: true,
    }),
  );
  const opened = await openDevices(choices);
  const devices = signal.aborted ? undefined : await listDevices();
  if (signal.aborted || !devices) {
    stop(opened.microphone);
    stop(opened.camera);
    return;
  }
  const { microphone, camera } = opened.errors;
  const none = !opened.microphone && !opened.camera;
  const kind = microphone ?? camera;
  if (none && kind) show(failedScreen(kind, () => void checkDevices(options), listen));
  else show(new Check(options, choices, opened, devices).screen);
}

function failedScreen(kind: DeviceErrorKind, again: () => void, listen: () => void): Screen {
  return message({
    name: `devices-${kind}`,
    icon: "cameraOff",
    title: `devices.${kind}.title`,
    body: [`devices.${kind}.body`],
    hints: kind === "denied" ? permissionHints() : kind === "system" ? [] : [`devices.${kind}.hint`],
    actions: [
      { text: "again", press: again },
      { text: "check.listen", press: listen, quiet: true },
    ],
    wrong: true,
  });
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
  readonly #errors: Record<DeviceKind, HTMLElement> = { microphone: alert(), camera: alert() };
  readonly #silent = alert();
  readonly #silence = new SilenceDetector();
  readonly #toggles: Record<DeviceKind, Toggle>;
  readonly #streams: Partial<Record<DeviceKind, MediaStream>>;
  #stopMeter: () => void = () => undefined;
  #closed = false;
  /** Devices are opened one after the other. */
  #queued: Promise<void> = Promise.resolve();

  constructor(options: CheckOptions, choices: Choices, opened: OpenedDevices, devices: Devices) {
    this.#choices = choices;
    const { microphone, camera, errors } = opened;
    this.#streams = { ...(microphone ? { microphone } : {}), ...(camera ? { camera } : {}) };
    for (const kind of KINDS) {
      if (this.#streams[kind]) choices[ID_OF[kind]] = this.#openId(kind);
      else if (errors[kind]) this.#failed(kind, errors[kind]);
    }
    const made = (kind: DeviceKind) => toggle(kind, choices[kind], (on) => this.#queue(() => this.#turn(kind, on)));
    this.#toggles = { microphone: made("microphone"), camera: made("camera") };
    const preview = h(
      "div",
      { class: "preview" },
      this.#picture,
      this.#off,
      h("div", { class: "preview-controls" }, this.#toggles.microphone.root, this.#toggles.camera.root),
    );

    const fields = h(
      "div",
      { class: "fields" },
      devices.audioInput.length > 0 &&
        field("check.microphone", devices.audioInput, choices.audioInput ?? "", (id) => this.#choose("microphone", id)),
      h("div", { class: "level-row" }, h("span", { t: "check.level" }), this.#level),
      this.#silent,
      this.#errors.microphone,
      devices.videoInput.length > 0 &&
        field("check.camera", devices.videoInput, choices.videoInput ?? "", (id) => this.#choose("camera", id)),
      this.#errors.camera,
      h(
        "div",
        { class: "speaker-row" },
        canChooseSpeaker &&
          devices.audioOutput.length > 0 &&
          field("check.speaker", devices.audioOutput, choices.audioOutput, async (id) => {
            choices.audioOutput = id;
            return true;
          }),
        speakerTest(() => choices.audioOutput),
      ),
    );

    const requested: RequestedFeatures = { recording: false, transcription: false };
    const wanted =
      options.provider && options.begins
        ? h(
            "fieldset",
            { class: "options" },
            h("legend", { t: "check.options" }),
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
      options.provider && options.begins ? "check.start" : "check.join",
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
    this.#paint();
  }

  #queue(action: () => Promise<void>): void {
    this.#queued = this.#queued.then(action);
  }

  async #turn(kind: DeviceKind, on: boolean): Promise<void> {
    this.#choices[kind] = on;
    if (on && !this.#streams[kind]) await this.#open(kind, this.#choices[ID_OF[kind]] ?? "");
    // The camera is closed, so that its light goes out.
    if (!on && kind === "camera") this.#stop(kind);
    this.#paint();
  }

  /** Whether the device that was chosen is the one in use. */
  async #choose(kind: DeviceKind, id: string): Promise<boolean> {
    const chosen = new Promise<boolean>((resolve) => {
      this.#queue(async () => resolve(await this.#switch(kind, id)));
    });
    return chosen;
  }

  async #switch(kind: DeviceKind, id: string): Promise<boolean> {
    const before = this.#choices[ID_OF[kind]];
    if (!this.#streams[kind]) {
      // It is off: the choice holds for when it is turned on.
      this.#choices[ID_OF[kind]] = id;
      return true;
    }
    // A phone opens one at a time.
    this.#stop(kind);
    const error = await this.#open(kind, id);
    if (error && before !== undefined) {
      this.#choices[kind] = true;
      await this.#open(kind, before);
      put(this.#errors[kind], `blocked.${kind}.${error}`);
    }
    this.#paint();
    return !error;
  }

  /** Opens a device, or says why it cannot be opened. */
  async #open(kind: DeviceKind, id: string): Promise<DeviceErrorKind | undefined> {
    clear(this.#errors[kind]);
    try {
      const stream = await openOne(kind === "microphone" ? "audio" : "video", id);
      if (this.#closed) stop(stream);
      else this.#streams[kind] = stream;
      this.#choices[ID_OF[kind]] = id;
      return undefined;
    } catch (error) {
      const reason = error instanceof DeviceError ? error.kind : "none";
      this.#failed(kind, reason);
      return reason;
    }
  }

  #failed(kind: DeviceKind, error: DeviceErrorKind): void {
    this.#choices[kind] = false;
    if (error === "none") this.#choices[ID_OF[kind]] = undefined;
    put(this.#errors[kind], `blocked.${kind}.${error}`);
  }

  #openId(kind: DeviceKind): string {
    return this.#streams[kind]?.getTracks()[0]?.getSettings().deviceId ?? "";
  }

  #stop(kind: DeviceKind): void {
    stop(this.#streams[kind]);
    delete this.#streams[kind];
  }

  #paint(): void {
    if (this.#closed) return;
    for (const kind of KINDS) this.#toggles[kind].set(this.#choices[kind]);
    this.#picture.srcObject = this.#streams.camera ?? null;
    this.#off.hidden = Boolean(this.#streams.camera);
    this.#stopMeter();
    this.#level.classList.toggle("off", !this.#choices.microphone);
    this.#silence.reset();
    clear(this.#silent);
    this.#showLevel(0);
    const { microphone } = this.#streams;
    if (microphone && this.#choices.microphone)
      this.#stopMeter = meter(microphone, (level, amplitude) => {
        this.#showLevel(level);
        if (this.#silence.read(amplitude, performance.now())) put(this.#silent, "microphone.silent");
        else clear(this.#silent);
      });
  }

  #showLevel(level: number): void {
    const bar = this.#level.firstElementChild as HTMLElement;
    bar.style.transform = `scaleX(${level.toFixed(2)})`;
    this.#level.setAttribute("aria-valuenow", String(Math.round(level * 10) * 10));
  }

  #close(): void {
    this.#closed = true;
    this.#stopMeter();
    for (const kind of KINDS) this.#stop(kind);
    this.#picture.srcObject = null;
  }
}

function alert(): HTMLElement {
  return h("p", { class: "field-error", attributes: { role: "alert" } });
}
