//! The tap of one meeting, as a recorder gets it: the mix of everybody's sound with the active speaker, and for each camera and content
//! share its encoded frames, each in chunks of 5 s. It holds what it is given: the caller offers only what it forwards to others.
//!
//! All times are integers of one clock: microseconds of the server's monotonic clock since the capture's start. A frame of sound has the
//! time of the tick that mixed it. A chunk of pictures starts when its first frame arrived, or where the camera's RTP clock places it
//! if both differ by less than 100 ms; within a chunk times are those of RTP. No error adds up from chunk to chunk.

mod mixed;
mod picture;
mod sound;
mod source;
mod speaker;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::mixed::Mixed;
pub use self::mixed::{MixChunk, Speaker};
use self::sound::Sound;
use self::source::{Closed, Source};
pub(crate) use self::speaker::Voice;

use crate::connection::{VideoCodec, VideoFrame};

/// The length after which a chunk ends with the next key frame.
pub(crate) const CHUNK_US: u64 = 5_000_000;
/// The length at which a chunk is cut if no key frame comes.
pub(crate) const MAX_CHUNK_US: u64 = 10_000_000;
/// For how long a closed chunk waits for its last frames of sound.
const MAX_SOUND_WAIT_US: u64 = 1_000_000;

/// A camera, or the content that its attendee shares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceId {
    pub(crate) attendee_id: String,
    pub(crate) content: bool,
}

/// An encoded frame: a picture, or 20 ms of Opus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// Since the chunk's start.
    pub time_us: u64,
    /// It can be decoded without the frames before it: always true of sound.
    pub keyframe: bool,
    pub data: Bytes,
}

/// A chunk that a tap gives when it is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapChunk {
    /// Without gaps from the capture's start, also in a meeting without any camera.
    Mix(MixChunk),
    Pictures(Chunk),
}

/// Consecutive frames of one source, from a key frame on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub attendee_id: String,
    pub content: bool,
    /// From 0 without gaps for each source.
    pub index: u32,
    /// Since the capture's start.
    pub started_us: u64,
    pub duration_us: u64,
    pub codec: VideoCodec,
    /// Width and height in pixels as encoded, before the rotation; `None` if the first frame does not say it.
    pub size: Option<(u32, u32)>,
    /// To be shown turned clockwise by this.
    pub rotation_degrees: u16,
    /// The first frame is a key frame at 0. Times grow.
    pub video: Vec<Timed>,
    /// The mix of all, in packets of 20 ms that begin within the chunk. Consecutive chunks share none.
    pub sound: Vec<Timed>,
}

/// Counts of the frames offered: `frames` less the others are in chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CaptureCounters {
    pub(crate) frames: u64,
    /// Repeated or out of order.
    pub(crate) late_frames: u64,
    /// A frame before them is missing, and no key frame has come since.
    pub(crate) undecodable_frames: u64,
    /// Chunks that ended at 10 s without a key frame.
    pub(crate) cut_chunks: u64,
}

pub(crate) struct Capture {
    started_us: u64,
    sources: BTreeMap<SourceId, Source>,
    sound: Sound,
    /// Their sound has not come completely.
    closed: Vec<(SourceId, Closed)>,
    mixed: Mixed,
    chunks: Vec<TapChunk>,
    counters: CaptureCounters,
}

impl Capture {
    /// Times that are given are of one clock, in microseconds.
    pub(crate) fn start(now_us: u64) -> Self {
        Self {
            started_us: now_us,
            sources: BTreeMap::new(),
            sound: Sound::default(),
            closed: Vec::new(),
            mixed: Mixed::default(),
            chunks: Vec::new(),
            counters: CaptureCounters::default(),
        }
    }

    pub(crate) fn video(&mut self, attendee_id: &str, content: bool, frame: &VideoFrame, now_us: u64) {
        let now_us = self.since_start(now_us);
        let id = SourceId { attendee_id: attendee_id.to_owned(), content };
        let source = self.sources.entry(id.clone()).or_default();
        let closed = source.push(frame, now_us, &mut self.counters);
        self.closed.extend(closed.map(|closed| (id, closed)));
    }

