//! MP4 files with H.264 and Opus, in memory: the chunks of a recorder, and the file that they are joined to.
//!
//! A [`Movie`] has one clock, in microseconds from its start. A picture is shown until the next one, a packet of sound lasts 20 ms.
//! Written, both tracks cover the whole duration: where a packet is missing there is silence.

mod coded;
mod example;
mod h264;
mod join;
mod layout;
mod read;
#[cfg(test)]
mod tests;
mod write;

use bytes::Bytes;

pub use self::example::{BarsChunk, EXAMPLE_DURATION_US, TONE_HZ, example};
pub use self::h264::blank_picture;
pub use self::join::join;

/// The duration of a packet of sound.
pub const PACKET_US: u64 = 20_000;
/// 20 ms of silence in Opus: CELT in mono, an empty frame (RFC 6716, sections 3.1 and 4.3).
pub(crate) const SILENCE: &[u8] = &[0xf8, 0xff, 0xfe];

/// Pictures and sound of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Movie {
    pub duration_us: u64,
    /// Empty: the file has no track of pictures. The first one is a key frame at 0. Times grow.
    pub pictures: Vec<Picture>,
    /// Empty: the file has no track of sound. Times grow by 20 ms at least.
    pub sound: Vec<Packet>,
}

/// An encoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub time_us: u64,
    /// It can be decoded without the pictures before it, and carries its parameter sets.
    pub keyframe: bool,
    /// H.264 in the form of Annex B.
    pub data: Bytes,
}

/// 20 ms of sound in Opus, mono.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub time_us: u64,
    pub data: Bytes,
}

/// Why a file is not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    #[error("the file has no pictures and no sound")]
    Empty,
    #[error(
        "the first picture is no key frame at the start, or a key frame has no parameter sets of a known form"
    )]
    NoParameterSets,
    #[error("a box is missing or does not fit the others: {0}")]
    Inconsistent(&'static str),
    #[error("a number of the file does not fit its box")]
    TooLarge(#[from] std::num::TryFromIntError),
    #[error("a box cannot be read or written")]
    Box(#[from] mp4_atom::Error),
}

impl Movie {
    /// The file, with its index before the media.
    pub fn write(&self) -> Result<Bytes, Mp4Error> {
        write::write(self)
    }

    /// Its remainder when it ends here.
    #[must_use]
    pub fn cut(mut self, duration_us: u64) -> Self {
        self.duration_us = self.duration_us.min(duration_us);
        self.pictures.retain(|picture| picture.time_us < duration_us);
        self.sound.retain(|packet| packet.time_us < duration_us);
        self
    }

    /// Adds silence after its end.
    pub fn append_silence(&mut self, duration_us: u64) {
        let packets = (0..duration_us / PACKET_US).map(|n| self.duration_us + n * PACKET_US);
        let packets = packets.map(|time_us| Packet { time_us, data: Bytes::from_static(SILENCE) });
        self.sound.extend(packets.collect::<Vec<_>>());
    }

    /// Reads a file that [`Self::write`] has written.
    pub fn read(file: &[u8]) -> Result<Self, Mp4Error> {
        read::read(file)
    }
}
