// The list of people: those in the call, those who wait, and the provider's actions for each.

import type { Capability, Person, WaitingPerson } from "./answers.ts";
import { button, drawn, h, hide, named } from "./dom.ts";
import { type Key, put } from "./text.ts";

export interface PeopleActions {
  admit(userId: string): void;
  turnAway(userId: string): void;
  allow(userId: string, kind: "audio" | "video", allowed: boolean): void;
  remove(userId: string, name: string | null): void;
}

/** Whether a person is muted, which the connection knows before the server does. */
export type MutedNow = (attendeeId: string | null) => boolean;

export class People {
  readonly root = h("div", { class: "people" });
  readonly #waiting = h("ul", { class: "list waiting-list" });
  readonly #waitingBox = h("section", { attributes: { hidden: true } }, h("h3", { t: "role.waiting" }), this.#waiting);
  readonly #heading = h("h3", { t: "people.present", attributes: { tabindex: "-1" } });
  readonly #present = h("ul", { class: "list" });
  readonly #absent = h("ul", { class: "list" });
  readonly #absentBox = h("section", { attributes: { hidden: true } }, h("h3", { t: "people.absent" }), this.#absent);
  readonly #actions: PeopleActions;
  #before = "";

  constructor(actions: PeopleActions) {
    this.#actions = actions;
    this.root.append(this.#waitingBox, h("section", {}, this.#heading, this.#present), this.#absentBox);
  }

  show(people: Person[], waiting: WaitingPerson[], self: string | null, provider: boolean, muted: MutedNow): void {
    const withVoice = people.map((person) => ({ ...person, muted: muted(person.attendeeId) }));
    // Without a change nothing is rendered again.
    const now = JSON.stringify([
      withVoice.map(({ userId, displayName, role, status, present, capabilities, muted }) => [
        userId,
        displayName,
        role,
        status,
        present,
        capabilities,
        muted,
      ]),
      waiting,
      self,
      provider,
    ]);
    if (now === this.#before) return;
    this.#before = now;
    keepFocus(this.root, this.#heading, () => this.#draw(withVoice, waiting, self, provider));
  }

  #draw(
    withVoice: (Person & { muted: boolean })[],
    waiting: WaitingPerson[],
    self: string | null,
    provider: boolean,
  ): void {
    this.#waitingBox.hidden = waiting.length === 0;
    this.#waiting.replaceChildren(...waiting.map((person) => this.#waits(person)));
    const waits = new Set(waiting.map(({ userId }) => userId));
    const here = withVoice.filter(({ present }) => present);
    const away = withVoice.filter(
      ({ present, userId, status }) => !present && !waits.has(userId) && status !== "waiting",
    );
    this.#present.replaceChildren(...here.map((person) => this.#is(person, self, provider)));
    this.#absent.replaceChildren(...away.map((person) => this.#was(person, provider)));
    this.#absentBox.hidden = away.length === 0;
  }

  #waits({ userId, displayName }: WaitingPerson): HTMLElement {
    return h(
      "li",
      { class: "person" },
      who(displayName, "role.waiting"),
      h(
        "div",
        { class: "person-actions" },
        act(userId, "admit", "people.admit", displayName, () => this.#actions.admit(userId), ""),
        act(userId, "turnAway", "people.turnAway", displayName, () => this.#actions.turnAway(userId)),
      ),
    );
  }

  #is(
    { userId, displayName, role, capabilities, muted }: Person & { muted: boolean },
    self: string | null,
    provider: boolean,
  ): HTMLElement {
    const mine = userId === self;
    const speaks = sends(capabilities.Audio);
    const shows = sends(capabilities.Video);
    const states = [
      muted || !speaks ? state("microphoneOff", speaks ? "person.muted" : "person.silenced") : undefined,
      shows ? undefined : state("cameraOff", "person.unseen"),
    ];
    const actions =
      provider && !mine
        ? h(
            "div",
            { class: "person-actions" },
            act(userId, "audio", speaks ? "people.mute" : "people.unmute", displayName, () =>
              this.#actions.allow(userId, "audio", !speaks),
            ),
            act(userId, "video", shows ? "people.stopVideo" : "people.allowVideo", displayName, () =>
              this.#actions.allow(userId, "video", !shows),
            ),
            act(
              userId,
              "remove",
              "people.remove",
              displayName,
              () => this.#actions.remove(userId, displayName),
              "quiet danger",
            ),
          )
        : undefined;
    return h(
      "li",
      { class: "person" },
      who(displayName, mine ? "role.you" : `role.${role}`),
      h("div", { class: "person-states" }, ...states),
      actions,
    );
  }

  #was({ userId, displayName, status }: Person, provider: boolean): HTMLElement {
    const known = ["invited", "left", "removed", "turned_away"] as const;
    const word = known.find((one) => one === status) ?? "left";
    // A person who was turned away by mistake can be admitted.
    const back =
      provider &&
      word === "turned_away" &&
      act(userId, "admit", "people.admit", displayName, () => this.#actions.admit(userId));
    return h("li", { class: "person away" }, who(displayName, `status.${word}`), back);
  }
}

function who(name: string | null, role: Key): HTMLElement {
  const called = name ? named("span", name, "person-name") : h("span", { class: "person-name", t: "person.unknown" });
  return h("div", { class: "who" }, called, h("span", { class: "person-role", t: role }));
}

function state(icon: "microphoneOff" | "cameraOff", text: Key): HTMLElement {
  return h("span", { class: "state", label: text, tip: true, attributes: { role: "img" } }, drawn(icon));
}

function act(
  userId: string,
  what: string,
  text: Key,
  name: string | null,
  press: () => void,
  css = "quiet",
): HTMLButtonElement {
  const element = button(`button small ${css}`, text, press);
  // The action's name, and not its text, which changes with the state.
  element.dataset["act"] = `${what}:${userId}`;
  // "Mute" alone would be the same name for five people.
  if (name) element.append(named("span", ` ${name}`, "unseen"));
  return element;
}

/**
 * Renders again what may contain the focus. The focus stays at the same action for the same person, else it moves beside it:
 * never to the same action for another person.
 */
function keepFocus(root: HTMLElement, beside: HTMLElement, draw: () => void): void {
  const focused = document.activeElement;
  const held = focused instanceof HTMLElement && root.contains(focused);
  draw();
  if (!held || root.contains(document.activeElement)) return;
  const act = focused.dataset["act"];
  const same = act ? root.querySelector<HTMLElement>(`[data-act="${CSS.escape(act)}"]`) : undefined;
  (same ?? beside).focus();
}

export function sends(capability: Capability): boolean {
  return capability === "SendReceive" || capability === "Send";
}

/** The provider's notice above the pictures that somebody waits. */
export class WaitingNotice {
  readonly root = h("div", {
    class: "notice",
    attributes: { hidden: true, "data-notice": "waiting", "data-above-dialogs": true },
  });
  readonly #text = h("p", { attributes: { tabindex: "-1" } });
  readonly #buttons = h("div", { class: "person-actions" });
  #before = "";

  constructor() {
    this.root.append(drawn("hand"), this.#text, this.#buttons);
  }

  show(waiting: WaitingPerson[], actions: PeopleActions): boolean {
    const ids = waiting.map(({ userId }) => userId).join();
    const more = ids !== this.#before && waiting.length > 0;
    if (ids === this.#before) return false;
    this.#before = ids;
    const first = waiting[0];
    if (!first) {
      hide(this.root);
      return false;
    }
    this.root.hidden = false;
    put(
      this.#text,
      waiting.length > 1
        ? ["people.someWait", { count: waiting.length }]
        : first.displayName
          ? ["people.oneWaits", { name: first.displayName }]
          : "people.somebodyWaits",
    );
    keepFocus(this.root, this.#text, () =>
      this.#buttons.replaceChildren(
        act(first.userId, "admit", "people.admit", first.displayName, () => actions.admit(first.userId), ""),
        act(first.userId, "turnAway", "people.turnAway", first.displayName, () => actions.turnAway(first.userId)),
      ),
    );
    return more;
  }
}
