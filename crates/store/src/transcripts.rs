//! The transcription of calls: its runs, and the text that is taken from the files of captures.

use domain::audit::{Event, Origin};
use domain::id::{AppointmentId, CaptureId, ChimeMeetingId, RunId, SessionId, TranscriptId, UserId};
use domain::operation::{LEASE, Operation, PendingOperation};
use domain::state::Role;
use domain::transcript::budget::{Limits, MIN_SECONDS};
use domain::transcript::live::{Mode, Run, RunEnd, RunStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Date, OffsetDateTime};
use tokio_postgres::types::{Json, Type};

use crate::captures::DueSession;
use crate::statement::sql;
use crate::{Error, Store};

/// A failure of a language in a region counts for so long.
const FAILURE_COUNTS: time::Duration = time::Duration::WEEK;

/// A run that is to begin.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewRun {
    pub id: RunId,
    /// The transcript's id, where the call has none yet.
    pub transcript_id: TranscriptId,
    pub mode: Mode,
    /// The resolved languages; `language` is the requested one.
    pub settings: Value,
    /// Why a run that was to begin by itself may not; it is stored as failed.
    pub refusal: Option<Refusal>,
}

/// Why a run may not begin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    pub reason: RunEnd,
    pub message: String,
}

/// The result of a beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct BegunRun {
    /// Whether the speech may be captured and no other run is open.
    pub allowed: bool,
    /// Whether there is a new run, which one that was to begin by itself and may not is too.
    pub begun: bool,
    /// Why the new run has failed already.
    pub refused: Option<RunEnd>,
    /// Whether the transcript of the call is, or was, deleted.
    pub deleting: bool,
    /// The rest of the day's budget, in seconds; `None`: there is no budget.
    pub left: Option<i64>,
}

/// A change of a run with its consequences.
#[derive(Clone, Debug)]
pub struct RunChange<'a> {
    pub before: Run,
    pub after: Run,
    /// Chime's reason for a failure.
    pub message: Option<&'a str>,
    pub operation: Option<(Operation, Value)>,
    pub event: Option<Event>,
    /// The participant of the request; `None`: the system.
    pub actor: Option<(UserId, Role)>,
}

/// The consequences of a change of a run.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RunApplied {
    /// Leased by the request.
    pub operation: Option<PendingOperation>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunWrite<'a> {
    status: RunStatus,
    attempt: u32,
    #[serde(with = "time::serde::rfc3339")]
    confirmed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    end_reason: Option<RunEnd>,
    message: Option<&'a str>,
}

/// The result of an attempt with a language.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KnownLanguage {
    pub engine: String,
    pub code: String,
    pub region: String,
    /// Whether Chime transcribed it once; else it failed.
    pub confirmed: bool,
    /// Chime's reason for the failure.
    pub message: Option<String>,
}

/// The results of attempts with languages, and the seconds of a day that runs have reserved or used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KnownLanguages {
    pub languages: Vec<KnownLanguage>,
    pub reserved: i64,
}

/// A capture whose text is to be taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextSource {
    pub capture_id: CaptureId,
    /// Whether the capture is recorded too, which decides where its files are.
    pub recorded: bool,
    pub transcript_id: TranscriptId,
    pub session_id: SessionId,
    pub appointment_id: AppointmentId,
    #[serde(with = "time::serde::rfc3339")]
    pub call_began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// When consent to the transcription was revoked, which ended the capture.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// The language that was asked for.
    pub language: Option<String>,
    pub attendees: Vec<KnownAttendee>,
}

/// A participant's attendee.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownAttendee {
    pub attendee_id: String,
    pub user_id: UserId,
    pub role: Role,
}

/// A result of Chime's or of a batch job: it replaces the stored one with the same id, if its rank is higher.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredResult {
    pub result_id: String,
    /// Ordered as text.
    pub rank: String,
    pub segments: Vec<StoredSegment>,
}

/// A segment of a result.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredSegment {
    pub place: u32,
    pub source: &'static str,
    pub start_ms: i64,
    pub end_ms: i64,
    pub user_id: Option<UserId>,
    pub role: Option<Role>,
    /// Whether it is what the participant shares.
    pub content: bool,
    /// The source's name of a speaker who is no participant.
    pub speaker: Option<String>,
    pub body: String,
    pub language: String,
    pub confidence: Option<f64>,
    pub spans: Value,
    pub unfinished: bool,
    pub revoked: bool,
}

/// Somebody spoke from one moment to another, in milliseconds from the beginning of the call: an attendee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaking(pub i64, pub i64, pub String);

