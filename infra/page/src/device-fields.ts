// The fields with which devices and features are chosen, before the call and in it.

import { playNotes } from "./device-sounds.ts";
import { announce, button, drawn, h, redraw } from "./dom.ts";
import { type Key, label, put } from "./text.ts";

/** A round button that switches microphone or camera on and off. */
export interface Toggle {
  root: HTMLButtonElement;
  /** Shows whether it is on. */
  set(on: boolean): void;
}

/** `change` receives what the person wants; what has become of it is shown by `set`. */
export function toggle(kind: "microphone" | "camera", on: boolean, change: (on: boolean) => void): Toggle {
  const root = h("button", { class: "round" }, drawn(kind));
  let state = on;
  const paint = () => {
    root.classList.toggle("off", !state);
    redraw(root, state ? kind : `${kind}Off`);
    label(root, state ? `${kind}.turnOff` : `${kind}.turnOn`, true);
  };
  root.addEventListener("click", () => change(!state));
  paint();
  return {
    root,
    set(on) {
      if (on === state) return;
      state = on;
      paint();
      announce(state ? `${kind}.isOn` : `${kind}.isOff`);
    },
  };
}

let fields = 0;

/** A list of devices to choose from, with its label. If `change` answers false, the device before is in use again. */
export function field(
  text: Key,
  devices: MediaDeviceInfo[],
  chosen: string,
  change: (id: string) => Promise<boolean>,
): HTMLElement {
  const id = `field-${++fields}`;
  let current = chosen;
  const choose = async () => {
    const wanted = select.value;
    if (await change(wanted)) current = wanted;
    else if (select.value === wanted) select.value = current;
  };
  const select = h("select", { id, on: { change: () => void choose() } });
  devices.forEach((device, index) => {
    const option = h("option", {
      attributes: { value: device.deviceId, ...(device.label ? { "data-name": true } : {}) },
    });
    if (device.label) option.textContent = device.label;
    else put(option, ["check.device", { number: index + 1 }]);
    option.selected = device.deviceId === chosen;
    select.append(option);
  });
  return h("div", { class: "field" }, h("label", { t: text, attributes: { for: id } }), select);
}

/** The button that plays two notes from the chosen speaker. */
export function speakerTest(speaker: () => string): HTMLButtonElement {
  const play = async () => {
    if (test.hasAttribute("aria-disabled")) return;
    test.setAttribute("aria-disabled", "true");
    announce("check.speaker.plays");
    await playNotes(speaker()).catch(() => undefined);
    test.removeAttribute("aria-disabled");
  };
  const test = button("button quiet small", "check.speaker.test", () => void play(), "speaker");
  return test;
}

/** A checkbox with its label and an explanation. */
export function checkbox(text: Key, more: Key, change: (on: boolean) => void): HTMLElement {
  const id = `field-${++fields}`;
  const box = h("input", {
    id,
    attributes: { type: "checkbox", "aria-describedby": `${id}-more` },
    on: { change: () => change(box.checked) },
  });
  return h(
    "div",
    { class: "option" },
    box,
    h("label", { t: text, attributes: { for: id } }),
    h("p", { class: "small", id: `${id}-more`, t: more }),
  );
}
