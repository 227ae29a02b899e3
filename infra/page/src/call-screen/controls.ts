import { drawn, h, type Icon, redraw } from "../dom.ts";
import { type Key, label } from "../text.ts";

/** A button of the bar below the pictures. */
export interface Control {
  root: HTMLButtonElement;
  set(on: boolean, text: Key, icon: Icon): void;
}

export function control(icon: Icon, text: Key, press: () => void): Control {
  const words = h("span", { class: "control-text", t: shortTextOf(text) });
  const root = h(
    "button",
    {
      class: "control",
      label: text,
      tip: true,
      attributes: { "data-control": icon },
      on: { click: press },
    },
    drawn(icon),
    words,
  );
  return {
    root,
    set(on, text, icon) {
      root.classList.toggle("off", !on && (icon.startsWith("microphone") || icon.startsWith("camera")));
      if (icon === "captions") root.classList.toggle("on", on);
      label(root, text, true);
      redraw(root, icon);
    },
  };
}

/** The text below a control; its accessible name begins with it (WCAG 2.5.3). */
function shortTextOf(text: Key): Key {
  return `control.${text.split(".")[0]}` as Key;
}
