//! The media of a participant: a tone as Opus, and pictures that have the size of H.264's.

use std::f64::consts::TAU;

use opus_rs::{Application, OpusEncoder};

use crate::BenchResult;

const SAMPLE_RATE_HZ: i32 = 48_000;
/// Samples of 20 ms.
pub(crate) const FRAME_SAMPLES: u64 = 960;
/// One second, over and over. A tone of whole hertz goes on where it began.
const PACKETS: u64 = 50;
const MAX_PACKET_BYTES: usize = 1_276;
const BITS_PER_SECOND: i32 = 32_000;
const AMPLITUDE: f64 = 0.2 * 32_767.0;

pub(crate) const PICTURES_PER_SECOND: u64 = 15;
/// 300 kbit/s.
const PICTURE_BYTES: usize = 300_000 / 8 / 15;
const KEY_PICTURE_BYTES: usize = 4 * PICTURE_BYTES;
/// A sequence parameter set of Constrained Baseline, level 3.1, and a picture parameter set, as `OpenH264` writes them.
const PARAMETER_SETS: [&[u8]; 2] = [
    &[0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0xd0, 0x0f, 0x08, 0x84, 0x6a],
    &[0x68, 0xce, 0x3c, 0x80],
];
/// The first bytes of a slice of a key frame and of another one.
const KEY_SLICE: u8 = 0x65;
const SLICE: u8 = 0x41;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Opus packets of a tone.
pub(crate) struct Tone(Vec<Vec<u8>>);

impl Tone {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a second has 48,000 samples, and each fits into an i16"
    )]
    pub(crate) fn of(hertz: u32) -> BenchResult<Self> {
        let mut encoder = OpusEncoder::new(SAMPLE_RATE_HZ, 1, Application::Voip)?;
        encoder.bitrate_bps = BITS_PER_SECOND;
        let step = TAU * f64::from(hertz) / f64::from(SAMPLE_RATE_HZ);
        let sample = |position: u64| (AMPLITUDE * (step * position as f64).sin()) as i16;
        let mut packets = Vec::new();
        for packet in 0..PACKETS {
            let samples: Vec<i16> =
                (0..FRAME_SAMPLES).map(|at| sample(packet * FRAME_SAMPLES + at)).collect();
            let mut packet_bytes = vec![0; MAX_PACKET_BYTES];
            let length = encoder.encode_i16(&samples, samples.len(), &mut packet_bytes)?;
            packet_bytes.truncate(length);
            packets.push(packet_bytes);
        }
        Ok(Self(packets))
    }

    /// The n-th packet.
    pub(crate) fn packet(&self, n: u64) -> &[u8] {
        let at = usize::try_from(n % PACKETS).expect("below 50");
        &self.0[at]
    }
}

/// A picture in Annex B. Nothing decodes it here, so its slice is of random bytes; without zeros among them it has no start code.
pub(crate) fn picture(key: bool) -> Vec<u8> {
    let mut data = Vec::with_capacity(KEY_PICTURE_BYTES + 64);
    if key {
        for set in PARAMETER_SETS {
            data.extend(START_CODE);
            data.extend(set);
        }
    }
    let (first, length) = if key { (KEY_SLICE, KEY_PICTURE_BYTES) } else { (SLICE, PICTURE_BYTES) };
    data.extend(START_CODE);
    data.push(first);
    data.extend((0..length).map(|_| fastrand::u8(1..)));
    data
}
