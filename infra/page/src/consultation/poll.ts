import type { Api } from "../api.ts";
import { wait } from "../wait.ts";
import { isAbort, isTransient, retryDelay } from "./errors.ts";
import type { ConsultationEvent, NotStarted, Waiting } from "./phase.ts";

const INTERVAL_MS = 3_000;

/** Asks for the status of the call until the phase ends. An error that passes by itself is no reason to give up. */
export async function pollStatus(
  api: Api,
  { attempt }: NotStarted | Waiting,
  signal: AbortSignal,
  dispatch: (event: ConsultationEvent) => void,
): Promise<void> {
  try {
    for (;;) {
      await wait(INTERVAL_MS, signal);
      try {
        const status = await api.status();
        signal.throwIfAborted();
        dispatch({ type: "status", attempt, status });
      } catch (error) {
        if (!isTransient(error)) throw error;
        await wait(retryDelay(error), signal);
      }
    }
  } catch (error) {
    if (!isAbort(error)) dispatch({ type: "statusFailed", attempt, error });
  }
}
