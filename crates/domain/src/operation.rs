//! Pending operations: work that a committed change made necessary and that has not been executed yet.
//!
//! The statement that makes an operation necessary inserts it (`medzen.pending_operations`). The request that inserted it
//! executes it at once where its function may; what is left, the schedule of the operation's executor executes. So a crash
//! between the change and the call to Chime or EventBridge loses nothing.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::capabilities::Capabilities;
use crate::error::Error;
use crate::id::{
    AppointmentId, CaptureId, ChimeAttendeeId, ChimeMeetingId, OperationId, PipelineId, RecordingId, RunId,
    SessionId, TranscriptId, UserId,
};
use crate::outbound::EventPayload;
use crate::recording::Layout;

/// An operation is held for this long by the request or the run that leased it: longer than a function's timeout of 20 s, so
/// that an expired lease belongs to no execution.
pub const LEASE: Duration = Duration::seconds(30);

/// Failed attempts after which an alarm calls the operator. The operation is still retried.
pub const MAX_ATTEMPTS: i32 = 10;

/// The first pause between two attempts; it doubles up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::seconds(30);

/// The longest pause between two attempts.
const MAX_BACKOFF: Duration = Duration::minutes(10);

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Chime deletes an attendee, which disconnects it. Target: the attendee's id.
    DeleteAttendee,
    /// Chime changes an attendee's capabilities. Target: the attendee's id.
    UpdateCapabilities,
    /// Chime deletes a meeting. Target: the meeting's id.
    DeleteMeeting,
    /// Chime is asked whether a meeting is live whose end an event claims. Target: the meeting's id.
    VerifyMeeting,
    /// An event is put on the bus. Target: the event's id.
    PublishEvent,
    /// A capture's pipeline is created. Target: the capture's id.
    StartCapture,
    /// A capture's pipeline is deleted. Target: the capture's id.
    StopCapture,
    /// The concatenation of a capture's chunks is created. Target: the capture's id.
    Concatenate,
    /// A concatenated file is compared with its chunks and copied. Target: the capture's id.
    VerifySegment,
    /// A capture's chunks are deleted, versions too. Target: the capture's id.
    DeleteChunks,
    /// The files of a recording are deleted, versions too. Target: the recording's id.
    DeleteRecording,
    /// The legal hold is placed on all files of an appointment, or taken off them. Target: the appointment's id.
    ApplyHold,
    /// Chime transcribes a meeting. Target: the run's id.
    StartTranscription,
    /// Chime transcribes a meeting no more. Target: the run's id.
    StopTranscription,
    /// The text in a capture's files is taken into the transcript. Target: the capture's id.
    TakeText,
    /// A transcript whose text is complete gets its result. Target: the transcript's id.
    CompleteTranscript,
    /// The text of a transcript is deleted. Target: the transcript's id.
    DeleteTranscript,
    /// Transcribe is asked for the text of a capture, once its sound is one file. Target: the job's name.
    StartBatchJob,
    /// Transcribe is asked whether a job has ended, and its text is taken. Target: the job's name.
    CheckBatchJob,
    /// The medical entities of a finished transcript are found. Target: the transcript's id.
    FindEntities,
}

