//! Chunks one after the other, with the time between them kept.

use bytes::Bytes;

use super::{Movie, Packet, Picture, blank_picture};
use crate::capture::h264_size;

/// For so long the last picture of a chunk stands where the next chunk is late; after that there is no picture.
const MAX_HOLD_US: u64 = 100_000;

/// Joins chunks, each with the time at which it starts, in their order. A chunk that starts before the end of the one before it is
/// moved to that end. Where no chunk has a picture while others do, there is a grey one; where none has sound there is silence.
#[must_use]
pub fn join<'m>(chunks: impl IntoIterator<Item = (u64, &'m Movie)>) -> Movie {
    let chunks: Vec<(u64, &Movie)> = chunks.into_iter().collect();
    let mut joined = Movie::default();
    let keyframes = chunks.iter().flat_map(|(_, chunk)| &chunk.pictures).filter(|picture| picture.keyframe);
    let mut blank = Blank::default();
    blank.adapt(keyframes.map(|picture| &picture.data).next());
    for (start_us, chunk) in chunks {
        let end_us = joined.duration_us;
        let start_us = start_us.max(end_us);
        if start_us - end_us > MAX_HOLD_US {
            blank.begin(&mut joined.pictures, end_us);
        }
        if chunk.pictures.first().is_none_or(|first| first.time_us > 0) {
            blank.begin(&mut joined.pictures, start_us);
        }
        for picture in &chunk.pictures {
            if picture.keyframe {
                blank.adapt(Some(&picture.data));
            }
            blank.shown = false;
            joined.pictures.push(Picture { time_us: start_us + picture.time_us, ..picture.clone() });
        }
        let packets = chunk.sound.iter();
        joined
            .sound
            .extend(packets.map(|packet| Packet { time_us: start_us + packet.time_us, ..packet.clone() }));
        joined.duration_us = start_us + chunk.duration_us;
    }
    joined
}

/// The grey picture, of the size of the pictures around it.
#[derive(Default)]
struct Blank {
    picture: Option<Bytes>,
    shown: bool,
}

impl Blank {
    fn adapt(&mut self, keyframe: Option<&Bytes>) {
        if let Some((width, height)) = keyframe.and_then(|keyframe| h264_size(keyframe)) {
            self.picture = Some(blank_picture(width, height));
        }
    }

    fn begin(&mut self, pictures: &mut Vec<Picture>, time_us: u64) {
        if let Some(data) = self.picture.clone().filter(|_| !self.shown) {
            self.shown = true;
            pictures.push(Picture { time_us, keyframe: true, data });
        }
    }
}
