//! The chunks of a recorder, made of a tap's: the sound of all, with the picture of the active speaker or without any.
//!
//! Pictures change at key frames only, and a chunk begins with one, so that each can be played alone. A chunk with pictures therefore
//! ends with the first key frame after 3 s, at a multiple of 20 ms, where sound can be cut; one without ends after 5 s exactly. Key
//! frames come each 5 s, and when somebody begins to speak.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::capture::{CHUNK_US, Chunk, MAX_CHUNK_US, MixChunk, TapChunk, h264_size};
use crate::connection::VideoCodec;
use crate::mp4::{Movie, PACKET_US, Packet, Picture, blank_picture};

/// A chunk with pictures is not shorter, so that it has 5 s where the speaker does not change.
const MIN_CHUNK_US: u64 = 3_000_000;
/// For so long pictures of a time may still come when its sound is there: the longest chunk of them, until it is known that a
/// source has stopped, and until its own sound is complete.
const MAX_LATE_US: u64 = MAX_CHUNK_US + 2_000_000;
/// Chunks of one source that are no further apart are one stream.
const MAX_PAUSE_US: u64 = 200_000;

/// The picture of a composed chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    SoundOnly,
    /// The picture of the active speaker; before anybody spoke, of whoever has one.
    ActiveSpeaker,
}

/// Composes chunks; a pure function of what a tap gives.
#[derive(Debug)]
pub struct Composer {
    layout: Layout,
    /// Input that has not been composed, by its time.
    waiting: BTreeMap<(u64, Order, u64), Event>,
    /// Counts events, so that those of one time stay in their order.
    count: u64,
    /// The starts of the chunks of pictures of each source that are known.
    starts: BTreeMap<String, BTreeSet<u64>>,
    speaker: Option<String>,
    /// The source whose pictures are shown.
    shown: Option<String>,
    blank: Option<Bytes>,
    open: Open,
    /// The end of the sound that has come.
    end_us: u64,
    complete: Vec<(u64, Movie)>,
}

/// Of events at the same time, the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Speaker,
    End,
    Picture,
    Sound,
}

#[derive(Debug)]
enum Event {
    Speaker(Option<String>),
    /// A chunk of pictures of a source ends.
    End(String),
    Picture {
        source: String,
        keyframe: bool,
        data: Bytes,
    },
    Sound(Bytes),
}

/// The chunk that is being composed.
#[derive(Debug, Default)]
struct Open {
    started_us: u64,
    movie: Movie,
}

