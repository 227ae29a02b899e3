//! Participants speak in sine tones, and what each receives is decoded and looked at in the spectrum.

mod drift;
mod packets;
mod properties;
mod tones;

use std::f64::consts::TAU;

use opus_rs::{Application, OpusDecoder, OpusEncoder};

use super::opus::FRAME_SAMPLES;
use super::{Mix, ParticipantKey};

/// -13.5 dBov.
const AMPLITUDE: f64 = 0.3;
/// A tone that was sent arrives above this, in dB of full scale (AMPLITUDE is -10.5).
const HEARD_DB: f64 = -14.0;
/// A tone that was not sent stays below this. Opus adds noise of about -70 dB near others.
const NOT_HEARD_DB: f64 = -50.0;

/// A participant's client that sends a sine tone.
struct Voice {
    participant: ParticipantKey,
    encoder: OpusEncoder,
    hz: f64,
    channels: usize,
    packet_samples: usize,
    position: usize,
}

impl Voice {
    fn new(participant: ParticipantKey, hz: f64) -> Self {
        Self::with(participant, hz, Application::RestrictedLowDelay, 1, 20)
    }

    fn with(
        participant: ParticipantKey,
        hz: f64,
        mode: Application,
        channels: usize,
        packet_ms: usize,
    ) -> Self {
        let mut encoder = OpusEncoder::new(48_000, channels, mode).expect("valid parameters");
        encoder.bitrate_bps = 48_000;
        encoder.complexity = 0;
        Self { participant, encoder, hz, channels, packet_samples: packet_ms * 48, position: 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a sample has fewer digits than f32")]
    fn packet(&mut self) -> (Vec<u8>, u64) {
        let mut samples = Vec::new();
        for position in self.position..self.position + self.packet_samples {
            let seconds = f64::from(u32::try_from(position).expect("minutes")) / 48_000.0;
            let sample = (AMPLITUDE * (TAU * self.hz * seconds).sin()) as f32;
            samples.extend(std::iter::repeat_n(sample, self.channels));
        }
        let rtp_time = self.position as u64;
        self.position += self.packet_samples;
        let mut packet = vec![0; 4_000];
        let length = self.encoder.encode(&samples, self.packet_samples, &mut packet).expect("encodes");
        packet.truncate(length);
        (packet, rtp_time)
    }

    /// Sends what belongs to the tick of this number (20 ms), from 0.
    fn send(&mut self, mix: &mut Mix, tick: usize) {
        while self.position <= tick * FRAME_SAMPLES {
            let (packet, rtp_time) = self.packet();
            mix.push(self.participant, &packet, rtp_time);
        }
    }
}

/// A participant's client that listens.
struct Listener {
    decoder: OpusDecoder,
    samples: Vec<f32>,
}

impl Listener {
    fn new() -> Self {
        Self { decoder: OpusDecoder::new(48_000, 1).expect("valid parameters"), samples: Vec::new() }
    }

    fn hear(&mut self, packet: &[u8]) {
        let mut samples = vec![0.0; 5_760];
        let count = self.decoder.decode(packet, 5_760, &mut samples).expect("a valid packet");
        assert_eq!(count, FRAME_SAMPLES, "a packet of 20 ms");
        self.samples.extend_from_slice(&samples[..count]);
    }

    /// A tone's strength in the last 400 ms, in dB of full scale (Goertzel's algorithm with a Hann window).
    fn tone_db(&self, hz: f64) -> f64 {
        let last = &self.samples[self.samples.len() - 20 * FRAME_SAMPLES..];
        let length = f64::from(u32::try_from(last.len()).expect("19,200"));
        let coefficient = 2.0 * (TAU * hz / 48_000.0).cos();
        let (mut before, mut before_that) = (0.0, 0.0);
        for (position, &sample) in (0_u32..).zip(last) {
            let window = 0.5 - 0.5 * (TAU * f64::from(position) / length).cos();
            let now = f64::from(sample) * window + coefficient * before - before_that;
            (before_that, before) = (before, now);
        }
        let power = before * before + before_that * before_that - coefficient * before * before_that;
        // A window of Hann halves the amplitude once more.
        20.0 * (4.0 * power.max(1e-20).sqrt() / length).log10()
    }

    fn assert_hears(&self, hz: f64) {
        assert!(self.tone_db(hz) > HEARD_DB, "{hz} Hz is heard: {} dB", self.tone_db(hz));
    }

    fn assert_does_not_hear(&self, hz: f64) {
        assert!(self.tone_db(hz) < NOT_HEARD_DB, "{hz} Hz is not heard: {} dB", self.tone_db(hz));
    }
}

/// Lets `voices` speak in a mix of `participants` (key and group) for 1 s; gives each participant's listener, in their order.
fn second_of(mix: &mut Mix, participants: &[ParticipantKey], voices: &mut [Voice]) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = participants.iter().map(|_| Listener::new()).collect();
    for tick in 0..50 {
        for voice in &mut *voices {
            voice.send(mix, tick);
        }
        let packets = mix.tick(|_| true);
        let receivers: Vec<ParticipantKey> = packets.iter().map(|mixed| mixed.participant).collect();
        assert_eq!(receivers, participants, "one packet for each");
        for (listener, mixed) in listeners.iter_mut().zip(&packets) {
            listener.hear(&mixed.packet);
        }
    }
    listeners
}
