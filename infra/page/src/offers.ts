// The offers once a call is over: its recordings and transcripts, to those whose status names the right. The scripts that show
// them are loaded when they are wanted.

import type { Status } from "./answers.ts";
import type { CallContext } from "./consultation/context.ts";
import { isTransient, retryDelay } from "./consultation/errors.ts";
import { button, h } from "./dom.ts";
import { load, PARTS } from "./scripts.ts";
import { type Key, put } from "./text.ts";
import { wait } from "./wait.ts";

/** How long the page waits before it asks again where the API does not answer. */
const RETRY_MS = 10_000;

type Context = Pick<CallContext, "api" | "restart" | "rights">;

/**
 * Adds the buttons that lead to recordings and transcripts. Those without the right are not asked for: the server audits what it
 * refuses. Ends when the place is not shown any more. `known`: a status of the call that is over.
 */
export async function offerAfterwards(context: Context, place: Element | null, known?: Status): Promise<void> {
  if (!place || context.rights.length === 0) return;
  const { api, restart } = context;
  const status = known ?? (await retried(place, () => api.status()));
  if (!status) return;
  const { rights } = status.me;
  // Without a transcript its screen says so: a status after the call does not name one.
  if (mayRead(rights))
    offer(place, "transcripts.open", async () =>
      (await load("transcripts")).showTranscripts(PARTS, api, { rights, search: status.isProvider }, restart),
    );
  if (!rights.includes("list")) return;
  const recordings = await retried(place, () => api.recordings());
  if (recordings && recordings.length > 0)
    offer(place, "recordings.open", async () => (await load("recordings")).showRecordings(PARTS, api, rights, restart));
}

function mayRead(rights: readonly string[]): boolean {
  return rights.includes("transcript.read") || rights.includes("transcript.read_redacted");
}

function offer(place: Element, text: Key, open: () => Promise<void>): void {
  const words = h("p", { class: "field-error", attributes: { role: "alert" } });
  place.append(
    button("button quiet", text, () => void open().catch(() => put(words, "notLoaded"))),
    words,
  );
}

/** The answer; nothing once the place is not shown any more, or where asking again would not help. */
async function retried<T>(place: Element, ask: () => Promise<T>): Promise<T | undefined> {
  while (place.isConnected) {
    try {
      const answer = await ask();
      return place.isConnected ? answer : undefined;
    } catch (error) {
      if (!isTransient(error)) return undefined;
      await wait(RETRY_MS + retryDelay(error));
    }
  }
  return undefined;
}