impl Operation {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::DeleteAttendee,
        Self::UpdateCapabilities,
        Self::DeleteMeeting,
        Self::VerifyMeeting,
        Self::PublishEvent,
        Self::StartCapture,
        Self::StopCapture,
        Self::Concatenate,
        Self::VerifySegment,
        Self::DeleteChunks,
        Self::DeleteRecording,
        Self::ApplyHold,
        Self::StartTranscription,
        Self::StopTranscription,
        Self::TakeText,
        Self::CompleteTranscript,
        Self::DeleteTranscript,
        Self::StartBatchJob,
        Self::CheckBatchJob,
        Self::FindEntities,
    ];

    /// The name in the table, in logs, metrics and the runbook.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeleteAttendee => "delete_attendee",
            Self::UpdateCapabilities => "update_capabilities",
            Self::DeleteMeeting => "delete_meeting",
            Self::VerifyMeeting => "verify_meeting",
            Self::PublishEvent => "publish_event",
            Self::StartCapture => "start_capture",
            Self::StopCapture => "stop_capture",
            Self::Concatenate => "concatenate",
            Self::VerifySegment => "verify_segment",
            Self::DeleteChunks => "delete_chunks",
            Self::DeleteRecording => "delete_recording",
            Self::ApplyHold => "apply_hold",
            Self::StartTranscription => "start_transcription",
            Self::StopTranscription => "stop_transcription",
            Self::TakeText => "take_text",
            Self::CompleteTranscript => "complete_transcript",
            Self::DeleteTranscript => "delete_transcript",
            Self::StartBatchJob => "start_batch_job",
            Self::CheckBatchJob => "check_batch_job",
            Self::FindEntities => "find_entities",
        }
    }

    /// The function whose schedule executes the operation, as `medzen.operation_executor` has it.
    #[must_use]
    pub const fn executor(self) -> &'static str {
        match self {
            Self::DeleteAttendee
            | Self::UpdateCapabilities
            | Self::DeleteMeeting
            | Self::VerifyMeeting
            | Self::PublishEvent => "meeting-manager",
            Self::StartCapture
            | Self::StopCapture
            | Self::Concatenate
            | Self::VerifySegment
            | Self::DeleteChunks
            | Self::DeleteRecording
            | Self::ApplyHold => "recording",
            Self::StartTranscription
            | Self::StopTranscription
            | Self::TakeText
            | Self::CompleteTranscript
            | Self::DeleteTranscript
            | Self::StartBatchJob
            | Self::CheckBatchJob
            | Self::FindEntities => "transcript",
        }
    }
}

/// When an operation that failed for the `attempts`th time is due again.
#[must_use]
pub fn next_attempt(attempts: i32, now: OffsetDateTime) -> OffsetDateTime {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(10);
    now + (FIRST_BACKOFF * 2_i32.pow(doublings)).min(MAX_BACKOFF)
}

/// An operation as the database returns it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingOperation {
    pub id: OperationId,
    pub operation: Operation,
    /// The object that it acts on.
    pub target: String,
    /// The session that it belongs to, where there is one.
    #[serde(default)]
    pub session_id: Option<SessionId>,
    /// How often the schedule has leased it, this time included; 0 for the request that inserted it.
    #[serde(default)]
    pub attempts: i32,
    /// The data that its execution needs, by kind.
    pub payload: serde_json::Value,
}

/// The payload of `delete_attendee`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAttendee {
    pub user_id: UserId,
    /// The only region in which the meeting can be changed.
    pub control_region: String,
    pub meeting_id: ChimeMeetingId,
}

/// The payload of `update_capabilities`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateCapabilities {
    pub user_id: UserId,
    /// The only region in which the meeting can be changed.
    pub control_region: String,
    pub meeting_id: ChimeMeetingId,
    /// The capabilities that the attendee is to have.
    pub capabilities: Capabilities,
}

/// The payload of `delete_meeting`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteMeeting {
    /// The only region in which the meeting can be deleted.
    pub control_region: String,
    /// Whether no open session owns the meeting. Otherwise its session is `ending` and is closed after the deletion.
    pub orphan: bool,
}

/// The payload of `verify_meeting`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyMeeting {
    /// The only region in which the meeting can be read.
    pub control_region: String,
}

/// The payload of `start_capture`: what Chime captures is fixed at the creation of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartCapture {
    pub control_region: String,
    /// As Chime returned it with the meeting.
    pub meeting_arn: String,
    /// `None`: only the speech is captured, for its text.
    pub layout: Option<Layout>,
}

