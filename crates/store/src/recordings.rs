//! Recordings: their segments, and what is shown of them.

use domain::audit::{Event, Origin};
use domain::call::{Actor, Appointment, UserRef};
use domain::id::{AppointmentId, CaptureId, PipelineId, RecordingId, SessionId, UserId};
use domain::operation::{LEASE, Operation, PendingOperation};
use domain::recording::capture::{Purposes, Stop, StopReason};
use domain::recording::segment::{Defect, Segment, SegmentStatus};
use domain::recording::timeline::GapReason;
use domain::recording::{EndReason, Intent, Layout, PauseReason, RecordingState};
use domain::state::{ParticipantStatus, Role};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::view::Keys;
use crate::{Error, Store};

/// A segment with what its concatenation and its verification need.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentRow {
    pub capture_id: CaptureId,
    pub recording_id: RecordingId,
    pub number: u32,
    pub layout: Layout,
    pub control_region: String,
    pub pipeline_id: Option<PipelineId>,
    pub pipeline_arn: Option<String>,
    /// When Chime reported that it captures; `None` where it never did.
    #[serde(with = "time::serde::rfc3339::option")]
    pub capture_began_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub capture_ended_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
    /// Whether the text in the capture's files has not been taken into its transcript.
    pub text_pending: bool,
    status: SegmentStatus,
    concatenation_id: Option<PipelineId>,
    concatenations: u32,
    defect: Option<Defect>,
    missing_seconds: Option<f64>,
}

impl SegmentRow {
    /// The segment as the rules read it.
    #[must_use]
    pub fn segment(&self) -> Segment {
        Segment {
            status: self.status,
            concatenation: self.concatenation_id,
            concatenations: self.concatenations,
            defect: self.defect.zip(self.missing_seconds.map(Duration::seconds_f64)),
        }
    }
}

/// A verified file.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedFile {
    pub started_at: OffsetDateTime,
    pub duration: Duration,
    /// As S3 returns it, in base64; of a file that was copied in parts over those of its parts.
    pub sha256: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SegmentWrite<'a> {
    status: SegmentStatus,
    concatenation_id: Option<PipelineId>,
    concatenations: u32,
    defect: Option<Defect>,
    missing_seconds: Option<f64>,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    duration_seconds: Option<f64>,
    sha256: Option<&'a str>,
}

#[derive(Clone, Debug, Deserialize)]
struct SegmentApplied {
    event: Option<PendingOperation>,
}

/// The appointment and the session of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundRecording {
    pub appointment_id: AppointmentId,
    pub session_id: SessionId,
}

/// Recordings with what decides who may see them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingsView {
    pub caller: Option<UserRef>,
    pub appointment: Option<Appointment>,
    /// Whether a legal hold stands on the appointment.
    pub on_hold: bool,
    part: Option<PartRow>,
    pub recordings: Vec<RecordingDetail>,
}

/// A caller's own part in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct PartRow {
    role: Role,
    status: ParticipantStatus,
}

impl RecordingsView {
    /// The caller's part in the call that was recorded, which makes an observer of it; of the appointment's calls that with the most
    /// rights.
    #[must_use]
    pub fn part(&self) -> Option<(Role, ParticipantStatus)> {
        self.part.map(|part| (part.role, part.status))
    }
}

/// A recording as it is shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingDetail {
    pub id: RecordingId,
    pub session_id: SessionId,
    pub intent: Intent,
    pub automatic: bool,
    pub layout: Layout,
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    pub pause_reason: Option<PauseReason>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    pub end_reason: Option<EndReason>,
    pub deletion_requested: bool,
    pub capturing: bool,
    pub segments: Vec<SegmentDetail>,
}

/// A recording that is not finished, or whose files are not deleted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueRecording {
    pub id: RecordingId,
    intent: Intent,
    deletion_requested: bool,
    segments: Vec<SegmentStatus>,
    /// The captures of its segments.
    pub captures: Vec<CaptureId>,
    /// When its state began.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl DueRecording {
    #[must_use]
    pub fn state(&self) -> RecordingState {
        domain::recording::state(self.intent, self.deletion_requested, &self.segments)
    }
}

