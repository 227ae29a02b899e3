//! One camera or content share: its frames in chunks.

use str0m::rtp::VideoOrientation;

use super::picture::{self, Size};
use super::{CHUNK_US, CaptureCounters, MAX_CHUNK_US, Timed};
use crate::connection::{VideoCodec, VideoFrame};

/// A chunk begins where the frames' own clock says, unless that is further than this from when its first frame came: then the
/// clocks have drifted apart. 100 ms between sound and picture are hardly noticed (ITU-R BT.1359).
const MAX_CLOCK_ERROR_US: u64 = 100_000;
/// 10 s in ticks of 90 kHz.
const MAX_CHUNK_TICKS: u64 = MAX_CHUNK_US / 100 * 9;
/// Between two requests for a key frame, which takes effect with the camera's next picture.
const REQUEST_INTERVAL_US: u64 = 1_000_000;
/// A chunk of a source that sends nothing more is closed after the time at which one that sends would have been cut.
const EXPIRES_AFTER_US: u64 = MAX_CHUNK_US + 1_000_000;
/// For how long a chunk's only frame is shown: one of 15 in a second.
const ONLY_FRAME_US: u64 = 66_666;

#[derive(Default)]
pub(super) struct Source {
    open: Option<Open>,
    next_index: u32,
    /// A time of the capture and the RTP time that belongs to it.
    anchor: Option<(u64, u64)>,
    /// Where the last chunk ended: the next one begins no earlier.
    end_us: u64,
    last_rtp_time: Option<u64>,
    /// Frames cannot be decoded before the next key frame.
    undecodable: bool,
    /// The picture was turned: a chunk has one rotation.
    turned: bool,
    requested_us: Option<u64>,
    /// A key frame is wanted although nothing is missing.
    wanted: bool,
}

/// The properties that are constant within a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) codec: VideoCodec,
    pub(super) size: Option<Size>,
    pub(super) rotation_degrees: u16,
}

/// The chunk that frames are added to. It has at least its first frame.
struct Open {
    format: Format,
    started_us: u64,
    first_rtp_time: u64,
    arrived_us: u64,
    frames: Vec<Timed>,
}

/// A chunk without its sound.
pub(super) struct Closed {
    pub(super) format: Format,
    pub(super) index: u32,
    pub(super) started_us: u64,
    pub(super) duration_us: u64,
    pub(super) frames: Vec<Timed>,
}

impl Source {
    /// Takes a frame, and gives the chunks that it ended.
    pub(super) fn push(
        &mut self,
        frame: &VideoFrame,
        now_us: u64,
        counters: &mut CaptureCounters,
    ) -> Option<Closed> {
        counters.frames += 1;
        let mut closed = None;
        if let Some(last) = self.last_rtp_time
            && frame.rtp_time <= last
        {
            if last - frame.rtp_time <= MAX_CHUNK_TICKS {
                counters.late_frames += 1;
                return None;
            }
            // The source began a new timeline.
            closed = self.stop();
        }
        self.last_rtp_time = Some(frame.rtp_time);
        let ended =
            if frame.keyframe { self.add_keyframe(frame, now_us) } else { self.add_delta(frame, counters) };
        // Only one of both: after a stop no chunk is open.
        closed.or(ended)
    }

    /// The source sends no more: its next frame may have any RTP time.
    pub(super) fn stop(&mut self) -> Option<Closed> {
        self.last_rtp_time = None;
        self.anchor = None;
        self.undecodable = false;
        self.turned = false;
        self.wanted = false;
        self.close(None)
    }

    /// Closes the chunk of a source that has stopped without saying so.
    pub(super) fn expire(&mut self, now_us: u64) -> Option<Closed> {
        let open = self.open.as_ref()?;
        if now_us.saturating_sub(open.arrived_us) < EXPIRES_AFTER_US { None } else { self.close(None) }
    }

    /// Wants a key frame as soon as one may be asked for.
    pub(super) fn request_keyframe(&mut self) {
        self.wanted = self.open.is_some();
    }

    /// Whether a key frame is to be asked for now: to begin the next chunk, or because frames cannot be decoded without one.
    pub(super) fn wants_keyframe(&mut self, now_us: u64) -> bool {
        let is_due =
            self.open.as_ref().is_some_and(|open| now_us.saturating_sub(open.arrived_us) >= CHUNK_US);
        let was_asked = self.requested_us.is_some_and(|at| now_us.saturating_sub(at) < REQUEST_INTERVAL_US);
        let wants = (is_due || self.undecodable || self.turned || self.wanted) && !was_asked;
        if wants {
            self.requested_us = Some(now_us);
        }
        wants
    }

