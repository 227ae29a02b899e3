// The provider's controls of a call: a script of its own, which is loaded when a provider has joined.

import type { Controls } from "../scripts.ts";
import texts from "../texts.json";
import { RecordingControl } from "./recording-control.ts";
import { RecordingPanel } from "./recording-panel.ts";

export const callControls: Controls["callControls"] = (page, api, hooks) => {
  page.addTexts(texts);
  const recording: RecordingControl = new RecordingControl(api, { ...hooks, show: (view) => panel.show(view) });
  const panel = new RecordingPanel(page, recording);
  return {
    root: panel.root,
    get version() {
      return recording.version;
    },
    status: (status, version) => void recording.status(status.recording, version),
  };
};
