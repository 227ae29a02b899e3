// Samples of the connection's quality from the browser's statistics: loss, delay, jitter and bitrate over ten seconds.

import type { Sample } from "./answers.ts";

/** The fields of RTCStats that are read. */
interface Stat {
  type: string;
  id: string;
  kind?: string;
  packetsLost?: number;
  packetsReceived?: number;
  bytesReceived?: number;
  bytesSent?: number;
  jitter?: number;
  currentRoundTripTime?: number;
  state?: string;
  nominated?: boolean;
}

/** Counters since the connection was opened. */
interface Counts {
  at: number;
  lost: number;
  received: number;
  bytes: number;
}

export type Line = "good" | "fair" | "poor";

export class Quality {
  #before: Counts | undefined;
  #roundTrips: number[] = [];
  #jitters: number[] = [];
  #latest: Counts | undefined;

  /** Adds a reading; the SDK gives one each second. */
  read(stats: Iterable<Stat>, now: number): void {
    const counts: Counts = { at: now, lost: 0, received: 0, bytes: 0 };
    let jitter: number | undefined;
    for (const stat of stats) {
      if (stat.type === "inbound-rtp") {
        counts.lost += Math.max(0, stat.packetsLost ?? 0);
        counts.received += stat.packetsReceived ?? 0;
        if (stat.jitter !== undefined) jitter = Math.max(jitter ?? 0, stat.jitter);
      } else if (stat.type === "candidate-pair" && stat.state === "succeeded" && stat.nominated !== false) {
        counts.bytes += (stat.bytesReceived ?? 0) + (stat.bytesSent ?? 0);
        if (stat.currentRoundTripTime !== undefined) this.#roundTrips.push(stat.currentRoundTripTime);
      }
    }
    if (jitter !== undefined) this.#jitters.push(jitter);
    this.#before ??= counts;
    this.#latest = counts;
  }

  /** The sample of the readings since the last one; nothing if there were too few. */
  sample(): Sample | undefined {
    const [before, latest] = [this.#before, this.#latest];
    if (!before || !latest || latest.at <= before.at) return undefined;
    const sample: Sample = { at: latest.at };
    // A new connection counts from zero: a lower counter than before is the new connection's own.
    const restarted = latest.received < before.received || latest.bytes < before.bytes;
    const lost = restarted ? latest.lost : Math.max(0, latest.lost - before.lost);
    const received = restarted ? latest.received : latest.received - before.received;
    const bytes = restarted ? latest.bytes : latest.bytes - before.bytes;
    if (lost + received > 0) sample.packetLossPercent = rounded((100 * lost) / (lost + received));
    if (this.#roundTrips.length > 0) sample.roundTripMs = rounded(1000 * mean(this.#roundTrips));
    if (this.#jitters.length > 0) sample.jitterMs = rounded(1000 * mean(this.#jitters));
    sample.bitrateKbps = rounded((8 * bytes) / (latest.at - before.at));
    this.#before = latest;
    this.#roundTrips = [];
    this.#jitters = [];
    return sample;
  }

  /** Resets the counters for another connection. */
  begin(): void {
    this.#before = undefined;
    this.#latest = undefined;
    this.#roundTrips = [];
    this.#jitters = [];
  }
}

/** Rates a sample by the values at which speech suffers. */
export function lineOf(sample: Sample): Line {
  const loss = sample.packetLossPercent ?? 0;
  const delay = sample.roundTripMs ?? 0;
  const jitter = sample.jitterMs ?? 0;
  if (loss > 8 || delay > 600 || jitter > 100) return "poor";
  if (loss > 2 || delay > 300 || jitter > 40) return "fair";
  return "good";
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
