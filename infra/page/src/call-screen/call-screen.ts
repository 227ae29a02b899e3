// The call as a person sees it: pictures, captions, controls, and the panel beside them. It shows the state and reports what
// the person does; `consultation/` acts on it.

import type { Consent, Person, Role, Status } from "../answers.ts";
import { Captions } from "../captions.ts";
import { type Choice, ConsentNotice, ConsentSettings } from "../consent.ts";
import type { Choices } from "../devices.ts";
import { announce, button, h } from "../dom.ts";
import type { Media, MediaListener } from "../media.ts";
import { People, type PeopleActions, WaitingNotice } from "../people.ts";
import type { Line } from "../quality.ts";
import { languageButton, type Screen } from "../screen.ts";
import { SoundNotice } from "../sound.ts";
import { label, type Text, translate } from "../text.ts";
import { LineSign, Tiles } from "../tiles.ts";
import { control } from "./controls.ts";
import { DeviceControls } from "./device-controls.ts";
import { Indicators } from "./indicators.ts";
import { Names } from "./names.ts";
import { type Notice, Notices } from "./notices.ts";
import type { RecordingState } from "./recording-sign.ts";
import { SidePanel } from "./side-panel.ts";
import { CallTimer } from "./timer.ts";

export interface CallScreenActions extends PeopleActions {
  leave(): void;
  consent(choice: Choice): void;
  /** The script of the controls is to be loaded again. */
  loadControls(): void;
  /** The call is being recorded, or no longer. */
  recordingChanged(state: RecordingState): void;
  /** There is a sign that the status has changed. */
  statusStale(atOnce: boolean): void;
}

export class CallScreen {
  readonly screen: Screen;
  readonly audio = h("audio", { attributes: { hidden: true } });
  readonly #actions: CallScreenActions;
  readonly #role: Role;
  readonly #heading = h("h1", { class: "call-name", t: "call.title" });
  readonly #timer = new CallTimer();
  readonly #line = new LineSign();
  readonly #tiles = new Tiles();
  readonly #captions = new Captions();
  readonly #sound = new SoundNotice(this.audio);
  readonly #waiting = new WaitingNotice();
  readonly #question = new ConsentNotice();
  readonly #notices = new Notices();
  readonly #names = new Names();
  readonly #indicators: Indicators;
  readonly #people: People;
  readonly #consent: ConsentSettings;
  readonly #devices: DeviceControls;
  readonly #controls = h("div", { class: "settings" }, h("p", { t: "loading.body" }));
  readonly #panel: SidePanel;
  readonly #captionsControl = control("captions", "captions.show", () => this.#showCaptions(!this.#captionsOn));
  /** By attendee, whether they are muted, and whether they are there: the connection knows both before the server does. */
  readonly #muted = new Map<string, boolean>();
  readonly #present = new Map<string, boolean>();
  #media: Media | undefined;
  #status: Status | undefined;
  #captionsOn = false;

