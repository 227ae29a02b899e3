//! Jobs of Transcribe on the sound of captures.

use domain::id::{CaptureId, PipelineId, RecordingId, TranscriptId};
use domain::recording::segment::SegmentStatus;
use domain::transcript::batch::job::{JobFailure, JobStatus};
use domain::transcript::language::Engine;
use domain::transcript::settings::BatchSettings;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::transcripts::KnownAttendee;
use crate::{Error, Store};

/// A job that is to be ordered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewJob {
    pub name: String,
    pub capture_id: CaptureId,
    pub attempt: u32,
    pub kind: Engine,
    pub settings: BatchSettings,
    #[serde(with = "time::serde::rfc3339")]
    pub deadline: OffsetDateTime,
}

/// A job with its sound.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRow {
    pub name: String,
    pub transcript_id: TranscriptId,
    pub capture_id: CaptureId,
    pub attempt: u32,
    pub settings: BatchSettings,
    pub status: JobStatus,
    /// When the status, or the concatenation, last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
    /// It is given up after it.
    #[serde(with = "time::serde::rfc3339")]
    pub deadline: OffsetDateTime,
    /// When the capture began and ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub captured_from: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub captured_until: Option<OffsetDateTime>,
    /// When a consent to the transcription was last withdrawn.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// The concatenation of speech that is not recorded, once it was ordered.
    pub concatenation: Option<Concatenation>,
    /// When the sound of its file began, once Transcribe was asked for it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub sound_began_at: Option<OffsetDateTime>,
    pub sound_seconds: Option<f64>,
    pub control_region: String,
    /// The pipeline of the capture.
    pub pipeline_arn: Option<String>,
    /// `None`: the speech was captured for its text alone.
    pub recording_id: Option<RecordingId>,
    /// The file of the recording, once there is a row of it.
    pub file: Option<RecordedFile>,
    pub attendees: Vec<KnownAttendee>,
}

/// A concatenation, and the attempt that ordered it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Concatenation {
    pub id: PipelineId,
    pub attempt: u32,
}

/// The file that a recorded capture becomes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedFile {
    pub number: u32,
    pub status: SegmentStatus,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    pub duration_seconds: Option<f64>,
}

/// A change of a job. What is absent stays as it is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobChange<'a> {
    pub status: JobStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concatenation_id: Option<PipelineId>,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub sound_began_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound_seconds: Option<f64>,
    pub reason: Option<JobFailure>,
    /// Transcribe's reason for a failure.
    pub message: Option<&'a str>,
}

impl JobChange<'_> {
    /// To a status.
    #[must_use]
    pub const fn to(status: JobStatus) -> Self {
        let (sound_began_at, sound_seconds, reason) = (None, None, None);
        Self { status, concatenation_id: None, sound_began_at, sound_seconds, reason, message: None }
    }
}

#[derive(Deserialize)]
struct Changed {
    changed: u64,
}

impl Store {
    /// Orders jobs for a transcript and returns how many were new. One round trip.
    pub async fn order_jobs(
        &self,
        transcript: TranscriptId,
        jobs: &[NewJob],
        now: OffsetDateTime,
    ) -> Result<u64, Error> {
        let ordered: Option<Changed> = self
            .ask(
                sql!("order_jobs"),
                &[(&transcript.as_uuid(), Type::UUID), (&Json(jobs), Type::JSONB), (&now, Type::TIMESTAMPTZ)],
            )
            .await?;
        Ok(ordered.map_or(0, |of| of.changed))
    }

    /// A job by its name; `None`: there is none. One round trip.
    pub async fn load_job(&self, name: &str) -> Result<Option<JobRow>, Error> {
        self.ask(sql!("load_job"), &[(&name, Type::TEXT)]).await
    }

    /// Makes the check of a job due, if it runs. One round trip.
    pub async fn check_job_now(&self, name: &str, now: OffsetDateTime) -> Result<(), Error> {
        self.ask::<u64>(sql!("check_job_now"), &[(&name, Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }

    /// Changes a job, if its status is still the one that was read, and returns whether it was. One that runs is checked from
    /// `check_at` on. One round trip.
    pub async fn apply_job(
        &self,
        job: &JobRow,
        change: &JobChange<'_>,
        check_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let changed: Option<Changed> = self
            .ask(
                sql!("apply_job"),
                &[
                    (&job.name, Type::TEXT),
                    (&job.status.as_str(), Type::TEXT),
                    (&Json(change), Type::JSONB),
                    (&now, Type::TIMESTAMPTZ),
                    (&check_at, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(changed.is_some_and(|of| of.changed > 0))
    }
}
