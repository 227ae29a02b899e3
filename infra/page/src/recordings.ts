// Offers the recordings of an appointment to those who may see them. The script that plays them is loaded when it is wanted.

import type { Right } from "./answers.ts";
import type { CallContext } from "./consultation/context.ts";
import { isTransient, retryDelay } from "./consultation/errors.ts";
import { button, h } from "./dom.ts";
import { load, PARTS } from "./scripts.ts";
import { put } from "./text.ts";
import { wait } from "./wait.ts";

/** How long the page waits before it asks again where the API does not answer. */
const RETRY_MS = 10_000;

type Context = Pick<CallContext, "api" | "restart">;

/**
 * Adds a button that leads to the recordings, once the server says that there are some. Those without the right are not asked for: the
 * server audits what it refuses. Ends when the place is not shown any more.
 */
export async function offerRecordings(
  context: Context,
  rights: readonly Right[],
  place: Element | null,
): Promise<void> {
  while (rights.includes("list") && place?.isConnected) {
    try {
      const recordings = await context.api.recordings();
      if (!place.isConnected || recordings.length === 0) return;
      const words = h("p", { class: "field-error", attributes: { role: "alert" } });
      place.append(
        button("button quiet", "recordings.open", () => {
          open(context, rights).catch(() => put(words, "notLoaded"));
        }),
        words,
      );
      return;
    } catch (error) {
      if (!isTransient(error)) return;
      await wait(RETRY_MS + retryDelay(error));
    }
  }
}

async function open({ api, restart }: Context, rights: readonly Right[]): Promise<void> {
  (await load("recordings")).showRecordings(PARTS, api, rights, restart);
}
