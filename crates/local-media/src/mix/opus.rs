//! Opus at 48 kHz in mono, in frames of 20 ms.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use opus_rs::{Application, OpusDecoder, OpusEncoder};

pub(super) const SAMPLE_RATE_HZ: u32 = 48_000;
/// 20 ms.
pub(crate) const FRAME_SAMPLES: usize = 960;
/// 2.5 ms: each Opus frame and each concealment is a multiple of it.
pub(super) const UNIT_SAMPLES: u64 = 120;
/// 120 ms, the longest packet (RFC 6716, section 3.2.5).
const MAX_PACKET_SAMPLES: usize = 5_760;
/// The longest Opus frame with its TOC byte (RFC 6716, section 3.4).
const MAX_ENCODED_BYTES: usize = 1_276;
const BITS_PER_SECOND: i32 = 32_000;
/// Of 0 to 10. Above 5 the encoder takes more time and a tone or a voice at 32 kbit/s gains nothing that was heard.
const COMPLEXITY: i32 = 5;

pub(crate) type Frame = [i16; FRAME_SAMPLES];

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Opus: {0}")]
pub(crate) struct OpusError(&'static str);

/// The samples at 48 kHz that a packet says it holds, or `None` if it is no Opus packet (RFC 6716, sections 3.1 and 3.2).
pub(super) fn packet_samples(packet: &[u8]) -> Option<u64> {
    let toc = *packet.first()?;
    let config = toc >> 3;
    let frame = match config {
        0..12 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        12..16 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(packet.get(1)? & 0x3f),
    };
    let samples = frame * frames;
    (1..=MAX_PACKET_SAMPLES).contains(&samples).then_some(samples as u64)
}

pub(crate) struct Decoder {
    opus: OpusDecoder,
    output: Vec<f32>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        let opus = OpusDecoder::new(SAMPLE_RATE_HZ.cast_signed(), 1).expect("Opus has 48 kHz and mono");
        Self { opus, output: vec![0.0; MAX_PACKET_SAMPLES] }
    }

    /// Calls the decoder with bytes of the network. A panic of it costs this source's decoder state, not the media server's thread.
    fn guarded(
        &mut self,
        call: impl FnOnce(&mut OpusDecoder, &mut [f32]) -> Result<usize, &'static str>,
    ) -> Result<usize, OpusError> {
        let Self { opus, output } = self;
        let Ok(decoded) = catch_unwind(AssertUnwindSafe(|| call(opus, output))) else {
            *self = Self::new();
            return Err(OpusError("the decoder has panicked and begins anew"));
        };
        decoded.map_err(OpusError)
    }

    /// Appends a packet's samples, stereo as mono.
    pub(crate) fn decode(&mut self, packet: &[u8], samples: &mut VecDeque<i16>) -> Result<(), OpusError> {
        let count = self.guarded(|opus, output| opus.decode(packet, MAX_PACKET_SAMPLES, output))?;
        samples.extend(self.output.iter().take(count).copied().map(to_i16));
        Ok(())
    }

    /// Appends `count` samples in place of a lost packet: from the copy that the packet after it may carry (in-band FEC), else from
    /// what was decoded before. `count` is a multiple of 2.5 ms of at most 120 ms.
    pub(super) fn conceal(&mut self, count: usize, following: Option<&[u8]>, samples: &mut VecDeque<i16>) {
        let copied = following
            .and_then(|packet| self.guarded(|opus, output| opus.decode_fec(packet, count, output)).ok());
        let made = copied.or_else(|| self.guarded(|opus, output| opus.decode(&[], count, output)).ok());
        let end = samples.len() + count;
        samples.extend(self.output.iter().take(made.unwrap_or(0)).copied().map(to_i16));
        // Silence, should the decoder refuse to conceal.
        samples.resize(end, 0);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16; a NaN becomes 0")]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

pub(crate) struct Encoder {
    opus: OpusEncoder,
    output: Box<[u8; MAX_ENCODED_BYTES]>,
}

impl Encoder {
    /// Low delay means CELT alone: a third of the time of the mode for voice (150 instead of 450 us a frame) and 6.5 ms less delay.
    pub(crate) fn new() -> Self {
        let mut opus = OpusEncoder::new(SAMPLE_RATE_HZ.cast_signed(), 1, Application::RestrictedLowDelay)
            .expect("Opus has 48 kHz and mono");
        opus.bitrate_bps = BITS_PER_SECOND;
        opus.complexity = COMPLEXITY;
        Self { opus, output: Box::new([0; MAX_ENCODED_BYTES]) }
    }

    pub(crate) fn encode(&mut self, frame: &Frame) -> Result<Bytes, OpusError> {
        let length = self.opus.encode_i16(frame, FRAME_SAMPLES, &mut self.output[..]).map_err(OpusError)?;
        Ok(Bytes::copy_from_slice(&self.output[..length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::panic, reason = "it stands for a panic of the decoder")]
    fn a_decoder_that_panics_decodes_the_next_packet() {
        let mut decoder = Decoder::new();
        assert!(decoder.guarded(|_, _| panic!("an index is out of bounds")).is_err());
        let packet = Encoder::new().encode(&[0; FRAME_SAMPLES]).expect("silence can be encoded");
        let mut samples = VecDeque::new();
        assert_eq!(decoder.decode(&packet, &mut samples), Ok(()));
        assert_eq!(samples.len(), FRAME_SAMPLES);
    }
}
