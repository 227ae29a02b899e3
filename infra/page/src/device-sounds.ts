// Measuring a microphone, and testing a speaker.

import { canChooseSpeaker } from "./devices.ts";

/** Reports how loud the microphone is, until it is stopped: for a person from 0 to 1, and as the amplitude. */
export function meter(stream: MediaStream, show: (level: number, amplitude: number) => void): () => void {
  if (stream.getAudioTracks().length === 0) return () => undefined;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // From -60 dB, a quiet room, to -10 dB, speech near the microphone.
    show(Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-10) + 60) / 50)), Math.sqrt(power));
  }, 80);
  return () => {
    clearInterval(timer);
    if (context.state !== "closed") void context.close();
  };
}

/** Plays two soft notes from a speaker. */
export async function playNotes(speaker: string): Promise<void> {
  const context = new AudioContext();
  const destination = context.createMediaStreamDestination();
  const audio = new Audio();
  audio.srcObject = destination.stream;
  if (canChooseSpeaker && speaker) await audio.setSinkId(speaker).catch(() => undefined);
  await context.resume();
  for (const [at, pitch] of [
    [0.05, 523.25],
    [0.45, 659.25],
  ] as const) {
    const note = new OscillatorNode(context, { frequency: pitch });
    const volume = new GainNode(context, { gain: 0 });
    const begin = context.currentTime + at;
    volume.gain.setValueAtTime(0, begin);
    volume.gain.linearRampToValueAtTime(0.25, begin + 0.04);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.7);
    note.connect(volume).connect(destination);
    note.start(begin);
    note.stop(begin + 0.75);
  }
  try {
    await audio.play();
    await new Promise((resolve) => setTimeout(resolve, 1300));
  } finally {
    audio.pause();
    void context.close();
  }
}
