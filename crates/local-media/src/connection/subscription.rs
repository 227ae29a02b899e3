//! A remote video that a participant receives: from which frame on, and with which times.

use std::time::{Duration, Instant};

use str0m::media::Mid;

use super::VideoFrame;

/// The interval between two requests for a key frame that is still missing.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);
const TICKS_PER_MILLISECOND: u64 = 90;
/// A step of a source's clock that is longer than the time that has passed by more than this is another source's clock.
const MAX_CLOCK_LEAD_TICKS: u64 = 10 * 1000 * TICKS_PER_MILLISECOND;

/// The stream that one section carries.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) mid: Mid,
    stream_id: Option<u32>,
    keyframe: Keyframe,
    timeline: Timeline,
}

#[derive(Clone, Copy, Debug)]
enum Keyframe {
    Sent,
    /// Frames before the next key frame cannot be decoded. It has been asked for at this time, or not yet.
    Awaited(Option<Instant>),
}

/// The decision on a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it with this RTP time, in ticks of 90 kHz.
    Send(u64),
    Drop,
    /// Drop it, and ask for a key frame.
    Request,
}

impl Subscription {
    pub(super) fn new(mid: Mid) -> Self {
        Self { mid, stream_id: None, keyframe: Keyframe::Sent, timeline: Timeline::default() }
    }

    pub(super) fn stream_id(&self) -> Option<u32> {
        self.stream_id
    }

    /// The section carries this stream from now on. Says whether that is a change; the caller then asks for a key frame.
    pub(super) fn switch(&mut self, stream_id: Option<u32>, now: Instant) -> bool {
        let new = self.stream_id != stream_id;
        if new {
            self.stream_id = stream_id;
            self.keyframe = Keyframe::Awaited(Some(now));
            self.timeline.restart();
        }
        new
    }

    /// A frame of the stream is left out: the ones after it cannot be decoded.
    pub(super) fn skip(&mut self) {
        if matches!(self.keyframe, Keyframe::Sent) {
            self.keyframe = Keyframe::Awaited(None);
        }
    }

    pub(super) fn offer(&mut self, frame: &VideoFrame, now: Instant) -> Verdict {
        if frame.keyframe {
            self.keyframe = Keyframe::Sent;
            return Verdict::Send(self.timeline.map(frame.rtp_time, now));
        }
        match self.keyframe {
            Keyframe::Sent if frame.contiguous => Verdict::Send(self.timeline.map(frame.rtp_time, now)),
            Keyframe::Awaited(Some(asked_at))
                if now.saturating_duration_since(asked_at) < KEYFRAME_INTERVAL =>
            {
                Verdict::Drop
            }
            Keyframe::Sent | Keyframe::Awaited(_) => {
                self.keyframe = Keyframe::Awaited(Some(now));
                Verdict::Request
            }
        }
    }
}

/// The times of what is sent in one section. A receiver expects one clock that runs forward, but the section can carry one source after
/// another, and a source that reconnects begins anywhere.
#[derive(Debug, Default)]
struct Timeline {
    last: Option<Last>,
    restarted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    source: u64,
    sent: u64,
    at: Instant,
}

impl Timeline {
    fn restart(&mut self) {
        self.restarted = true;
    }

    fn map(&mut self, source: u64, now: Instant) -> u64 {
        let sent = match self.last {
            None => source,
            Some(last) => {
                let passed = ticks(now.saturating_duration_since(last.at));
                let step = source
                    .checked_sub(last.source)
                    .filter(|step| !self.restarted && *step <= passed.saturating_add(MAX_CLOCK_LEAD_TICKS));
                last.sent.saturating_add(step.unwrap_or(passed.max(1)))
            }
        };
        self.restarted = false;
        self.last = Some(Last { source, sent, at: now });
        sent
    }
}

fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).saturating_mul(TICKS_PER_MILLISECOND)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_clock_never_runs_back_and_never_jumps(
            frames in prop::collection::vec((any::<u64>(), 0..100_000_u64, any::<bool>()), 1..50),
        ) {
            let mut timeline = Timeline::default();
            let mut now = Instant::now();
            let mut last = None;
            for (source, milliseconds, restarts) in frames {
                // Below 2^48, as time extended from 32 bits is.
                let source = source >> 16;
                now += Duration::from_millis(milliseconds);
                if restarts {
                    timeline.restart();
                }
                let sent = timeline.map(source, now);
                if let Some(last) = last {
                    prop_assert!(sent >= last);
                    prop_assert!(sent - last <= milliseconds * TICKS_PER_MILLISECOND + MAX_CLOCK_LEAD_TICKS);
                }
                last = Some(sent);
            }
        }

        #[test]
        fn a_source_keeps_its_own_intervals(
            start in 0..u64::from(u32::MAX),
            steps in prop::collection::vec(0..90_000_u64, 1..50),
        ) {
            let mut timeline = Timeline::default();
            let now = Instant::now();
            let (mut source, mut passed) = (start, 0);
            prop_assert_eq!(timeline.map(source, now), start);
            for step in steps {
                source += step;
                passed += step;
                prop_assert_eq!(timeline.map(source, now + Duration::from_millis(passed / 90)), source);
            }
        }
    }
}