    /// A camera or a share ended: its chunk is complete.
    pub(crate) fn stop(&mut self, attendee_id: &str, content: bool) {
        let id = SourceId { attendee_id: attendee_id.to_owned(), content };
        let closed = self.sources.get_mut(&id).and_then(Source::stop);
        self.closed.extend(closed.map(|closed| (id, closed)));
    }

    /// Takes the mix of one tick, which was due now: every 20 ms, also if all are silent. `voices`: those who are in the meeting.
    pub(crate) fn sound(&mut self, packet: Bytes, voices: &[Voice<'_>], now_us: u64) {
        let now_us = self.since_start(now_us);
        let frame = self.sound.push(packet, now_us);
        self.chunks.extend(self.mixed.push(frame, voices).into_iter().map(TapChunk::Mix));
        // Their picture can be shown from a key frame on.
        if let Some(attendee_id) = self.mixed.take_new_speaker()
            && let Some(camera) = self.sources.get_mut(&SourceId { attendee_id, content: false })
        {
            camera.request_keyframe();
        }
        self.advance(now_us);
    }

    /// The sources whose camera must be asked for a key frame now: every 5 s, where frames are missing, and when its owner begins to
    /// speak.
    pub(crate) fn want_keyframes(&mut self, now_us: u64) -> Vec<SourceId> {
        let now_us = self.since_start(now_us);
        self.advance(now_us);
        let wanting = self
            .sources
            .iter_mut()
            .filter_map(|(id, source)| source.wants_keyframe(now_us).then(|| id.clone()));
        wanting.collect()
    }

    /// The chunks that were completed since the last call.
    pub(crate) fn chunks(&mut self) -> Vec<TapChunk> {
        std::mem::take(&mut self.chunks)
    }

    /// Ends the capture, and gives the rest.
    pub(crate) fn finish(mut self) -> Vec<TapChunk> {
        let stopped = self.sources.into_iter().filter_map(|(id, mut source)| Some((id, source.stop()?)));
        let rest = self.closed.into_iter().chain(stopped);
        self.chunks.extend(rest.map(|(id, closed)| TapChunk::Pictures(closed.with_sound(id, &self.sound))));
        self.chunks.extend(self.mixed.finish().map(TapChunk::Mix));
        self.chunks
    }

    pub(crate) fn counters(&self) -> CaptureCounters {
        self.counters
    }

    fn since_start(&self, now_us: u64) -> u64 {
        now_us.saturating_sub(self.started_us)
    }

    /// Closes the chunks of sources that send no more, completes those whose sound is there, and forgets the sound that no chunk needs.
    fn advance(&mut self, now_us: u64) {
        for (id, source) in &mut self.sources {
            self.closed.extend(source.expire(now_us).map(|closed| (id.clone(), closed)));
        }
        let sound = &self.sound;
        let complete = self.closed.extract_if(.., |(_, closed)| {
            let end_us = closed.started_us + closed.duration_us;
            sound.has_all_before(end_us) || now_us > end_us + MAX_SOUND_WAIT_US
        });
        self.chunks.extend(complete.map(|(id, closed)| TapChunk::Pictures(closed.with_sound(id, sound))));
        let open = self.sources.values().filter_map(Source::open_since_us);
        let closed = self.closed.iter().map(|(_, closed)| closed.started_us);
        // A chunk may begin a little before its first frame comes.
        let needed_from_us = open.chain(closed).chain([now_us.saturating_sub(MAX_SOUND_WAIT_US)]).min();
        self.sound.forget_before(needed_from_us.unwrap_or_default());
    }
}

/// Width and height in pixels of a key frame in H.264, `None` if it does not say them in a form that browsers send.
pub(crate) fn h264_size(keyframe: &[u8]) -> Option<(u32, u32)> {
    picture::size(VideoCodec::H264, keyframe)
}

impl Closed {
    fn with_sound(self, id: SourceId, sound: &Sound) -> Chunk {
        Chunk {
            attendee_id: id.attendee_id,
            content: id.content,
            index: self.index,
            started_us: self.started_us,
            duration_us: self.duration_us,
            codec: self.format.codec,
            size: self.format.size,
            rotation_degrees: self.format.rotation_degrees,
            sound: sound.within(self.started_us, self.duration_us),
            video: self.frames,
        }
    }
}
