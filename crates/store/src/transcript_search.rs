//! The search in the transcripts of a caller's own calls.

use domain::audit::{Event, Origin};
use domain::call::{Actor, UserRef};
use domain::id::{AppointmentId, SessionId, TranscriptId};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::view::Keys;
use crate::{Error, Store};

/// A search.
#[derive(Clone)]
pub struct Search<'a> {
    pub query: &'a str,
    pub language: Option<&'a str>,
    /// Whether the calls of appointments are searched of which the caller is the provider, the patient.
    pub as_provider: bool,
    pub as_patient: bool,
    /// The last result of the page before.
    pub after: Option<Place>,
    pub limit: i32,
}

/// Without the query, which may be health data.
impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The place of a result among all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub transcript_id: TranscriptId,
    /// When its transcript was begun.
    pub created_at: OffsetDateTime,
    pub start_ms: i64,
    pub result_id: String,
    pub segment: i32,
}

/// A page of results.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundPage {
    pub caller: Option<UserRef>,
    /// Whether the query has a word to find; without one nothing was searched.
    pub has_words: bool,
    pub more: bool,
    pub results: Vec<FoundSegment>,
}

/// A segment in which the words were found.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundSegment {
    pub transcript_id: TranscriptId,
    pub appointment_id: AppointmentId,
    pub session_id: SessionId,
    /// Its number in the transcript.
    pub number: u32,
    pub start_ms: i64,
    /// A part of the text: what was found is between [`FOUND`] and [`FOUND_END`].
    pub snippet: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    result_id: String,
    place: i32,
}

/// Begins what was found. Of the private use area, and taken out of the text.
pub const FOUND: char = '\u{e000}';
/// Ends what was found.
pub const FOUND_END: char = '\u{e001}';

impl FoundSegment {
    /// Where the next page begins.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            transcript_id: self.transcript_id,
            created_at: self.created_at,
            start_ms: self.start_ms,
            result_id: self.result_id.clone(),
            segment: self.place,
        }
    }
}

impl Store {
    /// Searches, and appends the audit entry in the caller's chain. One round trip.
    pub async fn search_transcripts(
        &self,
        actor: &Actor,
        search: &Search<'_>,
        origin: &Origin,
    ) -> Result<FoundPage, Error> {
        let caller = Keys::of(actor);
        let after = search.after.as_ref();
        let params = [
            (&caller.subject as _, Type::TEXT),
            (&caller.user as _, Type::UUID),
            (&search.query as _, Type::TEXT),
            (&search.language as _, Type::TEXT),
            (&search.as_provider as _, Type::BOOL),
            (&search.as_patient as _, Type::BOOL),
            (&after.map(|place| place.created_at) as _, Type::TIMESTAMPTZ),
            (&after.map(|place| place.start_ms) as _, Type::INT8),
            (&after.map(|place| place.result_id.as_str()) as _, Type::TEXT),
            (&after.map(|place| place.segment) as _, Type::INT4),
            (&after.map(|place| place.transcript_id.as_uuid()) as _, Type::UUID),
            (&search.limit as _, Type::INT4),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&Event::TranscriptRead.as_str() as _, Type::TEXT),
        ];
        Ok(self.ask(sql!("search_transcripts"), &params).await?.unwrap_or_default())
    }
}
