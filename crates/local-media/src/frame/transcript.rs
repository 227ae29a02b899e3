//! Live captions: what a data message of the transcription's topic carries.

use prost::Message;

/// `SdkTranscriptItem.Type`: a word.
pub(crate) const PRONUNCIATION: i32 = 1;
pub(crate) const PUNCTUATION: i32 = 2;

/// `SdkTranscriptFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TranscriptFrame {
    #[prost(message, repeated, tag = "1")]
    pub(crate) events: Vec<TranscriptEvent>,
}

/// `SdkTranscriptEvent`: one of the two.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TranscriptEvent {
    #[prost(message, optional, tag = "1")]
    pub(crate) status: Option<TranscriptionStatus>,
    #[prost(message, optional, tag = "2")]
    pub(crate) transcript: Option<Transcript>,
}

/// `SdkTranscriptionStatus`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TranscriptionStatus {
    #[prost(int32, required, tag = "1")]
    pub(crate) kind: i32,
    /// Milliseconds since 1970.
    #[prost(int64, required, tag = "2")]
    pub(crate) event_time: i64,
    #[prost(string, required, tag = "3")]
    pub(crate) transcription_region: String,
    #[prost(string, required, tag = "4")]
    pub(crate) transcription_configuration: String,
    #[prost(string, optional, tag = "5")]
    pub(crate) message: Option<String>,
}

/// `SdkTranscript`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Transcript {
    #[prost(message, repeated, tag = "1")]
    pub(crate) results: Vec<TranscriptResult>,
}

/// `SdkTranscriptResult`. A later one with the same id replaces it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TranscriptResult {
    #[prost(message, repeated, tag = "1")]
    pub(crate) alternatives: Vec<Alternative>,
    #[prost(string, required, tag = "2")]
    pub(crate) channel_id: String,
    /// Milliseconds since 1970.
    #[prost(int64, required, tag = "3")]
    pub(crate) end_time: i64,
    #[prost(bool, required, tag = "4")]
    pub(crate) is_partial: bool,
    #[prost(string, required, tag = "5")]
    pub(crate) result_id: String,
    #[prost(int64, required, tag = "6")]
    pub(crate) start_time: i64,
    #[prost(string, optional, tag = "7")]
    pub(crate) language_code: Option<String>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) language_identification: Vec<LanguageWithScore>,
}

/// `SdkTranscriptLanguageWithScore`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LanguageWithScore {
    #[prost(string, required, tag = "1")]
    pub(crate) language_code: String,
    #[prost(double, required, tag = "2")]
    pub(crate) score: f64,
}

/// `SdkTranscriptAlternative`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Alternative {
    #[prost(message, repeated, tag = "1")]
    pub(crate) items: Vec<Item>,
    #[prost(string, required, tag = "2")]
    pub(crate) transcript: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) entities: Vec<Entity>,
}

/// `SdkTranscriptEntity`: personal or health data.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entity {
    #[prost(string, required, tag = "1")]
    pub(crate) category: String,
    #[prost(double, required, tag = "2")]
    pub(crate) confidence: f64,
    #[prost(string, required, tag = "3")]
    pub(crate) content: String,
    #[prost(int64, required, tag = "4")]
    pub(crate) end_time: i64,
    #[prost(int64, required, tag = "5")]
    pub(crate) start_time: i64,
    #[prost(string, optional, tag = "6")]
    pub(crate) kind: Option<String>,
}

/// `SdkTranscriptItem`: a word, with its speaker.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Item {
    #[prost(string, required, tag = "1")]
    pub(crate) content: String,
    #[prost(int64, required, tag = "2")]
    pub(crate) end_time: i64,
    #[prost(string, required, tag = "3")]
    pub(crate) speaker_attendee_id: String,
    #[prost(string, required, tag = "4")]
    pub(crate) speaker_external_user_id: String,
    #[prost(int64, required, tag = "5")]
    pub(crate) start_time: i64,
    #[prost(int32, required, tag = "6")]
    pub(crate) kind: i32,
    #[prost(bool, optional, tag = "7")]
    pub(crate) vocabulary_filter_match: Option<bool>,
    #[prost(double, optional, tag = "8")]
    pub(crate) confidence: Option<f64>,
    #[prost(bool, optional, tag = "9")]
    pub(crate) stable: Option<bool>,
}
