// The video tiles: one for each person, one for a shared screen.

import { drawn, h } from "./dom.ts";
import type { Media, Tile, Voice } from "./media.ts";
import { label, put, translate } from "./text.ts";

interface Shown {
  root: HTMLElement;
  video: HTMLVideoElement;
  face: HTMLElement;
  name: HTMLElement;
  sound: HTMLElement;
  tile: number | undefined;
}

export class Tiles {
  readonly root = h("div", { class: "tiles" });
  readonly #alone = h("p", { class: "alone", t: "call.alone" });
  readonly #people = new Map<string, Shown>();
  #shared: Shown | undefined;
  #self = "";
  #media: Media | undefined;
  #nameOf: (attendeeId: string) => string | null = () => null;

  /** Begins with a new connection, which reports everyone again. */
  begin(media: Media, self: string, nameOf: (attendeeId: string) => string | null): void {
    this.#media = media;
    this.#self = self;
    this.#nameOf = nameOf;
    this.#people.clear();
    this.#shared = undefined;
    this.root.replaceChildren(this.#alone);
    this.#add(self);
    this.#arrange();
  }

  present(attendeeId: string, present: boolean): void {
    if (attendeeId === this.#self) return;
    if (present) this.#add(attendeeId);
    else {
      this.#people.get(attendeeId)?.root.remove();
      this.#people.delete(attendeeId);
    }
    this.#arrange();
  }

  tile(tile: Tile): void {
    if (tile.content) this.#shared ??= this.#make(tile.attendeeId, true);
    const shown = (tile.content && this.#shared) || this.#add(tile.attendeeId);
    if (shown.tile !== tile.id) {
      shown.tile = tile.id;
      this.#media?.bind(tile.id, shown.video);
    }
    shown.root.classList.toggle("seen", tile.seen);
    shown.root.classList.toggle("paused", tile.paused);
    this.#arrange();
  }

  gone(id: number): void {
    if (this.#shared?.tile === id) {
      this.#shared.root.remove();
      this.#shared = undefined;
    }
    for (const shown of this.#people.values()) {
      if (shown.tile !== id) continue;
      shown.tile = undefined;
      shown.video.srcObject = null;
      shown.root.classList.remove("seen", "paused");
    }
    this.#arrange();
  }

  voice(attendeeId: string, { volume, muted, signal }: Voice): void {
    const shown = this.#people.get(attendeeId);
    if (!shown) return;
    if (volume !== null) shown.root.classList.toggle("speaking", volume > 0.08);
    if (muted !== null) {
      shown.root.classList.toggle("muted", muted);
      shown.sound.hidden = !muted;
    }
    if (signal !== null) shown.root.classList.toggle("weak", signal < 0.5);
  }

  /** Shows the names again after the roster has changed. */
  rename(): void {
    for (const [attendeeId, shown] of this.#people) this.#write(attendeeId, shown, false);
    if (this.#shared) this.#write(this.#shared.root.dataset["attendee"] ?? "", this.#shared, true);
  }

  #add(attendeeId: string): Shown {
    let shown = this.#people.get(attendeeId);
    if (!shown) {
      shown = this.#make(attendeeId, false);
      this.#people.set(attendeeId, shown);
    }
    return shown;
  }

  #make(attendeeId: string, content: boolean): Shown {
    const video = h("video", {
      attributes: { autoplay: true, playsinline: true, muted: true, "aria-hidden": "true", tabindex: "-1" },
    });
    const face = h("div", { class: "face", attributes: { "aria-hidden": "true", "data-name": true } });
    const name = h("span", { class: "name" });
    const sound = h(
      "span",
      { class: "sound", label: "person.muted", attributes: { role: "img", hidden: true } },
      drawn("microphoneOff"),
    );
    const root = h(
      "figure",
      {
        class: `tile${content ? " content" : ""}${attendeeId === this.#self ? " self" : ""}`,
        attributes: { "data-attendee": attendeeId },
      },
      face,
      video,
      h("figcaption", {}, sound, name),
    );
    const shown = { root, video, face, name, sound, tile: undefined };
    this.#write(attendeeId, shown, content);
    this.root.append(root);
    return shown;
  }

  #write(attendeeId: string, shown: Shown, content: boolean): void {
    const name = this.#nameOf(attendeeId);
    shown.face.textContent = initials(name);
    if (attendeeId === this.#self) put(shown.name, content ? "tile.yourScreen" : "role.you");
    else if (content) put(shown.name, name ? ["tile.screenOf", { name }] : "tile.screen");
    else if (name) {
      delete shown.name.dataset["t"];
      shown.name.dataset["name"] = "";
      shown.name.textContent = name;
    } else put(shown.name, "person.unknown");
  }

  /** One other person fills the stage, with the own picture in a corner; more people share it; a shared screen is above all. */
  #arrange(): void {
    const others = this.#people.size - (this.#people.has(this.#self) ? 1 : 0);
    this.#alone.hidden = others > 0 || this.#shared !== undefined;
    this.root.dataset["layout"] = this.#shared ? "shared" : others <= 1 ? "pair" : "grid";
    this.root.style.setProperty("--count", String(Math.max(1, others + 1)));
    this.root.style.setProperty("--columns", String(Math.ceil(Math.sqrt(others + 1))));
  }
}

/** The quality of the connection, as three bars and as text. */
export class LineSign {
  readonly root = h("span", { class: "line-sign", attributes: { role: "img" } }, h("i"), h("i"), h("i"));

  constructor() {
    this.set("unknown");
  }

  set(line: "good" | "fair" | "poor" | "unknown"): void {
    this.root.dataset["line"] = line;
    label(this.root, `line.${line}`, true);
  }
}

/** The initials that are shown in place of a picture. */
function initials(name: string | null): string {
  const words = (name ?? "").trim().split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("");
  return letters.toLocaleUpperCase() || translate("person.initial");
}
