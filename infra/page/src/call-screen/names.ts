import type { Person } from "../answers.ts";
import { announce } from "../dom.ts";

/** The names of those in the call, and the announcements that they have come and gone. */
export class Names {
  #roster: Person[] = [];
  readonly #users = new Map<string, string>();
  /** Attendees whose arrival has been announced. */
  readonly #announced = new Set<string>();
  /** Attendees who have come and have no name yet. */
  readonly #unnamed = new Set<string>();

  get roster(): Person[] {
    return this.#roster;
  }

  set(roster: Person[]): void {
    this.#roster = roster;
    for (const attendeeId of [...this.#unnamed]) this.announcePresence(attendeeId, true);
  }

  /** Notes which user an attendee is. */
  connect(attendeeId: string, userId: string): void {
    this.#users.set(attendeeId, userId);
  }

  of(attendeeId: string): string | null {
    const user = this.#users.get(attendeeId);
    const known = this.#roster.find((person) => person.attendeeId === attendeeId || person.userId === user);
    return known?.displayName ?? null;
  }

  ofUser(userId: string): string | null {
    return this.#roster.find((person) => person.userId === userId)?.displayName ?? null;
  }

  /** Announces each arrival once, also when another connection reports it again. Without a name it waits for the roster. */
  announcePresence(attendeeId: string, present: boolean): void {
    const name = this.of(attendeeId);
    this.#unnamed.delete(attendeeId);
    if (present === this.#announced.has(attendeeId)) return;
    if (!present) this.#announced.delete(attendeeId);
    else if (name) this.#announced.add(attendeeId);
    else this.#unnamed.add(attendeeId);
    if (name) announce([present ? "call.came" : "call.went", { name }]);
  }
}
