// The fields with which devices and features are chosen, before the call and in it.

import { announce, drawn, h, redraw } from "./dom.ts";
import { type Key, label, put } from "./text.ts";

/** A round button that switches microphone or camera on and off. */
export function toggle(
  kind: "microphone" | "camera",
  on: boolean,
  there: boolean,
  change: (on: boolean) => void,
): HTMLButtonElement {
  const element = h("button", { class: "round", attributes: { type: "button", disabled: !there } }, drawn(kind));
  let state = on;
  const paint = () => {
    element.classList.toggle("off", !state);
    redraw(element, state ? kind : `${kind}Off`);
    label(element, state ? `${kind}.turnOff` : `${kind}.turnOn`, true);
  };
  element.addEventListener("click", () => {
    state = !state;
    paint();
    change(state);
    announce(state ? `${kind}.isOn` : `${kind}.isOff`);
  });
  paint();
  return element;
}

let fields = 0;

/** A list of devices to choose from, with its label. */
export function field(
  text: Key,
  devices: MediaDeviceInfo[],
  chosen: string,
  change: (id: string) => void,
): HTMLElement {
  const id = `field-${++fields}`;
  const select = h("select", { id, on: { change: () => change(select.value) } });
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
    { class: "wish" },
    box,
    h("label", { t: text, attributes: { for: id } }),
    h("p", { class: "small", id: `${id}-more`, t: more }),
  );
}
