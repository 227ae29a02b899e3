//! The transcription of calls, and transcripts.

use domain::id::{AppointmentId, SessionId, TranscriptId};
use domain::transcript::language::Engine;
use domain::transcript::live::{Mode, RunEnd, RunStatus};
use serde::{Deserialize, Serialize};

use crate::Timestamp;

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
    /// What Chime said of a failure.
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