impl Store {
    /// Begins a run of a session's transcription and reserves its seconds. `None`: there is no such session. One round trip.
    pub async fn begin_run(
        &self,
        session: SessionId,
        new: &NewRun,
        limits: &Limits,
        actor: Option<(UserId, Role)>,
        origin: &Origin,
    ) -> Result<Option<BegunRun>, Error> {
        let session = session.as_uuid();
        let (user, role) = (actor.map(|(user, _)| user.as_uuid()), actor.map(|(_, role)| role.as_str()));
        let day: Date = origin.now.to_offset(time::UtcOffset::UTC).date();
        let (wanted, least) = (limits.per_call.whole_seconds(), MIN_SECONDS);
        let budget = limits.per_day.map_or(0, time::Duration::whole_seconds);
        self.ask(
            sql!("begin_run"),
            &[
                (&session, Type::UUID),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&user, Type::UUID),
                (&role, Type::TEXT),
                (&Json(new), Type::JSONB),
                (&day, Type::DATE),
                (&wanted, Type::INT8),
                (&least, Type::INT8),
                (&budget, Type::INT8),
                (&Event::TranscriptionRequested.as_str(), Type::TEXT),
            ],
        )
        .await
    }

    /// Changes a run, if it is still as it was read. `None`: it is not, and is to be read again. One round trip.
    pub async fn apply_run(
        &self,
        session: SessionId,
        change: &RunChange<'_>,
        origin: &Origin,
    ) -> Result<Option<RunApplied>, Error> {
        let RunChange { before, after, message, operation, event, actor } = change;
        let write = RunWrite {
            status: after.status,
            attempt: after.attempt,
            confirmed_at: after.confirmed_at,
            started_at: after.started_at,
            ended_at: after.ended_at,
            end_reason: after.end_reason,
            message: *message,
        };
        let (session, run) = (session.as_uuid(), before.id.as_uuid());
        let attempt = i32::try_from(before.attempt).unwrap_or(i32::MAX);
        let kind = operation.as_ref().map(|(kind, _)| kind.as_str());
        let payload = operation.as_ref().map(|(_, payload)| Json(payload));
        let (user, role) = (actor.map(|(user, _)| user.as_uuid()), actor.map(|(_, role)| role.as_str()));
        let until = origin.now + LEASE;
        self.ask(
            sql!("apply_run"),
            &[
                (&session, Type::UUID),
                (&run, Type::UUID),
                (&before.status.as_str(), Type::TEXT),
                (&attempt, Type::INT4),
                (&Json(write), Type::JSONB),
                (&origin.now, Type::TIMESTAMPTZ),
                (&Json(origin), Type::JSONB),
                (&kind, Type::TEXT),
                (&payload, Type::JSONB),
                (&until, Type::TIMESTAMPTZ),
                (&event.map(Event::as_str), Type::TEXT),
                (&user, Type::UUID),
                (&role, Type::TEXT),
                (&before.started_at, Type::TIMESTAMPTZ),
                (&before.end_reason.map(RunEnd::as_str), Type::TEXT),
            ],
        )
        .await
    }

    /// Sessions whose transcription is to be compared with what is wanted, at most so many. One round trip.
    pub async fn due_runs(&self, limit: i64) -> Result<Vec<DueSession>, Error> {
        Ok(self.ask(sql!("due_runs"), &[(&limit, Type::INT8)]).await?.unwrap_or_default())
    }

    /// The session of a meeting. One round trip.
    pub async fn find_meeting(&self, meeting: ChimeMeetingId) -> Result<Option<DueSession>, Error> {
        self.ask(sql!("find_meeting"), &[(&meeting.to_string(), Type::TEXT)]).await
    }

    /// Marks the beginning of an interruption of a session's open run, or its end, and returns whether that is new. One round trip.
    pub async fn mark_interruption(
        &self,
        session: SessionId,
        at: OffsetDateTime,
        ended: bool,
    ) -> Result<(), Error> {
        let params =
            [(&session.as_uuid() as _, Type::UUID), (&at as _, Type::TIMESTAMPTZ), (&ended as _, Type::BOOL)];
        self.ask::<u64>(sql!("mark_interruption"), &params).await?;
        Ok(())
    }

    /// Stores the result of an attempt with a language. `failure` is what Chime said; `None`: it transcribed. One round trip.
    pub async fn remember_language(
        &self,
        (engine, code, region): (&str, &str, &str),
        failure: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let _known: Option<bool> = self
            .ask(
                sql!("remember_language"),
                &[
                    (&engine, Type::TEXT),
                    (&code, Type::TEXT),
                    (&region, Type::TEXT),
                    (&failure.is_none(), Type::BOOL),
                    (&failure, Type::TEXT),
                    (&now, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(())
    }

    /// The results of attempts with languages, and the use of the budget of this UTC day. A failure counts for a week: what Chime lacks
    /// in a region comes, and not each failure is the language's. One round trip.
    pub async fn known_languages(&self, now: OffsetDateTime) -> Result<KnownLanguages, Error> {
        let day: Date = now.to_offset(time::UtcOffset::UTC).date();
        let since = now - FAILURE_COUNTS;
        let known: Option<KnownLanguages> =
            self.ask(sql!("known_languages"), &[(&day, Type::DATE), (&since, Type::TIMESTAMPTZ)]).await?;
        Ok(known.unwrap_or(KnownLanguages { languages: Vec::new(), reserved: 0 }))
    }

    /// A capture whose text is to be taken; `None`: it has no transcript, or was taken. One round trip.
    pub async fn load_text(&self, capture: CaptureId) -> Result<Option<TextSource>, Error> {
        self.ask(sql!("load_text"), &[(&capture.as_uuid(), Type::UUID)]).await
    }

    /// Stores results of a transcript. One round trip.
    pub async fn store_segments(
        &self,
        transcript: TranscriptId,
        results: &[StoredResult],
    ) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Stored {
            stored: u64,
        }
        let stored: Option<Stored> = self
            .ask(
                sql!("store_segments"),
                &[(&transcript.as_uuid(), Type::UUID), (&Json(results), Type::JSONB)],
            )
            .await?;
        Ok(stored.map_or(0, |of| of.stored))
    }

    /// Marks the text of a capture as taken, with the times at which each attendee spoke. One round trip.
    pub async fn text_taken(
        &self,
        capture: CaptureId,
        speaking: &[Speaking],
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let _complete: Option<bool> = self
            .ask(
                sql!("text_taken"),
                &[
                    (&capture.as_uuid(), Type::UUID),
                    (&now, Type::TIMESTAMPTZ),
                    (&Json(speaking), Type::JSONB),
                ],
            )
            .await?;
        Ok(())
    }

    /// The appointment of a session. One round trip.
    pub async fn find_session(&self, session: SessionId) -> Result<Option<DueSession>, Error> {
        self.ask(sql!("find_session"), &[(&session.as_uuid(), Type::UUID)]).await
    }
}
