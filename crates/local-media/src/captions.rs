//! Live captions: what the transcription of a meeting sends to everyone in it. The Chime engine decides what and when.

use crate::frame::{
    Alternative, Entity, Item, LanguageWithScore, PRONUNCIATION, PUNCTUATION, Transcript, TranscriptEvent,
    TranscriptResult, TranscriptionStatus,
};

/// A message of the transcription.
#[derive(Clone, Debug, PartialEq)]
pub enum Caption {
    Status(CaptionStatus),
    Words(CaptionWords),
}

/// The transcription has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptionStatus {
    pub kind: CaptionStatusKind,
    /// Milliseconds since 1970, as all times here.
    pub at_ms: i64,
    pub region: String,
    /// A JSON text.
    pub configuration: String,
    /// The reason of an interruption or a failure.
    pub message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptionStatusKind {
    Started,
    Interrupted,
    Resumed,
    Stopped,
    Failed,
}

/// A result. A later one with the same id replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionWords {
    pub result_id: String,
    pub partial: bool,
    pub start_ms: i64,
    pub end_ms: i64,
    pub transcript: String,
    pub items: Vec<CaptionItem>,
    pub entities: Vec<CaptionEntity>,
    /// The identified language and its score, where the language is identified.
    pub language: Option<(String, f64)>,
}

/// A word or a punctuation mark, with its speaker.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionItem {
    pub content: String,
    pub punctuation: bool,
    pub start_ms: i64,
    pub end_ms: i64,
    pub attendee_id: String,
    pub external_user_id: String,
    pub confidence: Option<f64>,
    pub stable: Option<bool>,
}

/// Personal or health data that was identified in a result.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionEntity {
    /// `PII` or `PHI`.
    pub category: String,
    /// `NAME`, for example.
    pub kind: Option<String>,
    pub content: String,
    pub confidence: f64,
    pub start_ms: i64,
    pub end_ms: i64,
}

/// The event that carries it.
pub(crate) fn event(caption: Caption) -> TranscriptEvent {
    match caption {
        Caption::Status(status) => TranscriptEvent { status: Some(status.into()), transcript: None },
        Caption::Words(words) => {
            TranscriptEvent { status: None, transcript: Some(Transcript { results: vec![words.into()] }) }
        }
    }
}

impl CaptionStatusKind {
    /// `SdkTranscriptionStatus.Type`.
    fn number(self) -> i32 {
        match self {
            Self::Started => 1,
            Self::Interrupted => 2,
            Self::Resumed => 3,
            Self::Stopped => 4,
            Self::Failed => 5,
        }
    }
}

impl From<CaptionStatus> for TranscriptionStatus {
    fn from(status: CaptionStatus) -> Self {
        Self {
            kind: status.kind.number(),
            event_time: status.at_ms,
            transcription_region: status.region,
            transcription_configuration: status.configuration,
            message: status.message,
        }
    }
}

impl From<CaptionWords> for TranscriptResult {
    fn from(words: CaptionWords) -> Self {
        let (language_code, score) = words.language.unzip();
        let identified = language_code.clone().zip(score);
        Self {
            alternatives: vec![Alternative {
                items: words.items.into_iter().map(Into::into).collect(),
                transcript: words.transcript,
                entities: words.entities.into_iter().map(Into::into).collect(),
            }],
            channel_id: String::new(),
            end_time: words.end_ms,
            is_partial: words.partial,
            result_id: words.result_id,
            start_time: words.start_ms,
            language_code,
            language_identification: identified
                .map(|(language_code, score)| LanguageWithScore { language_code, score })
                .into_iter()
                .collect(),
        }
    }
}

impl From<CaptionItem> for Item {
    fn from(item: CaptionItem) -> Self {
        Self {
            content: item.content,
            end_time: item.end_ms,
            speaker_attendee_id: item.attendee_id,
            speaker_external_user_id: item.external_user_id,
            start_time: item.start_ms,
            kind: if item.punctuation { PUNCTUATION } else { PRONUNCIATION },
            vocabulary_filter_match: None,
            confidence: item.confidence,
            stable: item.stable,
        }
    }
}

impl From<CaptionEntity> for Entity {
    fn from(entity: CaptionEntity) -> Self {
        Self {
            category: entity.category,
            confidence: entity.confidence,
            content: entity.content,
            end_time: entity.end_ms,
            start_time: entity.start_ms,
            kind: entity.kind,
        }
    }
}
