import { announce, drawn, h, type Icon } from "../dom.ts";
import { put, type Text } from "../text.ts";

/** Things that do not work, or are being done: each has a line of its own until it is withdrawn. */
const ICONS = {
  line: "offline",
  session: "shield",
  ending: "leave",
  recording: "record",
  transcription: "captions",
  microphone: "microphoneOff",
  held: "microphoneOff",
  silent: "microphoneOff",
  camera: "cameraOff",
} as const satisfies Record<string, Icon>;

export type Notice = keyof typeof ICONS;

export class Notices {
  readonly #elements = new Map<string, HTMLElement>();

  constructor() {
    for (const [name, icon] of Object.entries(ICONS)) this.#elements.set(name, element(name, icon));
  }

  get roots(): HTMLElement[] {
    return [...this.#elements.values()];
  }

  /** Shows a text until it is withdrawn. A notice that the person has closed stays closed for as long. */
  show(name: Notice, text: Text | undefined, urgent = false): void {
    const shown = this.#elements.get(name);
    const words = shown?.querySelector("p");
    const stored = text && JSON.stringify(text);
    if (!shown || !words || shown.dataset["text"] === stored) return;
    shown.hidden = text === undefined;
    if (text === undefined) {
      delete shown.dataset["text"];
      return;
    }
    shown.dataset["text"] = stored;
    put(words, text);
    announce(text, urgent);
  }
}

function element(name: string, icon: Icon): HTMLElement {
  const shut = () => {
    root.hidden = true;
    root.parentElement?.querySelector("h1")?.focus();
  };
  const close = h(
    "button",
    {
      class: "button quiet icon-only",
      label: "close",
      tip: true,
      on: { click: shut },
    },
    drawn("close"),
  );
  const root = h(
    "div",
    { class: "notice quiet-notice", attributes: { hidden: true, "data-notice": name } },
    drawn(icon),
    h("p"),
    close,
  );
  return root;
}
