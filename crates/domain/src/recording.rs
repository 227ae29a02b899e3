//! Recording: captures of a call's media, the segments that are made of them, and the recordings that consist of segments.
//!
//! Chime allows one capture per meeting at a time and fixes what is captured at its creation, and there is no pause
//! (<https://docs.aws.amazon.com/chime-sdk/latest/dg/media-capture.html>). So a **capture** keeps its purposes for life: when
//! they change it is stopped, and the next one is created once Chime no longer has it. A **recording** is what the provider
//! starts and stops; each of its captures is a **segment**, and the time between two segments is a gap with a reason.
//!
//! [`plan::next`] compares what is to be captured with the open capture and returns the next step. It is the only place that
//! decides on captures; a request, an event of a pipeline and the schedule change what it reads and call it again. So a lost
//! event or a crash delays a step and never skips it.

pub mod capture;
pub mod control;
pub mod deadline;
pub mod permission;
pub mod plan;
pub mod rights;
pub mod segment;
pub mod state;
pub mod timeline;

#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::RecordingId;
use segment::SegmentStatus;

/// The provider's intent for a recording (`recordings.intent`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    Recording,
    Paused,
    /// Nothing is captured for it any more.
    Ended,
}

impl Intent {
    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// The pictures in a recording, beside the sound (`recordings.layout`): a parameter of the deployment, fixed when the recording starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Sound without pictures.
    AudioOnly,
    /// The picture of the participant who speaks.
    #[default]
    ActiveSpeaker,
    /// The pictures of all participants.
    Grid,
}

impl Layout {
    /// The spelling in the database and in the parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AudioOnly => "audio_only",
            Self::ActiveSpeaker => "active_speaker",
            Self::Grid => "grid",
        }
    }
}

/// A text that names no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be audio_only, active_speaker or grid")]
pub struct NotALayout;

impl FromStr for Layout {
    type Err = NotALayout;

    fn from_str(text: &str) -> Result<Self, NotALayout> {
        let all = [Self::AudioOnly, Self::ActiveSpeaker, Self::Grid];
        all.into_iter().find(|layout| layout.as_str() == text).ok_or(NotALayout)
    }
}

/// Why a recording was paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// By the provider.
    Requested,
    /// Between two captures somebody joined who has not decided on consent yet.
    ConsentMissing,
}

impl PauseReason {
    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::ConsentMissing => "consent_missing",
        }
    }
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// By the provider.
    Requested,
    /// A participant refused or revoked consent. It is not resumed: another recording is started by hand.
    ConsentRevoked,
    CallEnded,
    /// Only the recorder was left in the call.
    EveryoneLeft,
    /// Captures failed one after the other.
    CaptureFailed,
    /// The quota of media pipelines was exhausted when it was started.
    Capacity,
}

impl EndReason {
    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::ConsentRevoked => "consent_revoked",
            Self::CallEnded => "call_ended",
            Self::EveryoneLeft => "everyone_left",
            Self::CaptureFailed => "capture_failed",
            Self::Capacity => "capacity",
        }
    }
}

/// The recording of a call that has not ended, as the decisions read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRecording {
    pub id: RecordingId,
    pub intent: Intent,
    pub began_at: OffsetDateTime,
    /// Its last pause.
    pub last_pause: Option<timeline::Pause>,
    /// The capture of its last segment, once that has ended.
    pub previous: Option<timeline::Previous>,
}

impl OpenRecording {
    #[must_use]
    pub const fn new(id: RecordingId, began_at: OffsetDateTime) -> Self {
        Self { id, intent: Intent::Recording, began_at, last_pause: None, previous: None }
    }
}

/// The state of a recording: derived from its intent and its segments, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    Recording,
    Paused,
    /// A segment is not finished.
    Processing,
    /// Every segment was verified.
    Ready,
    /// A part is missing, or could not be verified; the rest is playable.
    Incomplete,
    /// There is no file.
    Failed,
    /// Its files are being deleted.
    Deleting,
    Deleted,
}

/// Derives the state of a recording. `deletion_requested` is set by the request that deletes it, or by its expiry.
#[must_use]
pub fn state(intent: Intent, deletion_requested: bool, segments: &[SegmentStatus]) -> RecordingState {
    use SegmentStatus::{Concatenating, Deleted, Failed, Incomplete, Ready, Verifying, Waiting};
    if deletion_requested {
        let gone = |segment: &SegmentStatus| matches!(segment, Deleted);
        return if segments.iter().all(gone) { RecordingState::Deleted } else { RecordingState::Deleting };
    }
    match intent {
        Intent::Recording => return RecordingState::Recording,
        Intent::Paused => return RecordingState::Paused,
        Intent::Ended => {}
    }
    let (mut ready, mut failed) = (0, 0);
    for segment in segments {
        match segment {
            Waiting | Concatenating | Verifying => return RecordingState::Processing,
            Ready => ready += 1,
            Failed | Deleted => failed += 1,
            Incomplete => {}
        }
    }
    if failed == segments.len() {
        RecordingState::Failed
    } else if ready == segments.len() {
        RecordingState::Ready
    } else {
        RecordingState::Incomplete
    }
}
