import type { TokenSource } from "./api.ts";
import { within } from "./wait.ts";

/** How long the app may take to hand over a fresh token. */
const RENEWAL_MS = 10_000;

/** The token of the person. It is kept in memory only. */
export class Tokens implements TokenSource {
  readonly #requestToken: () => void;
  #token: string | undefined;
  #renewal: Promise<string | undefined> | undefined;
  #receivers: ((token: string) => void)[] = [];

  /** `requestToken` asks the app for a fresh token. */
  constructor(requestToken: () => void) {
    this.#requestToken = requestToken;
  }

  get known(): boolean {
    return this.#token !== undefined;
  }

  get current(): string {
    return this.#token ?? "";
  }

  /** The app has handed over a token. */
  receive(token: string): void {
    this.#token = token;
    for (const receiver of this.#receivers.splice(0)) receiver(token);
  }

  async renew(old: string): Promise<string | undefined> {
    if (this.#token !== undefined && this.#token !== old) return this.#token;
    // Requests that are rejected at the same time ask once.
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    const token = await this.#renewal;
    return token === old ? undefined : token;
  }

  #renew(): Promise<string | undefined> {
    const received = new Promise<string>((resolve) => this.#receivers.push(resolve));
    this.#requestToken();
    // A token that does not arrive in time is none.
    return within(RENEWAL_MS, received, () => new Error("late")).catch(() => undefined);
  }
}
