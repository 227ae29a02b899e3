// The provider's controls of a call: a script of its own, which is loaded when a provider has joined.

import type { Controls } from "../scripts.ts";
import texts from "../texts.json";
import { RecordingControl } from "./recording-control.ts";
import { TranscriptionControl } from "./transcription-control.ts";

export const callControls: Controls["callControls"] = (page, api, hooks) => {
  page.addTexts(texts);
  const recording = new RecordingControl(page, api, hooks);
  const transcription = new TranscriptionControl(page, api, hooks);
  const none = page.h("p", { t: "recording.off", attributes: { hidden: true } });
  return {
    root: page.h("div", { class: "settings" }, none, recording.root, transcription.root),
    get version() {
      return recording.version + transcription.version;
    },
    status(status, version) {
      // Both grow, so that the sum is that of the time of the request only if neither has changed since.
      if (version !== recording.version + transcription.version) return;
      const records = status.recording.state !== "unavailable";
      const transcribes = status.transcription.state !== "unavailable";
      recording.root.hidden = !records;
      none.hidden = records || transcribes;
      if (records) void recording.status(status.recording, recording.version);
      if (transcribes) transcription.status(status.transcription, transcription.version);
    },
  };
};
