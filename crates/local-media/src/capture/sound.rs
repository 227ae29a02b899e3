//! The mix of a meeting in frames of 20 ms, kept for as long as a chunk may need them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Timed;

const FRAME_US: u64 = 20_000;
/// The mix is counted in frames, so that its times have no jitter. If it stood still for longer than this, frames are missing.
const MAX_CLOCK_ERROR_US: u64 = 500_000;

#[derive(Default)]
pub(super) struct Sound {
    /// With times since the capture's start.
    frames: VecDeque<Timed>,
    next_us: u64,
}

impl Sound {
    pub(super) fn push(&mut self, packet: Bytes, now_us: u64) {
        let time_us = if now_us.saturating_sub(self.next_us) > MAX_CLOCK_ERROR_US || self.next_us == 0 {
            now_us
        } else {
            self.next_us
        };
        self.next_us = time_us + FRAME_US;
        self.frames.push_back(Timed { time_us, keyframe: true, data: packet });
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