impl Composer {
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            waiting: BTreeMap::new(),
            count: 0,
            starts: BTreeMap::new(),
            speaker: None,
            shown: None,
            blank: None,
            open: Open::default(),
            end_us: 0,
            complete: Vec::new(),
        }
    }

    /// Takes a chunk of the tap, and gives those that are complete with it, each with its start since that of the tap.
    pub fn push(&mut self, chunk: &TapChunk) -> Vec<(u64, Movie)> {
        match chunk {
            TapChunk::Pictures(chunk) => self.add_pictures(chunk),
            TapChunk::Mix(chunk) => {
                self.add_mix(chunk);
                self.end_us = chunk.started_us + chunk.duration_us;
                let late_us = if self.layout == Layout::SoundOnly { 0 } else { MAX_LATE_US };
                self.compose(self.end_us.saturating_sub(late_us));
            }
        }
        std::mem::take(&mut self.complete)
    }

    /// The tap has ended: the rest, up to the end of the sound.
    #[must_use]
    pub fn finish(mut self) -> Vec<(u64, Movie)> {
        self.compose(self.end_us);
        self.close(self.end_us);
        self.complete
    }

    fn add(&mut self, time_us: u64, order: Order, event: Event) {
        self.count += 1;
        self.waiting.insert((time_us, order, self.count), event);
    }

    fn add_mix(&mut self, chunk: &MixChunk) {
        for speaker in &chunk.speakers {
            let event = Event::Speaker(speaker.attendee_id.clone());
            self.add(chunk.started_us + speaker.time_us, Order::Speaker, event);
        }
        for packet in &chunk.sound {
            self.add(chunk.started_us + packet.time_us, Order::Sound, Event::Sound(packet.data.clone()));
        }
    }

    fn add_pictures(&mut self, chunk: &Chunk) {
        let wanted =
            self.layout == Layout::ActiveSpeaker && !chunk.content && chunk.codec == VideoCodec::H264;
        if !wanted {
            return;
        }
        let source = || chunk.attendee_id.clone();
        self.starts.entry(source()).or_default().insert(chunk.started_us);
        for frame in &chunk.video {
            let event =
                Event::Picture { source: source(), keyframe: frame.keyframe, data: frame.data.clone() };
            self.add(chunk.started_us + frame.time_us, Order::Picture, event);
        }
        self.add(chunk.started_us + chunk.duration_us, Order::End, Event::End(source()));
    }

    /// Composes all that happened before this time.
    fn compose(&mut self, until_us: u64) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 < until_us) {
            let (time_us, _, _) = *entry.key();
            match entry.remove() {
                Event::Speaker(speaker) => self.speaker = speaker,
                Event::End(source) => self.end(&source, time_us),
                Event::Picture { source, keyframe, data } => self.picture(source, keyframe, data, time_us),
                Event::Sound(data) => self.sound(data, time_us),
            }
        }
    }

    fn picture(&mut self, source: String, keyframe: bool, data: Bytes, time_us: u64) {
        let is_shown = self.shown.as_ref() == Some(&source);
        let speaks = self.speaker.as_ref() == Some(&source);
        // Somebody else is shown only while the speaker has no camera.
        let speaker_is_seen = self.speaker.as_ref().is_some_and(|speaker| self.starts.contains_key(speaker));
        let takes_over = keyframe && !is_shown && (speaks || (self.shown.is_none() && !speaker_is_seen));
        if !is_shown && !takes_over {
            return;
        }
        if keyframe {
            if let Some((width, height)) = h264_size(&data) {
                self.blank = Some(blank_picture(width, height));
            }
            let cut_us = time_us / PACKET_US * PACKET_US;
            if cut_us >= self.open.started_us + MIN_CHUNK_US {
                self.close(cut_us);
            }
        }
        self.shown = Some(source);
        self.show(time_us, keyframe, data);
    }

    /// A chunk of a source ends: its picture is shown no more, unless the next one follows at once.
    fn end(&mut self, source: &str, time_us: u64) {
        let starts = self.starts.entry(source.to_owned()).or_default();
        *starts = starts.split_off(&time_us.saturating_sub(1));
        let follows = starts.first().is_some_and(|start_us| *start_us <= time_us + MAX_PAUSE_US);
        if !follows && self.shown.as_deref() == Some(source) {
            self.shown = None;
            self.show_blank(time_us);
        }
    }

    fn sound(&mut self, data: Bytes, time_us: u64) {
        // With a picture, a chunk ends at a key frame, without which a tap gives up a source after 10 s.
        if self.shown.is_none() {
            while time_us >= self.open.started_us + CHUNK_US {
                // A chunk whose picture has ended may be longer already.
                self.close(self.open.started_us + self.open.movie.duration_us.max(CHUNK_US));
            }
        }
        let time_us = time_us.saturating_sub(self.open.started_us);
        let movie = &mut self.open.movie;
        movie.sound.push(Packet { time_us, data });
        movie.duration_us = movie.duration_us.max(time_us + PACKET_US);
    }

    fn show(&mut self, time_us: u64, keyframe: bool, data: Bytes) {
        let pictures = &mut self.open.movie.pictures;
        let mut time_us = time_us.saturating_sub(self.open.started_us);
        if pictures.is_empty() {
            // Sound is cut up to 20 ms before a picture.
            match self.blank.clone().filter(|_| time_us >= PACKET_US) {
                Some(data) => pictures.push(Picture { time_us: 0, keyframe: true, data }),
                None => time_us = 0,
            }
        }
        // Times grow: a key frame takes the place of another source's picture of the same time.
        if let Some(last) = pictures.last().filter(|last| last.time_us >= time_us) {
            time_us = last.time_us + u64::from(!keyframe);
            pictures.pop_if(|_| keyframe);
        }
        pictures.push(Picture { time_us, keyframe, data });
    }

    fn show_blank(&mut self, time_us: u64) {
        if let Some(data) = self.blank.clone() {
            self.show(time_us, true, data);
        }
    }

    /// Ends the open chunk, and begins the next one.
    fn close(&mut self, end_us: u64) {
        let Open { started_us, mut movie } = std::mem::take(&mut self.open);
        movie.duration_us = end_us.saturating_sub(started_us);
        self.open.started_us = end_us;
        movie.pictures.retain(|picture| picture.time_us < movie.duration_us);
        // A packet that came between the cut and the picture behind it.
        let later = movie.sound.partition_point(|packet| packet.time_us < movie.duration_us);
        for packet in movie.sound.split_off(later) {
            let time_us = packet.time_us - movie.duration_us;
            self.open.movie.duration_us = time_us + PACKET_US;
            self.open.movie.sound.push(Packet { time_us, ..packet });
        }
        if movie.sound.is_empty() {
            movie.sound.push(Packet { time_us: 0, data: Bytes::from_static(crate::mp4::SILENCE) });
        }
        if movie.duration_us > 0 {
            self.complete.push((started_us, movie));
        }
    }
}

/// The pictures of one camera or screen as a chunk of their own, without sound; `None` if a file cannot have them.
#[must_use]
pub fn pictures_alone(chunk: &Chunk) -> Option<Movie> {
    let picture = |frame: &crate::capture::Timed| Picture {
        time_us: frame.time_us,
        keyframe: frame.keyframe,
        data: frame.data.clone(),
    };
    let pictures: Vec<Picture> = chunk.video.iter().map(picture).collect();
    let readable = chunk.codec == VideoCodec::H264 && pictures.first().is_some_and(|first| first.keyframe);
    readable.then(|| Movie { duration_us: chunk.duration_us, pictures, sound: Vec::new() })
}