/// The payload of `stop_capture`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopCapture {
    pub control_region: String,
    /// `None`: the answer to the creation has not arrived yet. Its request deletes what it has created, or the schedule finds it.
    #[serde(default)]
    pub pipeline_id: Option<PipelineId>,
}

/// The payload of `concatenate`, `verify_segment` and `delete_chunks`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfCapture {
    pub control_region: String,
}

/// The payload of `apply_hold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyHold {
    /// The row of the hold.
    pub hold: i64,
    /// Whether it is placed; otherwise it was lifted.
    pub on: bool,
    /// The change after which this pass over the files was begun.
    pub change: i32,
}

/// The payload of `start_transcription`: what the run's settings are is read with the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTranscription {
    pub control_region: String,
    pub meeting_id: ChimeMeetingId,
    /// Which start of the run it is; the second one stops what may run first.
    pub attempt: u32,
}

/// The payload of `stop_transcription`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopTranscription {
    pub control_region: String,
    pub meeting_id: ChimeMeetingId,
}

/// The parsed action of an operation.
#[derive(Clone, Debug)]
pub enum Action {
    DeleteAttendee(ChimeAttendeeId, DeleteAttendee),
    UpdateCapabilities(ChimeAttendeeId, UpdateCapabilities),
    DeleteMeeting(ChimeMeetingId, DeleteMeeting),
    VerifyMeeting(ChimeMeetingId, VerifyMeeting),
    PublishEvent(EventPayload),
    StartCapture(CaptureId, StartCapture),
    StopCapture(CaptureId, StopCapture),
    Concatenate(CaptureId, OfCapture),
    VerifySegment(CaptureId, OfCapture),
    DeleteChunks(CaptureId, OfCapture),
    DeleteRecording(RecordingId, OfCapture),
    ApplyHold(AppointmentId, ApplyHold),
    StartTranscription(RunId, StartTranscription),
    StopTranscription(RunId, StopTranscription),
    TakeText(CaptureId),
    CompleteTranscript(TranscriptId),
    DeleteTranscript(TranscriptId),
    /// The job's name.
    StartBatchJob(String),
    CheckBatchJob(String),
    FindEntities(TranscriptId),
}

impl PendingOperation {
    /// Parses the payload and the target by kind.
    ///
    /// # Errors
    /// Internal, where the stored row is not what its kind needs: a defect.
    pub fn action(&self) -> Result<Action, Error> {
        fn payload<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> Result<T, Error> {
            T::deserialize(value).map_err(Error::internal)
        }
        let attendee = || self.target.parse().map_err(Error::internal);
        let capture = || self.target.parse().map_err(Error::internal);
        Ok(match self.operation {
            Operation::DeleteAttendee => Action::DeleteAttendee(attendee()?, payload(&self.payload)?),
            Operation::UpdateCapabilities => Action::UpdateCapabilities(attendee()?, payload(&self.payload)?),
            Operation::DeleteMeeting => {
                Action::DeleteMeeting(self.target.parse().map_err(Error::internal)?, payload(&self.payload)?)
            }
            Operation::VerifyMeeting => {
                Action::VerifyMeeting(self.target.parse().map_err(Error::internal)?, payload(&self.payload)?)
            }
            Operation::StartCapture => Action::StartCapture(capture()?, payload(&self.payload)?),
            Operation::StopCapture => Action::StopCapture(capture()?, payload(&self.payload)?),
            Operation::Concatenate => Action::Concatenate(capture()?, payload(&self.payload)?),
            Operation::VerifySegment => Action::VerifySegment(capture()?, payload(&self.payload)?),
            Operation::DeleteRecording => Action::DeleteRecording(
                self.target.parse().map_err(Error::internal)?,
                payload(&self.payload)?,
            ),
            Operation::DeleteChunks => Action::DeleteChunks(capture()?, payload(&self.payload)?),
            Operation::ApplyHold => {
                Action::ApplyHold(self.target.parse().map_err(Error::internal)?, payload(&self.payload)?)
            }
            Operation::StartTranscription => Action::StartTranscription(
                self.target.parse().map_err(Error::internal)?,
                payload(&self.payload)?,
            ),
            Operation::StopTranscription => Action::StopTranscription(
                self.target.parse().map_err(Error::internal)?,
                payload(&self.payload)?,
            ),
            Operation::TakeText => Action::TakeText(capture()?),
            Operation::CompleteTranscript => {
                Action::CompleteTranscript(self.target.parse().map_err(Error::internal)?)
            }
            Operation::DeleteTranscript => {
                Action::DeleteTranscript(self.target.parse().map_err(Error::internal)?)
            }
            Operation::StartBatchJob => Action::StartBatchJob(self.target.clone()),
            Operation::CheckBatchJob => Action::CheckBatchJob(self.target.clone()),
            Operation::FindEntities => Action::FindEntities(self.target.parse().map_err(Error::internal)?),
            // Through text, because a RawValue is only read from text.
            Operation::PublishEvent => Action::PublishEvent(
                serde_json::from_str(&self.payload.to_string()).map_err(Error::internal)?,
            ),
        })
    }
}

