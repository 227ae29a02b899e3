// The call as one sees it: pictures, captions, controls, and the panels beside them. It shows and asks; what is done about
// it is `consultation.ts`.

import type { Consent, Feature, FeatureState, Person, Role, Status } from "./answers.ts";
import { Captions } from "./captions.ts";
import { field } from "./check.ts";
import { type Choice, ConsentNotice, ConsentSettings } from "./consent.ts";
import { type Choices, canChooseSpeaker, canShareScreen, listDevices } from "./devices.ts";
import { announce, drawn, h, type Icon, redraw } from "./dom.ts";
import type { Caption, Media, MediaListener, Tile, Voice } from "./media.ts";
import { People, type PeopleActions, sends, WaitingNotice } from "./people.ts";
import type { Line } from "./quality.ts";
import { languageButton, type Screen } from "./screen.ts";
import { SoundNotice } from "./sound.ts";
import { type Key, label, put } from "./text.ts";
import { LineSign, Tiles } from "./tiles.ts";

export interface CallActions extends PeopleActions {
  leave(): void;
  consent(choice: Choice): void;
}

type Toggle = { root: HTMLButtonElement; set(on: boolean, text: Key, icon: Icon): void };
type PanelName = "people" | "settings";

/** What does not work, or is being done: each has a line of its own until it is taken back. */
const NOTICES = {
  line: "offline",
  session: "shield",
  ending: "leave",
  microphone: "microphoneOff",
  held: "microphoneOff",
  camera: "cameraOff",
} as const satisfies Record<string, Icon>;
type Notice = keyof typeof NOTICES;

export class CallScreen {
  readonly screen: Screen;
  readonly audio = h("audio", { attributes: { hidden: true } });
  readonly line = new LineSign();
  readonly #tiles = new Tiles();
  readonly #captions = new Captions();
  readonly #people: People;
  readonly #sound = new SoundNotice(this.audio);
  readonly #waiting = new WaitingNotice();
  readonly #consent: ConsentSettings;
  readonly #question = new ConsentNotice();
  readonly #actions: CallActions;
  readonly #choices: Choices;
  readonly #role: Role;
  readonly #heading = h("h1", { class: "call-name", t: "call.title" });
  readonly #timer = h("span", { class: "timer", attributes: { "data-name": true, "aria-hidden": "true" } });
  readonly #recording = sign("recording-sign", "sign.recording");
  readonly #transcription = sign("transcription-sign", "sign.transcription");
  readonly #notices = new Map<string, HTMLElement>();
  readonly #panel = h("aside", { class: "panel", attributes: { hidden: true } });
  readonly #fields = h("div", { class: "fields" });
  // The SDK tells of it only where it has been asked for a list, and to make one may ask the person for devices.
  readonly #plugged = () => void this.#listDevices();
  readonly #buttons: Record<"microphone" | "camera" | "screen" | "captions" | "people" | "settings", Toggle>;

  #media: Media | undefined;
  #roster: Person[] = [];
  #status: Status | undefined;
  #voices = new Map<string, boolean>();
  #users = new Map<string, string>();
  #cameraOn: boolean;
  #sharing = false;
  #captionsOn = false;
  #open: PanelName | undefined;
  #clock: ReturnType<typeof setInterval> | undefined;
  #silenced = false;
  /** The microphone was on and has gone away: another one is on too. */
  #lacking = false;
  #held = false;
  #unseen = false;
  #unshared = false;
  #transcribed: boolean | undefined;
  #came = new Set<string>();
  #unsaid = new Set<string>();
  #recorders = new Set<string>();
  #here = false;

