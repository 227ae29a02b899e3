//! A recording that needs no call: colour bars and a tone, made by computing.

use std::f32::consts::TAU;
use std::sync::OnceLock;

use bytes::Bytes;

use super::coded::{self, BLOCK, Color, Frame};
use super::{Movie, PACKET_US, Packet, Picture, SILENCE, h264};
use crate::mix::{Encoder, FRAME_SAMPLES};

pub const EXAMPLE_DURATION_US: u64 = 5_000_000;
/// The tone of an example that is not silent.
pub const TONE_HZ: u16 = 440;
const PICTURE_US: u64 = 200_000;
/// 5 s of them.
const PICTURES: u32 = 25;
/// 5 s of them.
const PACKETS: usize = 250;
const SAMPLE_RATE_HZ: u16 = 48_000;
const WIDTH: u32 = 6 * BLOCK;
const HEIGHT: u32 = 4 * BLOCK;
const BARS: usize = 6;
/// White, yellow, cyan, green, magenta, red at 75 % (ITU-R BT.601).
const COLORS: [Color; BARS] = [
    Color { luma: 180, blue: 128, red: 128 },
    Color { luma: 162, blue: 44, red: 142 },
    Color { luma: 131, blue: 156, red: 44 },
    Color { luma: 112, blue: 72, red: 58 },
    Color { luma: 84, blue: 184, red: 198 },
    Color { luma: 65, blue: 100, red: 212 },
];

/// A chunk of the example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BarsChunk {
    /// Its place in the recording: the bars move by one each time.
    pub index: usize,
    pub pictures: bool,
    /// Silence, if not.
    pub tone: bool,
}

/// 5 s of bars and a tone. The bytes of what is equal are shared.
#[must_use]
pub fn example(chunk: BarsChunk) -> Movie {
    let pictures = if chunk.pictures { bars(chunk.index % BARS).to_vec() } else { Vec::new() };
    let silence = Bytes::from_static(SILENCE);
    let sound = (0..).zip(tone());
    let sound = sound.map(|(n, packet)| Packet {
        time_us: n * PACKET_US,
        data: if chunk.tone { packet.clone() } else { silence.clone() },
    });
    Movie { duration_us: EXAMPLE_DURATION_US, pictures, sound: sound.collect() }
}

fn bars(shift: usize) -> &'static [Picture] {
    static ALL: OnceLock<Vec<Vec<Picture>>> = OnceLock::new();
    let all = ALL.get_or_init(|| (0..BARS).map(moved_bars).collect());
    all.get(shift).map_or(&[], Vec::as_slice)
}

fn moved_bars(shift: usize) -> Vec<Picture> {
    let frame = |number| Frame { width: WIDTH, height: HEIGHT, number };
    let color = |column: u32, _row: u32| COLORS[(column as usize + shift) % BARS];
    let first = frame(0);
    let key =
        h264::annex_b([first.sequence_parameter_set(), coded::picture_parameter_set(), first.plain(color)]);
    let picture = |number: u32| Picture {
        time_us: u64::from(number) * PICTURE_US,
        keyframe: number == 0,
        data: if number == 0 { key.clone() } else { h264::annex_b([frame(number).repeated()]) },
    };
    (0..PICTURES).map(picture).collect()
}

/// 5 s of the tone, which begins and ends at a zero of it.
fn tone() -> &'static [Bytes] {
    static TONE: OnceLock<Vec<Bytes>> = OnceLock::new();
    TONE.get_or_init(|| {
        let mut encoder = Encoder::new();
        let packet = |n: usize| {
            let frame = std::array::from_fn(|place| sine(n * FRAME_SAMPLES + place));
            encoder.encode(&frame).unwrap_or_else(|_| Bytes::from_static(SILENCE))
        };
        (0..PACKETS).map(packet).collect()
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a quarter of the range of i16")]
fn sine(sample: usize) -> i16 {
    // Less than a period, so that it is exact.
    let phase = sample * usize::from(TONE_HZ) % usize::from(SAMPLE_RATE_HZ);
    let phase = f32::from(u16::try_from(phase).unwrap_or_default()) / f32::from(SAMPLE_RATE_HZ);
    ((phase * TAU).sin() * 8_192.0) as i16
}
