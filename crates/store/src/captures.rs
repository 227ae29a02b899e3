//! Captures of a session, and the recording that is open.

use domain::audit::{Event, Origin};
use domain::id::{AppointmentId, CaptureId, PipelineId, RecordingId, SessionId, UserId};
use domain::operation::{LEASE, Operation, PendingOperation, StartCapture};
use domain::outbound::EventType;
use domain::recording::capture::{Capture, CaptureStatus, Purposes, StopReason};
use domain::recording::plan::Snapshot;
use domain::recording::state::RecordingRow;
use domain::recording::timeline::GapReason;
use domain::recording::{EndReason, Intent, Layout, PauseReason};
use domain::state::Role;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::{Error, Store};

/// A session that something is due for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueSession {
    pub session_id: SessionId,
    pub appointment_id: AppointmentId,
}

/// A session whose captures are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueCaptures {
    #[serde(flatten)]
    pub session: DueSession,
    /// When its capture was last confirmed, or its recording began or was requested.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Whether its capture is to stop, and whether because of a refusal.
    pub stops: bool,
    pub revoked: bool,
}

/// The object of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundPipeline {
    pub capture_id: CaptureId,
    pub session_id: SessionId,
    pub appointment_id: AppointmentId,
    pub control_region: String,
    /// Whether it concatenates the capture's chunks; else it is the capture.
    pub concatenation: bool,
}

/// A recording as it is from now on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingWrite {
    pub id: RecordingId,
    pub intent: Intent,
    pub automatic: bool,
    pub layout: Layout,
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_at: Option<OffsetDateTime>,
    pub pause_reason: Option<PauseReason>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    pub end_reason: Option<EndReason>,
}

impl RecordingWrite {
    /// A recording that begins.
    #[must_use]
    pub const fn begin(id: RecordingId, automatic: bool, layout: Layout, now: OffsetDateTime) -> Self {
        Self {
            id,
            intent: Intent::Recording,
            automatic,
            layout,
            began_at: now,
            paused_at: None,
            pause_reason: None,
            ended_at: None,
            end_reason: None,
        }
    }

    /// An open recording as it is now. `automatic` and `began_at` of an existing one are not written again.
    #[must_use]
    pub const fn of(row: RecordingRow) -> Self {
        Self {
            id: row.id,
            intent: row.intent,
            automatic: true,
            layout: row.layout,
            began_at: row.began_at,
            paused_at: row.paused_at,
            pause_reason: row.pause_reason,
            ended_at: None,
            end_reason: None,
        }
    }
}

/// An audit entry of a recording.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingEntry {
    pub event: &'static str,
    pub recording_id: RecordingId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic: Option<bool>,
    /// Whether the participant of the request made the change; else it follows from the call.
    pub own: bool,
}

/// A capture that is to be opened.
#[derive(Clone, Debug, Serialize)]
pub struct NewCapture {
    pub capture: CaptureId,
    pub purposes: Purposes,
    pub recording: Option<RecordingId>,
    pub gap: Option<GapReason>,
    /// The payload of its operation.
    pub payload: StartCapture,
}

/// A capture as it is from now on, and what is new of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureWrite {
    id: CaptureId,
    status: CaptureStatus,
    pipeline_id: Option<PipelineId>,
    pipeline_arn: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    confirmed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    began_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    stop_requested_at: Option<OffsetDateTime>,
    stop_reason: Option<StopReason>,
    revoked: Purposes,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    began: bool,
    stopping: bool,
    ended: bool,
}

impl CaptureWrite {
    /// The change from one state of a capture to another. `arn`: the pipeline's, where it is known for the first time.
    #[must_use]
    pub fn between(before: &Capture, after: &Capture, arn: Option<String>, now: OffsetDateTime) -> Self {
        let ended = before.status.is_open() && !after.status.is_open();
        Self {
            id: after.id,
            status: after.status,
            pipeline_id: after.pipeline,
            pipeline_arn: arn,
            confirmed_at: after.confirmed_at,
            began_at: after.began_at,
            stop_requested_at: after.stop.map(|stop| stop.at),
            stop_reason: after.stop.map(|stop| stop.reason),
            revoked: after.stop.map_or_else(Purposes::default, |stop| stop.revoked),
            ended_at: ended.then_some(now),
            began: before.began_at.is_none() && after.began_at.is_some(),
            stopping: after.status == CaptureStatus::Stopping
                // A pipeline that becomes known while its capture stops is to be deleted now.
                && (before.status != CaptureStatus::Stopping || before.pipeline != after.pipeline),
            ended,
        }
    }
}

