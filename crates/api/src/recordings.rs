//! Recordings of calls.

use domain::id::{AppointmentId, RecordingId, SessionId};
use domain::recording::segment::SegmentStatus;
use domain::recording::timeline::GapReason;
use domain::recording::{EndReason, Layout, PauseReason, RecordingState};
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::fields::null_as_default;

/// The recording that a direct invocation is about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordingSelector {
    /// Its id.
    pub recording_id: RecordingId,
}

/// The recording and purpose of a direct invocation; a route has the purpose in its query.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlaybackOptions {
    /// Whether the links are to save the files, for callers with the right `download`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub download: bool,
}

/// The request for a recording that waits for consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordingRequest {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call.
    pub session_id: SessionId,
    /// Whether it stands.
    pub requested: bool,
}

/// A recording of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// Its id.
    pub recording_id: RecordingId,
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call.
    pub session_id: SessionId,
    /// Its state.
    pub state: RecordingState,
    /// Whether the call is being captured for it at this moment.
    pub capturing: bool,
    /// Whether it started by itself when everyone had consented.
    pub automatic: bool,
    /// The layout: sound only, the active speaker, or all.
    pub layout: Layout,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; null while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// Why it is paused, if it is.
    pub pause_reason: Option<PauseReason>,
    /// Its parts in order: one for each time it was started or resumed.
    pub segments: Vec<RecordingSegment>,
}

/// A part of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordingSegment {
    /// Its place in the recording, from 1.
    pub number: u32,
    /// Its state.
    pub state: SegmentStatus,
    /// When its file begins; null until it is verified.
    pub started_at: Option<Timestamp>,
    /// How much of its file may be played; null until it is verified.
    pub duration_seconds: Option<f64>,
    /// How much of what was captured is missing in its file, as far as that is known.
    pub missing_seconds: Option<f64>,
    /// The time without a recording before it; null for the first.
    pub gap_seconds: Option<f64>,
    /// The reason of that gap.
    pub gap_reason: Option<GapReason>,
}

/// The recordings of an appointment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordingsResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The newest first, at most a hundred.
    pub recordings: Vec<Recording>,
}

/// Links to the files of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlaybackResponse {
    /// The recording.
    pub recording_id: RecordingId,
    /// Its playable parts in order.
    pub segments: Vec<PlaybackSegment>,
    /// After it none of the links works.
    pub expires_at: Timestamp,
}

/// A playable part of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlaybackSegment {
    /// Its place in the recording, from 1.
    pub number: u32,
    /// An MP4 file. Answers range requests. The link admits its holder: it is not to be stored or logged.
    pub url: String,
    /// When the file begins.
    pub started_at: Timestamp,
    /// Playback ends after this, although the file may be longer: what was captured after a withdrawal of consent is not played.
    pub duration_seconds: f64,
    /// The time without a recording before it; 0 for the first.
    pub gap_seconds: f64,
    /// The reason of that gap.
    pub gap_reason: Option<GapReason>,
}