  constructor(role: Role, choices: Choices, actions: CallScreenActions) {
    this.#role = role;
    this.#actions = actions;
    this.#people = new People(actions);
    this.#indicators = new Indicators({
      transcription: (running) => this.#captions.waiting(running),
      transcriptEnded: (text) => this.#notices.show("transcription", text),
      recording: (state) => actions.recordingChanged(state),
      stale: (atOnce) => actions.statusStale(atOnce),
    });
    this.#consent = new ConsentSettings((choice) => actions.consent(choice));
    this.#devices = new DeviceControls(choices, this.#notices);
    this.#panel = new SidePanel((name) =>
      name === "settings" ? this.#settings() : name === "people" ? this.#people.root : this.#controls,
    );
    this.#heading.tabIndex = -1;
    const root = this.#layOut();
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#panel.close();
    });
    this.screen = { name: "call", title: "call.title", root, focus: this.#heading, close: () => this.#close() };
  }

  /** A connection is opened, the first or another one. */
  attach(media: Media): void {
    this.#media = media;
    this.#muted.clear();
    this.#present.clear();
    this.#indicators.recording.attach();
    this.#devices.attach(media);
    this.#tiles.begin(media, media.attendeeId, (attendeeId) => this.#names.of(attendeeId));
  }

  /** The connection's reports, as far as they are shown. */
  readonly listener: Omit<MediaListener, "connecting" | "started" | "stopped" | "refresh" | "stats" | "line"> = {
    presence: (attendeeId, userId, present) => {
      const own = attendeeId === this.#media?.attendeeId;
      if (own) this.#indicators.recording.ownPresence(present);
      this.#names.connect(attendeeId, userId);
      if (!present) this.#muted.delete(attendeeId);
      this.#present.set(attendeeId, present);
      if (!own) this.#names.announcePresence(attendeeId, present);
      this.#tiles.present(attendeeId, present);
      this.#paintPeople();
    },
    recorder: (attendeeId, present) => this.#indicators.recording.recorder(attendeeId, present),
    voice: (attendeeId, voice) => {
      if (voice.muted !== null && this.#muted.get(attendeeId) !== voice.muted) {
        this.#muted.set(attendeeId, voice.muted);
        this.#paintPeople();
      }
      this.#tiles.voice(attendeeId, voice);
    },
    tile: (tile) => {
      this.#names.connect(tile.attendeeId, tile.userId);
      this.#tiles.tile(tile);
    },
    tileGone: (id) => this.#tiles.gone(id),
    caption: (caption) => {
      this.#captions.add(caption, this.#names.of(caption.attendeeId));
      this.#indicators.transcription(true);
    },
    transcription: (running) => this.#indicators.transcription(running),
    muted: (muted) => this.#devices.muted(muted),
    lost: (kind) => this.#devices.lost(kind),
    held: (held) => this.#devices.held(held),
    sharing: (on) => this.#devices.sharing(on),
    level: (level) => this.#devices.level(level),
  };

  /** Grows when Chime's recorder comes or goes. */
  get recorderVersion(): number {
    return this.#indicators.recording.version;
  }

  /** Shows what the server says of the call. `recorderVersion` is that of the time when the status was requested. */
  showStatus(status: Status, recorderVersion: number): void {
    this.#status = status;
    const other = this.#role === "provider" ? null : status.providerName;
    if (other && !this.#heading.dataset["name"]) {
      delete this.#heading.dataset["t"];
      this.#heading.dataset["name"] = "";
      this.#heading.textContent = other;
    }
    this.#indicators.status(status, recorderVersion);
    this.#consent.show(status.consent);
    if (this.#waiting.show(this.#waitingPeople(), this.#actions)) announce("people.somebodyWaits", true);
    this.#devices.restrict(status.me.capabilities);
    this.#paintPeople();
  }

  showConsent(consent: Consent): void {
    if (this.#status) this.#status = { ...this.#status, consent };
    this.#consent.show(consent);
  }

  /** Shows that a question was put off, until there is none. */
  remind(ask: (() => void) | undefined): void {
    this.#question.show(ask);
  }

  /** Shows the provider's controls; without any, that they have not been loaded. */
  showControls(root?: HTMLElement): void {
    if (root) this.#controls.replaceChildren(root);
    else
      this.#controls.replaceChildren(
        h("p", { t: "notLoaded", attributes: { role: "alert" } }),
        button("button", "again", () => this.#actions.loadControls()),
      );
  }

  /** Whether the roster has the names of all these people. */
  knowsNamesOf(userIds: readonly string[]): boolean {
    return userIds.every((userId) => this.#names.ofUser(userId) !== null);
  }

  /** The names of these people, as the roster has them. */
  namesOf(userIds: readonly string[]): string {
    return userIds.map((userId) => this.#names.ofUser(userId) ?? translate("person.unknown")).join(", ");
  }

  showRoster(people: Person[]): void {
    this.#names.set(people);
    this.#tiles.rename();
    this.#paintPeople();
  }

  showLine(line: Line | "unknown"): void {
    this.#line.set(line);
  }

  /** The page is visible again, after a phone call perhaps. */
  resumeDevices(): void {
    this.#devices.resume();
    this.#sound.check();
  }

  notice(name: Notice, text: Text | undefined, urgent = false): void {
    this.#notices.show(name, text, urgent);
  }

  /** Audio and video run. */
  begin(now: () => number): void {
    this.#sound.check();
    this.#timer.start(now);
  }

  #layOut(): HTMLElement {
    const leave = control("leave", "leave", () => this.#actions.leave());
    leave.root.classList.add("leave");
    const controls = [
      this.#devices.microphone,
      this.#devices.camera,
      this.#devices.screen,
      this.#captionsControl,
      this.#panel.controls.people,
      ...(this.#role === "provider" ? [this.#panel.controls.recording] : []),
      this.#panel.controls.settings,
      leave,
    ];
    const notices = [this.#waiting.root, this.#question.root, this.#sound.root, ...this.#notices.roots];
    return h(
      "div",
      { class: "call" },
      h(
        "header",
        { class: "call-bar" },
        this.#heading,
        this.#timer.root,
        h("div", { class: "signs" }, ...this.#indicators.roots, this.#line.root),
        languageButton(),
      ),
      h(
        "div",
        { class: "middle" },
        h(
          "div",
          { class: "main" },
          ...notices,
          h("section", { class: "stage", label: "call.stage" }, this.#tiles.root, this.#captions.root),
        ),
        this.#panel.root,
      ),
      h(
        "div",
        { class: "controls", label: "call.controls", attributes: { role: "group" } },
        ...controls.map(({ root }) => root),
      ),
      this.audio,
    );
  }

  #settings(): HTMLElement {
    void this.#devices.listDevices();
    return h(
      "div",
      { class: "settings" },
      this.#devices.fields,
      this.#captions.sizeField(),
      this.#consent.root,
      languageButton(),
    );
  }

  #showCaptions(on: boolean): void {
    const running = this.#indicators.transcribing;
    this.#captionsOn = on;
    this.#captions.on = on;
    this.#captions.waiting(running);
    this.#captionsControl.set(on, on ? "captions.hide" : "captions.show", "captions");
    if (on) announce(running ? "captions.isOn" : "captions.notRunning");
    else announce("captions.isOff");
  }

  /** Those in the waiting room, whom only the provider sees. */
  #waitingPeople() {
    return this.#role === "provider" ? (this.#status?.waiting ?? []) : [];
  }

  #paintPeople(): void {
    const roster = this.#names.roster.map((person) => ({
      ...person,
      present: this.#present.get(person.attendeeId ?? "") ?? person.present,
    }));
    const self = roster.find(({ attendeeId }) => attendeeId === this.#media?.attendeeId)?.userId ?? null;
    const muted = (attendeeId: string | null) => attendeeId !== null && this.#muted.get(attendeeId) === true;
    this.#people.show(roster, this.#waitingPeople(), self, this.#role === "provider", muted);
    const present = roster.filter((person) => person.present).length;
    const { root } = this.#panel.controls.people;
    // The number is drawn by the style; the button's name has it in words.
    if (present > 0) root.dataset["count"] = String(present);
    else delete root.dataset["count"];
    label(root, ["people.openCount", { count: present }]);
  }

  #close(): void {
    this.#timer.stop();
    this.#devices.close();
    this.#captions.close();
  }
}