  constructor(role: Role, choices: Choices, actions: CallActions) {
    this.#role = role;
    this.#choices = choices;
    this.#actions = actions;
    this.#cameraOn = choices.camera;
    this.#people = new People(actions);
    this.#consent = new ConsentSettings((choice) => actions.consent(choice));
    this.#buttons = {
      microphone: control(
        "microphone",
        "microphone.turnOff",
        () => void this.#turnMicrophone(this.#media?.muted ?? false),
      ),
      camera: control("camera", "camera.turnOff", () => void this.#turnCamera(!this.#cameraOn)),
      screen: control("screen", "screen.share", () => void this.#share()),
      captions: control("captions", "captions.show", () => this.#showCaptions(!this.#captionsOn)),
      people: control("people", "people.open", () => this.#toggle("people")),
      settings: control("gear", "settings.open", () => this.#toggle("settings")),
    };
    for (const name of ["people", "settings"] as const) this.#buttons[name].root.setAttribute("aria-expanded", "false");
    this.#buttons.screen.root.hidden = !canShareScreen;
    const leave = control("leave", "leave", () => actions.leave());
    leave.root.classList.add("leave");
    for (const [name, icon] of Object.entries(NOTICES)) this.#notices.set(name, quietNotice(name, icon));
    this.#heading.tabIndex = -1;

    const bar = h(
      "header",
      { class: "call-bar" },
      this.#heading,
      this.#timer,
      h("div", { class: "signs" }, this.#recording, this.#transcription, this.line.root),
      languageButton(),
    );
    const stage = h("section", { class: "stage", label: "call.stage" }, this.#tiles.root, this.#captions.root);
    const controls = h(
      "div",
      { class: "controls", label: "call.controls", attributes: { role: "group" } },
      ...Object.values(this.#buttons).map(({ root }) => root),
      leave.root,
    );
    const notices = [this.#waiting.root, this.#question.root, this.#sound.root, ...this.#notices.values()];
    const root = h(
      "div",
      { class: "call" },
      bar,
      h("div", { class: "middle" }, h("div", { class: "main" }, ...notices, stage), this.#panel),
      controls,
      this.audio,
    );
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#open) this.#toggle(this.#open);
    });
    this.screen = { name: "call", title: "call.title", root, focus: this.#heading, close: () => this.#close() };
    this.#paintCamera();
    this.#paintMuted(!choices.microphone);
    navigator.mediaDevices?.addEventListener("devicechange", this.#plugged);
  }

  /** A connection begins, the first or another one. */
  attach(media: Media): void {
    this.#media = media;
    this.#voices.clear();
    this.#recorders.clear();
    this.#here = false;
    this.#sharing = false;
    this.#held = false;
    this.notice("held", undefined);
    this.#paintShare();
    this.#tiles.begin(media, media.attendeeId, (attendeeId) => this.#nameOf(attendeeId));
  }

  /** What the connection tells, as far as it is to be seen. */
  readonly listener: Omit<MediaListener, "connecting" | "started" | "stopped" | "stats" | "line"> = {
    presence: (attendeeId, userId, present) => {
      if (attendeeId === this.#media?.attendeeId) this.#here = present;
      this.#users.set(attendeeId, userId);
      if (!present) this.#voices.delete(attendeeId);
      if (attendeeId !== this.#media?.attendeeId) this.#sayWho(attendeeId, present);
      this.#tiles.present(attendeeId, present);
    },
    recorder: (attendeeId, present) => {
      if (present) this.#recorders.add(attendeeId);
      else this.#recorders.delete(attendeeId);
      this.#runs("recording", this.#recorders.size > 0);
    },
    voice: (attendeeId: string, voice: Voice) => {
      if (voice.muted !== null && this.#voices.get(attendeeId) !== voice.muted) {
        this.#voices.set(attendeeId, voice.muted);
        this.#paintPeople();
      }
      this.#tiles.voice(attendeeId, voice);
    },
    tile: (tile: Tile) => {
      this.#users.set(tile.attendeeId, tile.userId);
      this.#tiles.tile(tile);
    },
    tileGone: (id) => this.#tiles.gone(id),
    caption: (caption: Caption) => {
      this.#captions.add(caption, this.#nameOf(caption.attendeeId));
      this.#transcribed = true;
      this.#runs("transcription", true);
    },
    transcription: (running) => {
      this.#transcribed = running;
      this.#runs("transcription", running);
    },
    muted: (muted) => {
      if (!muted) this.#hears();
      this.#paintMuted(muted);
      announce(muted ? "microphone.isOff" : "microphone.isOn");
    },
    lost: (kind) => {
      const words = kind === "camera" ? "camera.lost" : "microphone.lost";
      if (kind === "camera") this.#showCamera(false);
      else this.#lacking = true;
      // Closed or not: now it is another one that does not work.
      this.notice(kind, undefined);
      this.notice(kind, words, true);
    },
    held: (held) => {
      if (held === this.#held) return;
      this.#held = held;
      this.notice("held", held ? "microphone.held" : undefined, true);
      this.#paintMuted(this.#media?.muted ?? false);
    },
    sharing: (on) => {
      this.#sharing = on;
      this.#paintShare();
      announce(on ? "screen.isOn" : "screen.isOff");
    },
  };

  /** What the server says of the call. */
  showStatus(status: Status): void {
    this.#status = status;
    const other = this.#role === "provider" ? null : status.providerName;
    if (other && !this.#heading.dataset["name"]) {
      delete this.#heading.dataset["t"];
      this.#heading.dataset["name"] = "";
      this.#heading.textContent = other;
    }
    // The connection hears of both first. Until another one has said who is there, what was known holds.
    const recorded = this.#here ? this.#recorders.size > 0 : !this.#recording.hidden;
    this.#runs("recording", recorded || RUNS[status.recording.state]);
    this.#runs("transcription", this.#transcribed ?? RUNS[status.transcription.state]);
    this.#consent.show(status.consent);
    const waiting = this.#role === "provider" ? (status.waiting ?? []) : [];
    if (this.#waiting.show(waiting, this.#actions)) announce("people.somebodyWaits", true);
    const mine = status.me?.capabilities;
    this.#restrict(!sends(mine?.Audio), !sends(mine?.Video), !sends(mine?.Content));
    this.#paintPeople();
  }

  showConsent(consent: Consent): void {
    if (this.#status) this.#status = { ...this.#status, consent };
    this.#consent.show(consent);
  }

  /** A question that was put off, until there is none. */
  remind(ask: (() => void) | undefined): void {
    this.#question.show(ask);
  }

  showRoster(people: Person[]): void {
    this.#roster = people;
    this.#tiles.rename();
    this.#paintPeople();
    for (const attendeeId of [...this.#unsaid]) this.#sayWho(attendeeId, true);
  }

  showLine(line: Line | "unknown"): void {
    this.line.set(line);
  }

  /** A word on what is the matter, until it is taken back; one that was closed stays so as long. */
  notice(name: Notice, text: Key | undefined, urgent = false): void {
    const shown = this.#notices.get(name);
    const words = shown?.querySelector("p");
    if (!shown || !words || shown.dataset["text"] === text) return;
    shown.hidden = text === undefined;
    if (text === undefined) {
      delete shown.dataset["text"];
      return;
    }
    shown.dataset["text"] = text;
    put(words, text);
    announce(text, urgent);
  }

  /** The time that the call has taken for this person. */
  begin(now: () => number): void {
    this.#sound.check();
    if (this.#clock !== undefined) return;
    const began = now();
    const tick = () => {
      const seconds = Math.floor((now() - began) / 1000);
      const minutes = Math.floor(seconds / 60);
      this.#timer.textContent = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
    };
    this.#clock = setInterval(tick, 1000);
    tick();
  }

  #nameOf(attendeeId: string): string | null {
    const user = this.#users.get(attendeeId);
    return (
      this.#roster.find((person) => person.attendeeId === attendeeId || person.userId === user)?.displayName ?? null
    );
  }

  /** Once each: another connection tells anew of those who were there. Who has no name yet is said when the roster has brought it. */
  #sayWho(attendeeId: string, present: boolean): void {
    const name = this.#nameOf(attendeeId);
    this.#unsaid.delete(attendeeId);
    if (present === this.#came.has(attendeeId)) return;
    if (!present) this.#came.delete(attendeeId);
    else if (name) this.#came.add(attendeeId);
    else this.#unsaid.add(attendeeId);
    if (name) announce([present ? "call.came" : "call.went", { name }]);
  }

  #runs(feature: Feature, running: boolean): void {
    const shown = feature === "recording" ? this.#recording : this.#transcription;
    if (feature === "transcription") this.#captions.waiting(running);
    if (shown.hidden === !running) return;
    shown.hidden = !running;
    announce(running ? `sign.${feature}.began` : `sign.${feature}.stopped`);
  }

  #restrict(silenced: boolean, unseen: boolean, unshared: boolean): void {
    if (silenced !== this.#silenced) {
      this.#silenced = silenced;
      if (silenced) this.#media?.mute(true);
      this.#paintMuted(silenced || (this.#media?.muted ?? false));
      announce(silenced ? "microphone.takenAway" : "microphone.givenBack", true);
    }
    if (unseen !== this.#unseen) {
      this.#unseen = unseen;
      if (unseen && this.#cameraOn) void this.#turnCamera(false);
      this.#paintCamera();
      announce(unseen ? "camera.takenAway" : "camera.givenBack", true);
    }
    if (unshared !== this.#unshared) {
      this.#unshared = unshared;
      if (unshared && this.#sharing) this.#media?.unshare();
      this.#paintShare();
    }
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
      // It may have been taken away while it was opened.
      if (this.#silenced) media?.mute(true);
    } catch {
      this.listener.lost("microphone");
    }
  }

  async #chooseMicrophone(id: string): Promise<void> {
    const media = this.#media;
    const on = this.#lacking || media?.muted === false;
    this.#choices.audioInput = id;
    try {
      await media?.microphone(id);
      if (on && !this.#silenced) media?.mute(false);
      this.#hears();
    } catch {
      if (on) this.listener.lost("microphone");
      else announce("devices.taken.title", true);
    }
  }

  /** There is a microphone. */
  #hears(): void {
    this.#lacking = false;
    this.notice("microphone", undefined);
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
      this.notice("camera", undefined);
      announce(on ? "camera.isOn" : "camera.isOff");
    } catch {
      this.listener.lost("camera");
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
    // Whoever closes the browser's own question has changed their mind.
    await this.#media?.share().catch(() => undefined);
  }

  #showCaptions(on: boolean): void {
    this.#captionsOn = on;
    this.#captions.on = on;
    this.#captions.waiting(!this.#transcription.hidden);
    this.#buttons.captions.set(on, on ? "captions.hide" : "captions.show", "captions");
    announce(on ? (this.#transcription.hidden ? "captions.notRunning" : "captions.isOn") : "captions.isOff");
  }

  #paintMuted(muted: boolean): void {
    this.#choices.microphone = !muted;
    const text = this.#silenced ? "microphone.takenAway" : muted ? "microphone.turnOn" : "microphone.turnOff";
    const heard = !muted && !this.#held;
    this.#buttons.microphone.set(heard, text, heard ? "microphone" : "microphoneOff");
    this.#buttons.microphone.root.disabled = this.#silenced;
  }

  #paintCamera(): void {
    const text = this.#unseen ? "camera.takenAway" : this.#cameraOn ? "camera.turnOff" : "camera.turnOn";
    this.#buttons.camera.set(this.#cameraOn, text, this.#cameraOn ? "camera" : "cameraOff");
    this.#buttons.camera.root.disabled = this.#unseen;
  }

  #paintShare(): void {
    this.#buttons.screen.set(
      this.#sharing,
      this.#unshared ? "screen.takenAway" : this.#sharing ? "screen.stop" : "screen.share",
      "screen",
    );
    this.#buttons.screen.root.disabled = this.#unshared;
    this.#buttons.screen.root.classList.toggle("on", this.#sharing);
  }

  #paintPeople(): void {
    const waiting = this.#role === "provider" ? (this.#status?.waiting ?? []) : [];
    const self = this.#roster.find(({ attendeeId }) => attendeeId === this.#media?.attendeeId)?.userId ?? null;
    this.#people.show(
      this.#roster,
      waiting,
      self,
      this.#role === "provider",
      (attendeeId) => attendeeId !== null && this.#voices.get(attendeeId) === true,
    );
    const present = this.#roster.filter((person) => person.present).length;
    // Drawn by the style: the button's name says it in words.
    if (present > 0) this.#buttons.people.root.dataset["count"] = String(present);
    else delete this.#buttons.people.root.dataset["count"];
    label(this.#buttons.people.root, ["people.openCount", { count: present }]);
  }

  #toggle(name: PanelName): void {
    const opening = this.#open !== name;
    const before = this.#open;
    this.#open = opening ? name : undefined;
    for (const one of ["people", "settings"] as const) {
      this.#buttons[one].root.setAttribute("aria-expanded", String(this.#open === one));
      this.#buttons[one].root.classList.toggle("on", this.#open === one);
    }
    this.#panel.hidden = !opening;
    if (!opening) {
      if (before) this.#buttons[before].root.focus();
      return;
    }
    const heading = h("h2", { t: `${name}.title`, attributes: { tabindex: "-1" } });
    const close = h(
      "button",
      {
        class: "button quiet icon-only",
        label: "close",
        tip: true,
        attributes: { type: "button" },
        on: { click: () => this.#toggle(name) },
      },
      drawn("close"),
    );
    label(this.#panel, `${name}.title`);
    this.#panel.replaceChildren(
      h("div", { class: "panel-head" }, heading, close),
      name === "people"
        ? this.#people.root
        : h("div", { class: "settings" }, this.#fields, this.#consent.root, languageButton()),
    );
    if (name === "settings") void this.#listDevices();
    heading.focus();
  }

  async #listDevices(): Promise<void> {
    const devices = await listDevices();
    // The one who is choosing is not to lose the list under the finger.
    if (this.#fields.contains(document.activeElement)) return;
    this.#fields.replaceChildren(
      ...[
        devices.audioInput.length > 0 &&
          field(
            "check.microphone",
            devices.audioInput,
            this.#choices.audioInput ?? "",
            (id) => void this.#chooseMicrophone(id),
          ),
        devices.videoInput.length > 0 &&
          field(
            "check.camera",
            devices.videoInput,
            this.#choices.videoInput ?? "",
            (id) => void this.#chooseCamera(id),
          ),
        canChooseSpeaker &&
          devices.audioOutput.length > 0 &&
          field("check.speaker", devices.audioOutput, this.#choices.audioOutput, (id) => void this.#chooseSpeaker(id)),
      ].filter((part) => part !== false),
    );
  }

  #close(): void {
    clearInterval(this.#clock);
    navigator.mediaDevices?.removeEventListener("devicechange", this.#plugged);
    this.#captions.close();
  }
}

/** Whether a feature runs, in the words of the status. A wish is known to it, and so far no more. */
const RUNS: Record<FeatureState["state"], boolean> = { off: false, requested: false };

function sign(css: string, text: Key): HTMLElement {
  return h("span", { class: `sign-on ${css}`, attributes: { hidden: true } }, h("i"), h("span", { t: text }));
}

function quietNotice(name: string, icon: Icon): HTMLElement {
  const shut = () => {
    root.hidden = true;
    root.parentElement?.querySelector("h1")?.focus();
  };
  const close = h(
    "button",
    { class: "button quiet icon-only", label: "close", tip: true, attributes: { type: "button" }, on: { click: shut } },
    drawn("close"),
  );
  const root = h(
    "div",
    { class: "notice quiet-notice", attributes: { hidden: true, "data-notice": name } },
    drawn(icon),
    h("p"),
    close,
  );
  return root;
}

function control(icon: Icon, text: Key, press: () => void): Toggle {
  const words = h("span", { class: "control-text", t: `${short(text)}` });
  const root = h(
    "button",
    {
      class: "control",
      label: text,
      tip: true,
      attributes: { type: "button", "data-control": icon },
      on: { click: press },
    },
    drawn(icon),
    words,
  );
  return {
    root,
    set(on, text, icon) {
      root.classList.toggle("off", !on && (icon.startsWith("microphone") || icon.startsWith("camera")));
      if (icon === "captions") root.classList.toggle("on", on);
      label(root, text, true);
      redraw(root, icon);
    },
  };
}

/** The word under a control; its accessible name begins with it (WCAG 2.5.3). */
function short(text: Key): Key {
  return `control.${text.split(".")[0]}` as Key;
}