/// An operation that was executed.
#[derive(Clone, Debug, Serialize)]
pub struct Executed {
    pub id: OperationId,
    /// The payload that was sent; none where it cannot change.
    pub payload: Option<serde_json::Value>,
}

/// A deletion that a legal hold forbids is tried again after this: a hold stands for months.
pub const ON_HOLD_AGAIN_AFTER: Duration = Duration::hours(1);

/// An operation that stays open, because its payload changed while it was executed.
#[derive(Clone, Debug, Deserialize)]
pub struct Changed {
    pub id: OperationId,
    /// The payload that is to be sent now.
    pub payload: serde_json::Value,
}

impl From<OperationId> for Uuid {
    fn from(id: OperationId) -> Self {
        id.as_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00:00 UTC);

    #[test]
    fn attempts_back_off_by_doubling_up_to_ten_minutes() {
        let pause = |attempts| (next_attempt(attempts, NOW) - NOW).whole_seconds();
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, i32::MAX].map(pause), [30, 30, 60, 120, 240, 480, 600, 600, 600]);
    }

    #[test]
    fn an_operation_is_parsed_by_its_kind() {
        let row = |operation: &str, payload: serde_json::Value| {
            serde_json::from_value::<PendingOperation>(serde_json::json!({
                "id": "7d9f1c5e-0000-4000-8000-000000000001", "operation": operation,
                "target": "7d9f1c5e-0000-4000-8000-000000000002", "payload": payload,
            }))
            .expect("a row")
        };
        let deletion =
            row("delete_meeting", serde_json::json!({"controlRegion": "us-east-1", "orphan": true}));
        assert!(matches!(
            deletion.action(),
            Ok(Action::DeleteMeeting(_, DeleteMeeting { orphan: true, .. }))
        ));
        let event = row("publish_event", serde_json::json!({"detailType": "Call Ended", "detail": {"a": 1}}));
        assert!(matches!(event.action(), Ok(Action::PublishEvent(_))));
        let stop = row("stop_capture", serde_json::json!({"controlRegion": "us-east-1"}));
        assert!(matches!(stop.action(), Ok(Action::StopCapture(_, StopCapture { pipeline_id: None, .. }))));
        let hold = row("apply_hold", serde_json::json!({"hold": 7, "on": true, "change": 2}));
        assert!(matches!(
            hold.action(),
            Ok(Action::ApplyHold(_, ApplyHold { hold: 7, on: true, change: 2 }))
        ));
        assert!(row("delete_attendee", serde_json::json!({})).action().is_err());
        for operation in Operation::ALL {
            assert_eq!(serde_json::to_value(operation).ok(), Some(operation.as_str().into()));
        }
    }
}