/// A change of a session's captures.
#[derive(Clone, Debug, Default)]
pub struct CaptureChange {
    pub recording: Option<RecordingWrite>,
    pub entries: Vec<RecordingEntry>,
    pub open: Option<NewCapture>,
    pub capture: Option<CaptureWrite>,
}

/// The consequences of a change of captures.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CapturesApplied {
    /// `start_capture` and `stop_capture`, leased by the request.
    pub operations: Vec<PendingOperation>,
    /// Events for the host application.
    pub events: Vec<PendingOperation>,
}

impl Store {
    /// Sessions whose captures are to be compared with what is wanted, at most so many. One round trip.
    pub async fn due_captures(&self, limit: i64) -> Result<Vec<DueCaptures>, Error> {
        Ok(self.ask(sql!("due_captures"), &[(&limit, Type::INT8)]).await?.unwrap_or_default())
    }

    /// The capture or the concatenation of a pipeline, or a capture by its id. One round trip.
    pub async fn find_pipeline(
        &self,
        pipeline: Option<PipelineId>,
        capture: Option<CaptureId>,
    ) -> Result<Option<FoundPipeline>, Error> {
        let pipeline = pipeline.map(|id| id.to_string());
        let capture = capture.map(CaptureId::as_uuid);
        self.ask(sql!("find_pipeline"), &[(&pipeline, Type::TEXT), (&capture, Type::UUID)]).await
    }

    /// Changes a session's recording and captures, if they are still as in the snapshot. `None`: they are not, or the capture may not
    /// be opened; the call is to be read again. One round trip.
    pub async fn apply_captures(
        &self,
        session: SessionId,
        before: &Snapshot,
        change: &CaptureChange,
        actor: Option<(UserId, Role)>,
        origin: &Origin,
    ) -> Result<Option<CapturesApplied>, Error> {
        let expected = json!([
            before.recording.map(|open| json!([open.id, open.intent])),
            before.capture.map(|open| json!([
                open.id,
                open.status,
                open.stop.map_or_else(Purposes::default, |stop| stop.revoked)
            ])),
        ]);
        let session = session.as_uuid();
        let (user, role) = (actor.map(|(user, _)| user.as_uuid()), actor.map(|(_, role)| role.as_str()));
        let recording = change.recording.as_ref().map(Json);
        let (open, capture) = (change.open.as_ref().map(Json), change.capture.as_ref().map(Json));
        let until = origin.now + LEASE;
        self.ask(
            sql!("apply_captures"),
            &[
                (&session, Type::UUID),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&user, Type::UUID),
                (&role, Type::TEXT),
                (&Json(expected), Type::JSONB),
                (&recording, Type::JSONB),
                (&Json(&change.entries), Type::JSONB),
                (&open, Type::JSONB),
                (&capture, Type::JSONB),
                (&until, Type::TIMESTAMPTZ),
                (&Event::CaptureStarted.as_str(), Type::TEXT),
                (&Event::CaptureEnded.as_str(), Type::TEXT),
                (&EventType::RecordingStarted.as_str(), Type::TEXT),
            ],
        )
        .await
    }

    /// Requests the recording of an active call, which then waits for consent, or withdraws the request. Returns whether that changed
    /// anything. One round trip.
    pub async fn request_recording(
        &self,
        session: SessionId,
        requested: bool,
        (user, role): (UserId, Role),
        origin: &Origin,
    ) -> Result<bool, Error> {
        let event = if requested { Event::RecordingRequested } else { Event::RecordingWithdrawn };
        let params = [
            (&session.as_uuid() as _, Type::UUID),
            (&requested as _, Type::BOOL),
            (&Json(origin) as _, Type::JSONB),
            (&user.as_uuid() as _, Type::UUID),
            (&role.as_str() as _, Type::TEXT),
            (&event.as_str() as _, Type::TEXT),
            (&origin.now as _, Type::TIMESTAMPTZ),
        ];
        let changed: Option<bool> = self.ask(sql!("request_recording"), &params).await?;
        Ok(changed.is_some())
    }

    /// The open operations of one kind of a session. One round trip.
    pub async fn session_operations(
        &self,
        session: SessionId,
        kind: Operation,
    ) -> Result<Vec<PendingOperation>, Error> {
        let session = session.as_uuid();
        let params = [(&session as _, Type::UUID), (&kind.as_str() as _, Type::TEXT)];
        Ok(self.ask(sql!("session_operations"), &params).await?.unwrap_or_default())
    }
}
