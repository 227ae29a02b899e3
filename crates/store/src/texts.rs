//! Finished text: read, finished and deleted.

use domain::audit::{Event, Origin};
use domain::id::{AppointmentId, CaptureId, SessionId, TranscriptId, UserId};
use domain::operation::{LEASE, PendingOperation};
use domain::outbound::EventType;
use domain::recording::capture::StopReason;
use domain::recording::state::RunRow;
use domain::state::Role;
use domain::transcript::batch::plan::KnownJob;
use domain::transcript::gaps::Gap;
use domain::transcript::{Outcome, Source, Span, Turn, Voice};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::transcripts::Speaking;
use crate::{Error, Store};

/// Segments of one statement.
const PAGE: i64 = 2_000;

/// A transcript with the runs and the captures that it is of.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptRow {
    pub transcript_id: TranscriptId,
    pub session_id: SessionId,
    pub appointment_id: AppointmentId,
    pub control_region: String,
    #[serde(with = "time::serde::rfc3339")]
    pub call_began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub call_ended_at: Option<OffsetDateTime>,
    /// When a consent to the transcription was last withdrawn.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    pub outcome: Option<Outcome>,
    /// In hex.
    pub sha256: Option<String>,
    /// The times without text, once it is finished.
    pub gaps: Vec<Gap>,
    /// The language that was asked for.
    pub language: Option<String>,
    pub deletion_requested: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
    pub runs: Vec<RunRow>,
    pub interruptions: Vec<Interruption>,
    pub captures: Vec<TextCapture>,
    pub jobs: Vec<KnownJob>,
}

/// A time at which Chime's transcription was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interruption {
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

/// A capture with the purpose `transcription`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextCapture {
    pub capture_id: CaptureId,
    pub recorded: bool,
    /// Whether Chime had a pipeline of it.
    pub captured: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    pub began_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    pub stop_reason: Option<StopReason>,
    /// Whether consent to the transcription was revoked, at `stop_requested_at`.
    pub revoked: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    pub stop_requested_at: Option<OffsetDateTime>,
    pub speaking: Vec<Speaking>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SegmentRow {
    result_id: String,
    place: u32,
    source: Source,
    start_ms: i64,
    end_ms: i64,
    user_id: Option<UserId>,
    role: Option<Role>,
    content: bool,
    speaker: Option<String>,
    body: String,
    language: String,
    confidence: Option<f64>,
    spans: Vec<Span>,
    unfinished: bool,
    revoked: bool,
}

impl From<SegmentRow> for Turn {
    fn from(row: SegmentRow) -> Self {
        let voice = match (row.user_id.zip(row.role), row.content) {
            (Some((user, role)), false) => Voice::Participant { user, role },
            (Some((user, role)), true) => Voice::Content { user, role },
            (None, _) => Voice::Unknown(row.speaker.unwrap_or_default()),
        };
        Self {
            result: row.result_id,
            index: row.place,
            voice,
            start_ms: row.start_ms,
            end_ms: row.end_ms,
            text: row.body,
            language: row.language,
            confidence: row.confidence,
            spans: row.spans,
            // Times of single words are not stored.
            words: Vec::new(),
            source: row.source,
            unfinished: row.unfinished,
            revoked: row.revoked,
        }
    }
}

/// The result of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedText {
    pub outcome: Outcome,
    pub segments: usize,
    pub gaps: Vec<Gap>,
    /// Of the canonical JSON, in hex.
    pub sha256: String,
    /// Whether its medical entities are to be found.
    pub find_entities: bool,
}

#[derive(Deserialize)]
struct Finished {
    event: Option<PendingOperation>,
}

impl Store {
    /// A transcript with the runs and the captures that it is of. One round trip.
    pub async fn load_transcript(&self, transcript: TranscriptId) -> Result<Option<TranscriptRow>, Error> {
        self.ask(sql!("load_transcript"), &[(&transcript.as_uuid(), Type::UUID)]).await
    }

    /// The turns of a transcript, in the order of the call. One round trip for each 2,000.
    pub async fn transcript_turns(&self, transcript: TranscriptId) -> Result<Vec<Turn>, Error> {
        let id = transcript.as_uuid();
        let (mut turns, mut after) = (Vec::new(), (-1_i64, String::new(), -1_i32));
        loop {
            let rows: Vec<SegmentRow> = self
                .ask(
                    sql!("transcript_segments"),
                    &[
                        (&id, Type::UUID),
                        (&after.0, Type::INT8),
                        (&after.1, Type::TEXT),
                        (&after.2, Type::INT4),
                        (&PAGE, Type::INT8),
                    ],
                )
                .await?
                .unwrap_or_default();
            let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == PAGE;
            if let Some(last) = rows.last() {
                after =
                    (last.start_ms, last.result_id.clone(), i32::try_from(last.place).unwrap_or(i32::MAX));
            }
            turns.extend(rows.into_iter().map(Turn::from));
            if !full {
                return Ok(turns);
            }
        }
    }

