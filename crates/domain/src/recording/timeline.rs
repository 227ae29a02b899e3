//! The timeline of a recording: its segments in order, the gaps between them, and the part of each that may be played.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::consent::ConsentPurpose;
use crate::recording::PauseReason;
use crate::recording::capture::{self, Stop, StopReason, Tail};

/// Why nothing was recorded between two segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    Paused,
    /// Somebody had joined who had not decided on consent.
    ConsentMissing,
    /// The transcription began or ended, so that a new capture was needed.
    CaptureChanged,
    CaptureFailed,
}

/// The last pause of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub at: OffsetDateTime,
    pub reason: PauseReason,
}

/// The capture of the segment before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    pub requested_at: OffsetDateTime,
    pub stop: StopReason,
    /// Whether it was stopped because consent to recording was refused.
    pub revoked: bool,
}

/// The reason of the gap between the previous segment and one that begins now. A pause since the previous capture began explains
/// it, also if that capture was stopped for another reason: a pause while the transcription goes on changes its purposes.
#[must_use]
pub fn gap_reason(previous: Previous, last_pause: Option<Pause>) -> GapReason {
    if let Some(pause) = last_pause.filter(|pause| pause.at >= previous.requested_at) {
        return match pause.reason {
            PauseReason::Requested => GapReason::Paused,
            PauseReason::ConsentMissing => GapReason::ConsentMissing,
        };
    }
    match previous.stop {
        StopReason::Paused => GapReason::Paused,
        // The recording goes on, so a revocation was of the other purpose. With the last three it has ended.
        StopReason::ConsentRevoked
        | StopReason::PurposesChanged
        | StopReason::Requested
        | StopReason::CallEnded
        | StopReason::EveryoneLeft => GapReason::CaptureChanged,
        StopReason::PipelineFailed
        | StopReason::NeverStarted
        | StopReason::EndedByChime
        | StopReason::Refused
        | StopReason::Capacity => GapReason::CaptureFailed,
    }
}

/// A segment whose capture has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub began_at: OffsetDateTime,
    pub ended_at: OffsetDateTime,
    pub stop: Stop,
    /// The reason of the gap before it; none for the first.
    pub gap: Option<GapReason>,
}

/// A segment as it is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub started_at: OffsetDateTime,
    /// Playback ends after this, although the file may be longer: the rest is the tail.
    pub playable: Duration,
    pub tail: Option<Tail>,
    /// The time without a recording before the segment, and why.
    pub gap: Option<(Duration, GapReason)>,
}

/// Places the segments of a recording, which are in order, on its timeline.
#[must_use]
pub fn entries(segments: &[Recorded]) -> Vec<Entry> {
    let mut ended: Option<OffsetDateTime> = None;
    let place = |segment: &Recorded| {
        let Recorded { began_at, ended_at, stop, gap } = *segment;
        let tail = capture::tail(ConsentPurpose::Recording, began_at, stop, ended_at);
        let playable = tail.map_or(ended_at, |tail| tail.from) - began_at;
        let gap = ended.and_then(|ended| Some(((began_at - ended).max(Duration::ZERO), gap?)));
        ended = Some(ended_at);
        Entry { started_at: began_at, playable, tail, gap }
    };
    segments.iter().map(place).collect()
}
