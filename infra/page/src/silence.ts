// Noticing a microphone that is on and gives no sound: a mute switch on a headset, a driver, a permission of the system.

/** The root mean square below which there is no sound: -70 dB. A microphone in a quiet room gives more, also between words. */
const SILENT_BELOW = 0.0003;
const SILENT_AFTER_MS = 20_000;

export class SilenceDetector {
  #since: number | undefined;

  /** Whether the microphone has given no sound for 20 seconds. `now` is in milliseconds. */
  read(level: number, now: number): boolean {
    if (level >= SILENT_BELOW) {
      this.#since = undefined;
      return false;
    }
    this.#since ??= now;
    return now - this.#since >= SILENT_AFTER_MS;
  }

  /** The microphone is off, or another one. */
  reset(): void {
    this.#since = undefined;
  }
}

/** The fields of RTCAudioSourceStats that are read: https://www.w3.org/TR/webrtc-stats/#dom-rtcaudiosourcestats */
interface AudioSource {
  type: string;
  kind?: string;
  totalAudioEnergy?: number;
  totalSamplesDuration?: number;
}

/** How loud the microphone has been between two readings of the browser's statistics. Firefox does not report it. */
export class MicrophoneLevel {
  #energy = 0;
  #seconds = 0;

  /** From 0 to 1; nothing if the browser does not report it. */
  read(report: { forEach(visit: (stat: AudioSource) => void): void }): number | undefined {
    let source: AudioSource | undefined;
    report.forEach((stat) => {
      if (stat.type === "media-source" && stat.kind === "audio") source = stat;
    });
    if (source?.totalAudioEnergy === undefined || source.totalSamplesDuration === undefined) return undefined;
    const [energy, seconds] = [source.totalAudioEnergy - this.#energy, source.totalSamplesDuration - this.#seconds];
    this.#energy = source.totalAudioEnergy;
    this.#seconds = source.totalSamplesDuration;
    // Another track counts from zero.
    if (energy < 0 || seconds < 0) return undefined;
    // A device that has died gives no samples at all.
    return seconds > 0 ? Math.sqrt(energy / seconds) : 0;
  }
}
