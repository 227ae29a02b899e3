// Offers the recordings of an appointment to a provider who may see them. The script that plays them is loaded when it is wanted.

import type { CallContext } from "./consultation/context.ts";
import { isTransient, retryDelay } from "./consultation/errors.ts";
import { announce, button, drawn, h, redraw } from "./dom.ts";
import type { PageParts, Recordings } from "./recordings/parts.ts";
import { head, show } from "./screen.ts";
import { loadScript } from "./sdk.ts";
import { addTexts, label, put } from "./text.ts";
import { wait } from "./wait.ts";

declare global {
  interface Window {
    MedzenRecordings?: Recordings;
  }
}

/** How long the page waits before it asks again where the API does not answer. */
const RETRY_MS = 10_000;
const PARTS: PageParts = { addTexts, announce, button, drawn, h, head, label, put, redraw, show, wait };

type Context = Pick<CallContext, "api" | "restart">;

/**
 * Adds a button that leads to the recordings, once the server says that there are some. Where it refuses, there is none. Ends when the
 * place is not shown any more.
 */
export async function offerRecordings(context: Context, place: Element | null): Promise<void> {
  while (place?.isConnected) {
    try {
      const recordings = await context.api.recordings();
      if (!place.isConnected || recordings.length === 0) return;
      const words = h("p", { class: "field-error", attributes: { role: "alert" } });
      place.append(
        button("button quiet", "recordings.open", () => {
          open(context).catch(() => put(words, "recordings.notLoaded"));
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

async function open({ api, restart }: Context): Promise<void> {
  if (!window.MedzenRecordings) {
    const { recordings = "", recordingsIntegrity = "" } = document.querySelector<HTMLElement>("#sdk")?.dataset ?? {};
    await loadScript(recordings, recordingsIntegrity);
  }
  if (!window.MedzenRecordings) throw new Error("the script of recordings has not started");
  window.MedzenRecordings.showRecordings(PARTS, api, restart);
}
