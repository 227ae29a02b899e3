import type { Api } from "../api.ts";
import { wait } from "../wait.ts";
import { isAbort, isTransient, retryDelay } from "./errors.ts";
import type { ConsentAsked, ConsultationEvent, NotStarted, Waiting } from "./phase.ts";

const MINUTE_MS = 60_000;

/**
 * How long a person who waits is not asked about again. Whoever is about to be admitted is admitted soon, and who waits for long
 * does not need it to the second. The server takes one who has not asked for 90 seconds for gone.
 */
export function pollInterval(waitedMs: number): number {
  if (waitedMs < MINUTE_MS) return 5_000;
  return waitedMs < 10 * MINUTE_MS ? 10_000 : 20_000;
}

/** Asks for the status of the call until the phase ends. An error that passes by itself is no reason to give up. */
export async function pollStatus(
  api: Api,
  { attempt }: NotStarted | Waiting | ConsentAsked,
  signal: AbortSignal,
  dispatch: (event: ConsultationEvent) => void,
): Promise<void> {
  const began = Date.now();
  try {
    for (;;) {
      await wait(pollInterval(Date.now() - began), signal);
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
