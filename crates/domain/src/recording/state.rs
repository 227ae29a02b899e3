//! The captures and the recording of a session, as the database returns them with the call.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::call::{SessionState, View};
use crate::id::{CaptureId, PipelineId, RecordingId};
use crate::recording::capture::{Capture, CaptureStatus, Purposes, Stop, StopReason};
use crate::recording::permission::Permissions;
use crate::recording::plan::{self, Call, Failures, Snapshot};
use crate::recording::timeline::{Pause, Previous};
use crate::recording::{Intent, Layout, OpenRecording, PauseReason};
use crate::transcript::live::Run;

/// The result of `medzen.capture_state`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureState {
    /// The recording that has not ended.
    pub recording: Option<RecordingRow>,
    /// Whether the session has any recording.
    pub has_recording: bool,
    previous: Option<PreviousRow>,
    /// The open capture.
    pub capture: Option<CaptureRow>,
    /// The last run of the transcription.
    pub run: Option<RunRow>,
    /// The last captures of the open recording that have ended, the latest first; without one, of the transcription.
    ended: Vec<EndedRow>,
}

/// A run of the transcription.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRow {
    #[serde(flatten)]
    pub run: Run,
    /// Chime's reason for a failure.
    pub message: Option<String>,
    /// The languages that were resolved at its request.
    pub settings: serde_json::Value,
    /// When the last capture of the speech ended.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub captured_until: Option<OffsetDateTime>,
}

/// A recording that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingRow {
    pub id: RecordingId,
    pub intent: Intent,
    pub layout: Layout,
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_at: Option<OffsetDateTime>,
    pub pause_reason: Option<PauseReason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreviousRow {
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    stop: StopReason,
    revoked: Purposes,
}

/// A capture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureRow {
    pub id: CaptureId,
    pub purposes: Purposes,
    pub recording_id: Option<RecordingId>,
    pub status: CaptureStatus,
    pub pipeline_id: Option<PipelineId>,
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub confirmed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub began_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub stop_requested_at: Option<OffsetDateTime>,
    pub stop_reason: Option<StopReason>,
    pub revoked: Purposes,
}

impl CaptureRow {
    /// The capture as the rules read it.
    #[must_use]
    pub fn capture(&self) -> Capture {
        let stop = self.stop_requested_at.zip(self.stop_reason);
        Capture {
            id: self.id,
            purposes: self.purposes,
            recording: self.recording_id,
            status: self.status,
            pipeline: self.pipeline_id,
            requested_at: self.requested_at,
            confirmed_at: self.confirmed_at,
            began_at: self.began_at,
            stop: stop.map(|(at, reason)| Stop { at, reason, revoked: self.revoked }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndedRow {
    failed: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    began_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    ended_at: OffsetDateTime,
}

impl CaptureState {
    /// Failures in a row, up to the latest capture. One that ran for long ends the count and counts itself.
    fn failures(&self) -> Option<Failures> {
        let last_at = self.ended.first().filter(|ended| ended.failed)?.ended_at;
        let mut count = 0;
        for ended in &self.ended {
            if !ended.failed {
                break;
            }
            count += 1;
            if ended.began_at.is_some_and(|began| plan::is_long_run(ended.ended_at - began)) {
                break;
            }
        }
        Some(Failures { count, last_at })
    }

    fn open_recording(&self) -> Option<OpenRecording> {
        let row = self.recording?;
        let pause = row.paused_at.zip(row.pause_reason);
        Some(OpenRecording {
            id: row.id,
            intent: row.intent,
            began_at: row.began_at,
            last_pause: pause.map(|(at, reason)| Pause { at, reason }),
            previous: self.previous.map(|previous| Previous {
                requested_at: previous.requested_at,
                stop: previous.stop,
                revoked: previous.revoked.recording,
            }),
        })
    }
}

impl Snapshot {
    /// Reads the snapshot of a call's session. `automatic` is the id that a recording gets which starts by itself.
    #[must_use]
    pub fn read(view: &View, automatic: RecordingId) -> Self {
        let state = &view.captures;
        let session = view.session.as_ref();
        let call = match session.map(|session| &session.state) {
            Some(SessionState::Active(call)) => {
                Call::Active { empty_since: call.last_left_at.filter(|_| call.connected_count == 0) }
            }
            Some(
                SessionState::Creating(_)
                | SessionState::Ending { .. }
                | SessionState::Ended(_)
                | SessionState::Failed(_),
            )
            | None => Call::Over,
        };
        let wanted = session.is_some_and(|session| session.recording_requested) && !state.has_recording;
        Self {
            call,
            permissions: Permissions::read(&view.participants, &view.consents),
            recording: state.open_recording(),
            automatic: wanted.then_some(automatic),
            transcribe: state.run.as_ref().is_some_and(|row| row.run.status.needs_capture()),
            capture: state.capture.as_ref().map(CaptureRow::capture),
            failures: state.failures(),
        }
    }
}
