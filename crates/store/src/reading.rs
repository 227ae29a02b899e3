//! Transcripts as they are read: with what decides who may, and the audit of it.

use domain::audit::{Event, Origin};
use domain::call::{Actor, Appointment, UserRef};
use domain::id::{AppointmentId, SessionId, TranscriptId, UserId};
use domain::state::Role;
use domain::transcript::Outcome;
use domain::transcript::gaps::Gap;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::view::Keys;
use crate::{Error, Store};

/// A transcript with what decides who may read it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TranscriptAccess {
    pub caller: Option<UserRef>,
    pub appointment: Option<Appointment>,
    pub transcript: Option<TranscriptDetail>,
}

/// A transcript without its segments.
#[expect(clippy::struct_excessive_bools, reason = "columns of a row")]
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptDetail {
    pub id: TranscriptId,
    pub session_id: SessionId,
    pub appointment_id: AppointmentId,
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    pub outcome: Option<Outcome>,
    /// In hex.
    pub sha256: Option<String>,
    /// Of the finished text; 0 before.
    pub segment_count: usize,
    pub gaps: Vec<Gap>,
    pub deletion_requested: bool,
    /// Whether a legal hold stands on its appointment.
    pub on_hold: bool,
    pub deleted: bool,
    /// The language that was asked for.
    pub language: Option<String>,
    /// Whether personal or health data was marked in all of its text.
    pub marked: bool,
}

/// Which transcript.
#[derive(Clone, Copy, Debug)]
pub enum WhichTranscript {
    /// That of a session of an appointment; `None`: the latest whose text is not deleted.
    Of(AppointmentId, Option<SessionId>),
    /// This one, also where its text is deleted.
    Id(TranscriptId),
}

impl Store {
    /// A transcript with what decides who may read it. One round trip.
    pub async fn view_transcript(
        &self,
        actor: &Actor,
        which: WhichTranscript,
    ) -> Result<TranscriptAccess, Error> {
        let caller = Keys::of(actor);
        let (appointment, session, transcript) = match which {
            WhichTranscript::Of(appointment, session) => (Some(appointment), session, None),
            WhichTranscript::Id(transcript) => (None, None, Some(transcript)),
        };
        let params = [
            (&caller.subject as _, Type::TEXT),
            (&caller.user as _, Type::UUID),
            (&appointment.map(AppointmentId::as_uuid) as _, Type::UUID),
            (&session.map(SessionId::as_uuid) as _, Type::UUID),
            (&self.cancelled_statuses() as _, Type::TEXT_ARRAY),
            (&transcript.map(TranscriptId::as_uuid) as _, Type::UUID),
        ];
        Ok(self.ask(sql!("view_transcript"), &params).await?.unwrap_or_default())
    }

    /// Appends the audit entry of a transcript that is read, before it is answered. One round trip.
    pub async fn audit_reading(
        &self,
        transcript: TranscriptId,
        (user, role): (UserId, Role),
        (format, view): (&str, &str),
        origin: &Origin,
    ) -> Result<(), Error> {
        let params = [
            (&transcript.as_uuid() as _, Type::UUID),
            (&user.as_uuid() as _, Type::UUID),
            (&role.as_str() as _, Type::TEXT),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&Event::TranscriptRead.as_str() as _, Type::TEXT),
            (&format as _, Type::TEXT),
            (&view as _, Type::TEXT),
        ];
        self.ask::<bool>(sql!("audit_reading"), &params).await?;
        Ok(())
    }
}
