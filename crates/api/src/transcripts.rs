//! The transcription of calls, and transcripts.

use domain::id::{AppointmentId, SessionId, TranscriptId};
use domain::transcript::entities::MedicalEntity;
use domain::transcript::gaps::Gap;
use domain::transcript::language::Engine;
use domain::transcript::live::{Mode, RunEnd, RunStatus};
use domain::transcript::{Outcome, Segment};
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::fields::{self, Number};

/// A start of the transcription of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct StartTranscriptionRequest {
    /// A language code like `en-US`, or `identify`. Without it: the language that the call was started with, else that of the deployment.
    pub language: Option<String>,
    /// With `identify`: two or more codes, one dialect of each language.
    pub language_options: Vec<String>,
    /// A medical specialty, of the engine for US English: `PRIMARYCARE`, `CARDIOLOGY`, `NEUROLOGY`, `ONCOLOGY`, `RADIOLOGY` or `UROLOGY`.
    pub specialty: Option<String>,
}

/// The state of a transcription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TranscriptionState {
    /// It was requested, and nothing has confirmed yet that it runs.
    Starting,
    /// The call is being transcribed; in batch mode its speech is captured.
    Transcribing,
    /// Its end was requested.
    Stopping,
    /// It has ended.
    Stopped,
    /// It has failed; `reason` says why.
    Failed,
}

impl From<RunStatus> for TranscriptionState {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Requested | RunStatus::Starting => Self::Starting,
            RunStatus::Running => Self::Transcribing,
            RunStatus::Stopping => Self::Stopping,
            RunStatus::Stopped => Self::Stopped,
            RunStatus::Failed => Self::Failed,
        }
    }
}

/// The transcription of a call, from a start to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Transcription {
    /// The transcript of the call, which each of its transcriptions continues.
    pub transcript_id: TranscriptId,
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call.
    pub session_id: SessionId,
    /// Whether the text is made while the call is in progress, or afterwards.
    pub mode: Mode,
    /// Its state.
    pub state: TranscriptionState,
    /// The language that was asked for, or `identify`.
    pub language: String,
    /// The engine of a live transcription.
    pub engine: Option<Engine>,
    /// The region of a live transcription.
    pub region: Option<String>,
    /// Whether no attempt with this language in this region has succeeded yet.
    pub unconfirmed: bool,
    /// Why it ended, or is to end.
    pub reason: Option<RunEnd>,
    /// Chime's reason for a failure, or why it could not begin.
    pub message: Option<String>,
    /// When Chime began to transcribe.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// When it ends at the latest.
    pub limit_at: Option<Timestamp>,
}

/// Every language that Amazon Transcribe knows, and what this deployment does with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LanguagesResponse {
    /// The languages, by code.
    pub languages: Vec<LanguageSupport>,
    /// The page that the table is from.
    pub source: &'static str,
    /// The date of the table.
    pub as_of: &'static str,
}

/// A language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LanguageSupport {
    /// The code, like `en-US`.
    pub code: &'static str,
    /// The English name.
    pub name: &'static str,
    /// How it is transcribed while a call is in progress; null where it is not.
    pub live: Option<LiveSupport>,
    /// Whether it is transcribed after a call.
    pub batch: bool,
    /// Why it is not transcribed live.
    pub reason: Option<String>,
}

/// A live transcription of a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiveSupport {
    /// The engine.
    pub engine: Engine,
    /// The region in which the speech is processed.
    pub region: String,
    /// Whether no attempt in this region has succeeded yet.
    pub unconfirmed: bool,
}

/// Whether personal and health data is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TranscriptView {
    /// All that was said.
    #[default]
    Full,
    /// Words that were marked as personal or health data are replaced by tags such as `[NAME]`.
    Redacted,
}

impl TranscriptView {
    /// The spelling in the query and in the audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Redacted => "redacted",
        }
    }
}

/// A view that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAView;

impl std::fmt::Display for NotAView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("must be `full` or `redacted`")
    }
}

impl std::str::FromStr for TranscriptView {
    type Err = NotAView;

    fn from_str(text: &str) -> Result<Self, NotAView> {
        [Self::Full, Self::Redacted].into_iter().find(|view| view.as_str() == text).ok_or(NotAView)
    }
}

/// The members of a direct invocation that stand for the query and the header `Accept`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TranscriptRequest {
    /// The call; without it the latest that has a transcript.
    pub session_id: Option<SessionId>,
    /// `redacted` hides personal and health data.
    #[serde(deserialize_with = "fields::optional_member")]
    pub view: Option<TranscriptView>,
    /// As the header `Accept`.
    pub accept: Option<String>,
}

/// The transcript that a direct invocation is about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TranscriptSelector {
    /// Its id.
    pub transcript_id: TranscriptId,
}

/// The transcript of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// Its id.
    pub transcript_id: TranscriptId,
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call.
    pub session_id: SessionId,
    /// The language that was asked for, or `identify`.
    pub language: String,
    /// Whether text is missing in it.
    pub state: Outcome,
    /// Whether personal and health data is shown.
    pub view: TranscriptView,
    /// Of the canonical JSON of all that was said, in hex: the same for each view.
    pub sha256: Option<String>,
    /// Whether what is stored still has that SHA-256: nobody has changed it since the transcript was finished.
    pub unchanged: bool,
    /// The segments, in the order of the call.
    pub segments: Vec<Segment>,
    /// The times without text.
    pub gaps: Vec<Gap>,
    /// Medical entities in the segments, which a service has found: guesses and no diagnosis. None in the redacted view, and until they
    /// were found.
    pub entities: Vec<MedicalEntity>,
}

/// A transcript whose deletion was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TranscriptDeletion {
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call.
    pub session_id: SessionId,
    /// Its state.
    pub state: DeletionState,
}

/// The state of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeletionState {
    /// The text will be deleted within a minute.
    Deleting,
    /// There is no text any more.
    Deleted,
}

/// A search in the transcripts of the caller's own calls.
#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchRequest {
    /// Words, `"a phrase"`, `or`, and `-word` for what must not be there; at most 500 characters.
    pub query: String,
    /// A tag like `en-US`: only what was said in this language, whatever its region.
    #[serde(default)]
    pub language: Option<String>,
    /// Results of a page, from 1 to 50; 20 without it.
    #[serde(default)]
    pub limit: Option<Number>,
    /// The `nextCursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// Without the query, which may be health data.
impl std::fmt::Debug for SearchRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchRequest").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A page of the results of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchResponse {
    /// The newest call first, and in each call in its order.
    pub results: Vec<SearchResult>,
    /// For the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// A segment in which the words were found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchResult {
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call.
    pub session_id: SessionId,
    /// The number of the segment in the transcript.
    pub segment: u32,
    /// Seconds from the beginning of the call.
    pub start: f64,
    /// A part of the text as HTML: what was found is in `mark`, and there is no other element.
    pub snippet: String,
}
