import type { Right } from "../answers.ts";
import type { Api } from "../api.ts";
import type { Bridge } from "../bridge.ts";
import type { Config } from "../config.ts";
import type { Sdk } from "../sdk.ts";

/** The parts of the page around it that a consultation needs. */
export interface CallContext {
  api: Api;
  bridge: Bridge;
  config: Config;
  sdk: Promise<Sdk>;
  /** The person's rights to recordings and transcripts, as the first status has it. */
  rights: readonly Right[];
  /** Shows the screen for an error; `retry` is its button. */
  showError(error: unknown, retry: () => void): void;
  /** Goes back to the beginning: asks the server for the state of the call and shows the screen that belongs to it. */
  restart(): void;
}