    /// The start of the chunk that frames are added to.
    pub(super) fn open_since_us(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.started_us)
    }

    fn add_keyframe(&mut self, frame: &VideoFrame, now_us: u64) -> Option<Closed> {
        self.undecodable = false;
        self.turned = false;
        self.wanted = false;
        self.requested_us = None;
        let format = Format::of(frame);
        if let Some(open) = &mut self.open
            && open.format.continues_with(format)
            && open.time_us(frame) < CHUNK_US
        {
            open.add(frame);
            return None;
        }
        let started_us = self.start_us(frame.rtp_time, now_us);
        let closed = self.close(Some(started_us));
        let mut open = Open {
            format,
            started_us,
            first_rtp_time: frame.rtp_time,
            arrived_us: now_us,
            frames: Vec::new(),
        };
        open.add(frame);
        self.open = Some(open);
        closed
    }

    /// Adds a frame that needs the frames before it. A chunk that would become longer than 10 s is cut.
    fn add_delta(&mut self, frame: &VideoFrame, counters: &mut CaptureCounters) -> Option<Closed> {
        let Some(open) = &mut self.open else {
            self.undecodable = true;
            counters.undecodable_frames += 1;
            return None;
        };
        if open.time_us(frame) >= MAX_CHUNK_US {
            self.undecodable = true;
            counters.undecodable_frames += 1;
            counters.cut_chunks += 1;
            return self.close(None);
        }
        if self.undecodable || !frame.contiguous || frame.codec != open.format.codec {
            self.undecodable = true;
            counters.undecodable_frames += 1;
            return None;
        }
        self.turned |= rotation_degrees(frame) != open.format.rotation_degrees;
        open.add(frame);
        None
    }

    /// The capture's time of a chunk that begins with the frame of this RTP time, which came now.
    fn start_us(&mut self, rtp_time: u64, now_us: u64) -> u64 {
        let by_clock = self.anchor.and_then(|(anchor_us, anchor_rtp_time)| {
            Some(anchor_us.saturating_add(ticks_as_us(rtp_time.checked_sub(anchor_rtp_time)?)))
        });
        if let Some(by_clock) = by_clock.filter(|by_clock| by_clock.abs_diff(now_us) <= MAX_CLOCK_ERROR_US) {
            return by_clock.max(self.earliest_start_us());
        }
        let started_us = now_us.max(self.earliest_start_us());
        self.anchor = Some((started_us, rtp_time));
        started_us
    }

    fn earliest_start_us(&self) -> u64 {
        self.open.as_ref().map_or(self.end_us, |open| open.started_us + open.last_us() + 1)
    }

    /// Ends the chunk, where the next one starts if that is known.
    fn close(&mut self, next_start_us: Option<u64>) -> Option<Closed> {
        let open = self.open.take()?;
        let until_next_us = next_start_us.map(|next| next.saturating_sub(open.started_us));
        let duration_us =
            until_next_us.filter(|until| *until <= MAX_CHUNK_US).unwrap_or_else(|| open.shown_us());
        self.end_us = open.started_us + duration_us;
        let index = self.next_index;
        self.next_index += 1;
        let Open { format, started_us, frames, .. } = open;
        Some(Closed { format, index, started_us, duration_us, frames })
    }
}

impl Format {
    fn of(keyframe: &VideoFrame) -> Self {
        let size = picture::size(keyframe.codec, &keyframe.data);
        Self { codec: keyframe.codec, size, rotation_degrees: rotation_degrees(keyframe) }
    }

    /// A size that cannot be read is taken for the one before.
    fn continues_with(self, next: Self) -> bool {
        let next_size = next.size.or(self.size);
        next == Self { size: next.size, ..self } && (self.size.is_none() || self.size == next_size)
    }
}

impl Open {
    /// A frame's time since the chunk's first one.
    fn time_us(&self, frame: &VideoFrame) -> u64 {
        ticks_as_us(frame.rtp_time.saturating_sub(self.first_rtp_time))
    }

    fn add(&mut self, frame: &VideoFrame) {
        let time_us = self.time_us(frame);
        self.frames.push(Timed { time_us, keyframe: frame.keyframe, data: frame.data.clone() });
    }

    fn last_us(&self) -> u64 {
        self.frames.last().map_or(0, |frame| frame.time_us)
    }

    /// The last frame is shown for as long as the one before it.
    fn shown_us(&self) -> u64 {
        let interval_us = match self.frames.as_slice() {
            [.., before, last] => last.time_us - before.time_us,
            _ => ONLY_FRAME_US,
        };
        (self.last_us() + interval_us).min(MAX_CHUNK_US)
    }
}

/// 90 kHz: 9 ticks are 100 us.
fn ticks_as_us(ticks: u64) -> u64 {
    ticks.saturating_mul(100) / 9
}

fn rotation_degrees(frame: &VideoFrame) -> u16 {
    match frame.orientation {
        None | Some(VideoOrientation::Deg0) => 0,
        Some(VideoOrientation::Deg90) => 90,
        Some(VideoOrientation::Deg180) => 180,
        Some(VideoOrientation::Deg270) => 270,
    }
}
