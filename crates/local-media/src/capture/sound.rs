//! The mix of a meeting in frames of 20 ms, kept for as long as a chunk may need them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Timed;

pub(super) const FRAME_US: u64 = 20_000;

#[derive(Default)]
pub(super) struct Sound {
    /// With times since the capture's start.
    frames: VecDeque<Timed>,
    next_us: u64,
}

impl Sound {
    /// Times are whole frames, 960 samples at 48 kHz. Where the mix stood still, frames are missing: those after it keep to the clock.
    pub(super) fn push(&mut self, packet: Bytes, now_us: u64) -> Timed {
        let time_us = (now_us / FRAME_US * FRAME_US).max(self.next_us);
        self.next_us = time_us + FRAME_US;
        let frame = Timed { time_us, keyframe: true, data: packet };
        self.frames.push_back(frame.clone());
        frame
    }

    /// Whether each frame before this time has come.
    pub(super) fn has_all_before(&self, time_us: u64) -> bool {
        self.next_us >= time_us
    }

    pub(super) fn forget_before(&mut self, time_us: u64) {
        while self.frames.front().is_some_and(|frame| frame.time_us < time_us) {
            self.frames.pop_front();
        }
    }

    /// The frames that begin within a chunk, with times since its start.
    pub(super) fn within(&self, started_us: u64, duration_us: u64) -> Vec<Timed> {
        let times = started_us..started_us + duration_us;
        let frames = self.frames.iter().filter(|frame| times.contains(&frame.time_us));
        frames.map(|frame| Timed { time_us: frame.time_us - started_us, ..frame.clone() }).collect()
    }
}