/// A segment as it is shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentDetail {
    pub number: u32,
    pub status: SegmentStatus,
    /// When its first chunk began; known once it is verified.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When Chime reported that it captures.
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    pub duration_seconds: Option<f64>,
    pub missing_seconds: Option<f64>,
    pub gap_reason: Option<GapReason>,
    #[serde(with = "time::serde::rfc3339::option")]
    stop_requested_at: Option<OffsetDateTime>,
    stop_reason: Option<StopReason>,
    revoked: Purposes,
}

impl SegmentDetail {
    /// The request to stop its capture.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        let (at, reason) = self.stop_requested_at.zip(self.stop_reason)?;
        Some(Stop { at, reason, revoked: self.revoked })
    }
}

impl Store {
    /// A segment by its capture. One round trip.
    pub async fn load_segment(&self, capture: CaptureId) -> Result<Option<SegmentRow>, Error> {
        self.ask(sql!("load_segment"), &[(&capture.as_uuid(), Type::UUID)]).await
    }

    /// Segments that are unfinished and have neither changed nor been captured since `before`, at most so many. One round trip.
    pub async fn due_segments(&self, before: OffsetDateTime, limit: i64) -> Result<Vec<CaptureId>, Error> {
        let params = [(&before as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(sql!("due_segments"), &params).await?.unwrap_or_default())
    }

    /// Writes a segment, if it is still as it was read, and enqueues the operation that follows. `None`: it is not. Returns the
    /// event of a recording that is finished by it. One round trip.
    pub async fn apply_segment(
        &self,
        before: &SegmentRow,
        after: &Segment,
        file: Option<&VerifiedFile>,
        next: Option<Operation>,
        origin: &Origin,
    ) -> Result<Option<Option<PendingOperation>>, Error> {
        let write = SegmentWrite {
            status: after.status,
            concatenation_id: after.concatenation,
            concatenations: after.concatenations,
            defect: after.defect.map(|(defect, _)| defect),
            missing_seconds: after.defect.map(|(_, missing)| missing.as_seconds_f64()),
            started_at: file.map(|file| file.started_at),
            duration_seconds: file.map(|file| file.duration.as_seconds_f64()),
            sha256: file.map(|file| file.sha256.as_str()),
        };
        let (capture, until) = (before.capture_id.as_uuid(), origin.now + LEASE);
        let concatenations = i32::try_from(before.concatenations).unwrap_or(i32::MAX);
        let next = next.map(Operation::as_str);
        let applied: Option<SegmentApplied> = self
            .ask(
                sql!("apply_segment"),
                &[
                    (&capture, Type::UUID),
                    (&Json(write), Type::JSONB),
                    (&before.status.as_str(), Type::TEXT),
                    (&concatenations, Type::INT4),
                    (&next, Type::TEXT),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::SegmentFinished.as_str(), Type::TEXT),
                    (&until, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(applied.map(|applied| applied.event))
    }

    /// Recordings that are not finished or not deleted, whose state began before a moment, at most so many. One round trip.
    pub async fn due_recordings(
        &self,
        before: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<DueRecording>, Error> {
        let params = [(&before as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(sql!("due_recordings"), &params).await?.unwrap_or_default())
    }

    /// Stores that a capture's chunks were deleted. May be repeated. One round trip.
    pub async fn chunks_deleted(&self, capture: CaptureId, now: OffsetDateTime) -> Result<(), Error> {
        let params = [(&capture.as_uuid() as _, Type::UUID), (&now as _, Type::TIMESTAMPTZ)];
        self.ask::<bool>(sql!("chunks_deleted"), &params).await?;
        Ok(())
    }

    /// Requests the deletion of recordings that ended before a moment: of one, or of at most so many. `actor`: the participant who
    /// requests it; `None`: their retention has ended. Returns how many were requested now. One round trip.
    pub async fn request_deletion(
        &self,
        recording: Option<RecordingId>,
        (ended_before, limit): (OffsetDateTime, i64),
        actor: Option<(UserId, Role)>,
        origin: &Origin,
    ) -> Result<u64, Error> {
        let recording = recording.map(RecordingId::as_uuid);
        let (user, role) = (actor.map(|(user, _)| user.as_uuid()), actor.map(|(_, role)| role.as_str()));
        let params = [
            (&recording as _, Type::UUID),
            (&ended_before as _, Type::TIMESTAMPTZ),
            (&limit as _, Type::INT8),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&user as _, Type::UUID),
            (&role as _, Type::TEXT),
            (&Event::RecordingDeletionRequested.as_str() as _, Type::TEXT),
        ];
        Ok(self.ask(sql!("request_deletion"), &params).await?.unwrap_or_default())
    }

    /// The captures of a recording that is being deleted. One round trip.
    pub async fn recording_captures(&self, recording: RecordingId) -> Result<Vec<CaptureId>, Error> {
        let params = [(&recording.as_uuid() as _, Type::UUID)];
        Ok(self.ask(sql!("recording_captures"), &params).await?.unwrap_or_default())
    }

    /// Stores that the files of a recording were deleted. May be repeated. One round trip.
    pub async fn recording_deleted(&self, recording: RecordingId, origin: &Origin) -> Result<(), Error> {
        let params = [
            (&recording.as_uuid() as _, Type::UUID),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&Event::RecordingDeleted.as_str() as _, Type::TEXT),
        ];
        self.ask::<bool>(sql!("recording_deleted"), &params).await?;
        Ok(())
    }

    /// Those of these ids that are of no capture. One round trip.
    pub async fn unknown_captures(&self, ids: &[CaptureId]) -> Result<Vec<CaptureId>, Error> {
        let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
        Ok(self.ask(sql!("unknown_captures"), &[(&ids, Type::UUID_ARRAY)]).await?.unwrap_or_default())
    }

    /// The appointment and the session of a recording. One round trip.
    pub async fn find_recording(&self, recording: RecordingId) -> Result<Option<FoundRecording>, Error> {
        self.ask(sql!("find_recording"), &[(&recording.as_uuid(), Type::UUID)]).await
    }

    /// The recordings of an appointment, the newest first, at most a hundred; or one recording with its appointment. One round trip.
    pub async fn list_recordings(
        &self,
        actor: &Actor,
        appointment: Option<AppointmentId>,
        recording: Option<RecordingId>,
    ) -> Result<RecordingsView, Error> {
        let caller = Keys::of(actor);
        let (appointment, recording) =
            (appointment.map(AppointmentId::as_uuid), recording.map(RecordingId::as_uuid));
        let params = [
            (&caller.subject as _, Type::TEXT),
            (&caller.user as _, Type::UUID),
            (&appointment as _, Type::UUID),
            (&recording as _, Type::UUID),
            (&self.cancelled_statuses() as _, Type::TEXT_ARRAY),
        ];
        Ok(self.ask(sql!("list_recordings"), &params).await?.unwrap_or_default())
    }

    /// Appends the audit entry of links to a recording, before they are answered. One round trip.
    pub async fn audit_playback(
        &self,
        recording: RecordingId,
        (user, role): (UserId, Role),
        event: Event,
        expires_at: OffsetDateTime,
        origin: &Origin,
    ) -> Result<(), Error> {
        let params = [
            (&recording.as_uuid() as _, Type::UUID),
            (&user.as_uuid() as _, Type::UUID),
            (&role.as_str() as _, Type::TEXT),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&event.as_str() as _, Type::TEXT),
            (&expires_at as _, Type::TIMESTAMPTZ),
        ];
        self.ask::<bool>(sql!("audit_playback"), &params).await?;
        Ok(())
    }
}