    /// Marks the text from before the last revocation of the transcription, and returns whether there was any. One round trip.
    pub async fn mark_revoked(&self, transcript: TranscriptId) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Marked {
            changed: u64,
        }
        let marked: Option<Marked> =
            self.ask(sql!("mark_revoked"), &[(&transcript.as_uuid(), Type::UUID)]).await?;
        Ok(marked.is_some_and(|of| of.changed > 0))
    }

    /// Finishes a transcript and returns the event that is to be published. `None`: it was finished before, or continues. One round
    /// trip.
    pub async fn finish_transcript(
        &self,
        transcript: TranscriptId,
        text: &FinishedText,
        origin: &Origin,
    ) -> Result<Option<Option<PendingOperation>>, Error> {
        let segments = i32::try_from(text.segments).unwrap_or(i32::MAX);
        let event = match text.outcome {
            Outcome::Ready | Outcome::Incomplete => EventType::TranscriptReady,
            Outcome::Failed => EventType::TranscriptFailed,
        };
        let until = origin.now + LEASE;
        let finished: Option<Finished> = self
            .ask(
                sql!("finish_transcript"),
                &[
                    (&transcript.as_uuid(), Type::UUID),
                    (&text.outcome.as_str(), Type::TEXT),
                    (&segments, Type::INT4),
                    (&text.sha256, Type::TEXT),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::TranscriptFinished.as_str(), Type::TEXT),
                    (&event.as_str(), Type::TEXT),
                    (&until, Type::TIMESTAMPTZ),
                    (&Json(&text.gaps), Type::JSONB),
                    (&text.find_entities, Type::BOOL),
                ],
            )
            .await?;
        Ok(finished.map(|of| of.event))
    }

    /// Requests the deletion of transcripts that finished before a moment: of one, or of the oldest, at most so many. Returns how
    /// many. One round trip.
    pub async fn request_transcript_deletion(
        &self,
        transcript: Option<TranscriptId>,
        (finished_before, limit): (OffsetDateTime, i64),
        actor: Option<(UserId, Role)>,
        origin: &Origin,
    ) -> Result<u64, Error> {
        let id = transcript.map(TranscriptId::as_uuid);
        let (user, role) = (actor.map(|(user, _)| user.as_uuid()), actor.map(|(_, role)| role.as_str()));
        let requested = self
            .ask(
                sql!("request_transcript_deletion"),
                &[
                    (&id, Type::UUID),
                    (&finished_before, Type::TIMESTAMPTZ),
                    (&limit, Type::INT8),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&user, Type::UUID),
                    (&role, Type::TEXT),
                    (&Event::TranscriptDeletionRequested.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(requested.unwrap_or(0))
    }

    /// Enqueues the deletion of speech that was captured for its text alone and ended before a moment, at most so much. Returns how
    /// many captures. One round trip.
    pub async fn expire_speech(
        &self,
        (ended_before, limit): (OffsetDateTime, i64),
        now: OffsetDateTime,
    ) -> Result<u64, Error> {
        let params = [
            (&ended_before as _, Type::TIMESTAMPTZ),
            (&limit as _, Type::INT8),
            (&now as _, Type::TIMESTAMPTZ),
        ];
        Ok(self.ask(sql!("expire_speech"), &params).await?.unwrap_or(0))
    }

    /// Deletes the text of a transcript whose deletion was requested. One round trip. Returns false, and deletes nothing, while a
    /// legal hold stands on its appointment.
    pub async fn delete_transcript(&self, transcript: TranscriptId, origin: &Origin) -> Result<bool, Error> {
        let deleted: Option<bool> = self
            .ask(
                sql!("transcript_deleted"),
                &[
                    (&transcript.as_uuid(), Type::UUID),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&Json(origin), Type::JSONB),
                    (&Event::TranscriptDeleted.as_str(), Type::TEXT),
                ],
            )
            .await?;
        // Of a transcript that is deleted already nothing is returned.
        Ok(deleted.unwrap_or(true))
    }
}
