//! The transcript of a call: what was said, by whom and when, and the times of which there is no text.
//!
//! Live text arrives in the files of the call's captures as one JSON object a line ([`lines`]), which are folded into turns
//! ([`segments`]). A job fills the [`gaps`] afterwards ([`batch`]). Which of both is possible, [`language`] decides. Times are
//! milliseconds from the beginning of the call; offsets into a text are Unicode scalar values.

pub mod activity;
pub mod batch;
pub mod budget;
pub mod entities;
pub mod export;
pub mod format;
pub mod gaps;
pub mod language;
pub mod lines;
pub mod live;
pub mod redact;
pub mod segments;
pub mod settings;

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::state::Role;

/// A part of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    pub start_ms: i64,
    pub end_ms: i64,
}

impl Interval {
    /// None where nothing lies between the two.
    #[must_use]
    pub fn new(start_ms: i64, end_ms: i64) -> Option<Self> {
        (start_ms < end_ms).then_some(Self { start_ms, end_ms })
    }

    #[must_use]
    pub const fn length_ms(self) -> i64 {
        self.end_ms - self.start_ms
    }

    /// The part that both have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.start_ms.max(other.start_ms), self.end_ms.min(other.end_ms))
    }

    #[must_use]
    pub const fn contains(self, at_ms: i64) -> bool {
        self.start_ms <= at_ms && at_ms < self.end_ms
    }
}

/// The source of a sound in the call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    Participant {
        user: UserId,
        role: Role,
    },
    /// The sound of what a participant shares.
    Content {
        user: UserId,
        role: Role,
    },
    /// An attendee that no participant has, or a speaker label of a batch job.
    Unknown(String),
}

/// A stretch of a text, in Unicode scalar values, that Transcribe identified as personal or health data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "TranscriptSpan"))]
#[serde(rename_all = "camelCase")]
pub struct Span {
    pub start: u32,
    pub end: u32,
    /// `PII` or `PHI`.
    pub category: String,
    /// For example `NAME`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub confidence: Option<f64>,
}

/// A word or a punctuation mark: when it was said, and its stretch of the turn's text in Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub start_ms: i64,
    pub end_ms: i64,
    pub start: u32,
    pub end: u32,
}

/// How the text was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "TranscriptSource"))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// While the call was in progress.
    Live,
    /// Afterwards, from the recorded sound.
    Batch,
}

impl Source {
    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Batch => "batch",
        }
    }
}

/// The speech of one speaker without another between.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The result that it is of, and its place in it: together the identity of the turn.
    pub result: String,
    pub index: u32,
    pub voice: Voice,
    pub start_ms: i64,
    pub end_ms: i64,
    pub text: String,
    pub language: String,
    pub confidence: Option<f64>,
    pub spans: Vec<Span>,
    pub words: Vec<Word>,
    pub source: Source,
    /// The final form of the text never came.
    pub unfinished: bool,
    /// It was said before a participant revoked consent to the transcription.
    pub revoked: bool,
}

/// The result of a transcript (`transcripts.outcome`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "TranscriptOutcome"))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All that was transcribed is in it.
    Ready,
    /// There are gaps in it.
    Incomplete,
    /// There is no text, because nothing could be transcribed.
    Failed,
}

impl Outcome {
    pub const ALL: [Self; 3] = [Self::Ready, Self::Incomplete, Self::Failed];

    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

/// The speaker of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "TranscriptSpeaker"))]
#[serde(rename_all = "camelCase")]
pub struct Speaker {
    pub user_id: Option<UserId>,
    pub role: Option<Role>,
    /// For example `provider`, `patient (shared content)` or `speaker 1`.
    pub label: String,
}

/// A turn in its place in the transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "TranscriptSegment"))]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// From 1, in the order of the call.
    pub number: u32,
    /// Seconds from the beginning of the call.
    #[serde(rename = "start", with = "seconds")]
    #[cfg_attr(feature = "openapi", schemars(with = "f64"))]
    pub start_ms: i64,
    /// Seconds from the beginning of the call.
    #[serde(rename = "end", with = "seconds")]
    #[cfg_attr(feature = "openapi", schemars(with = "f64"))]
    pub end_ms: i64,
    pub speaker: Speaker,
    pub text: String,
    pub language: String,
    pub confidence: Option<f64>,
    pub spans: Vec<Span>,
    pub source: Source,
    /// The final form of the text never came.
    pub unfinished: bool,
    /// It was said before a participant revoked consent to the transcription.
    pub revoked: bool,
}

/// Milliseconds as seconds with at most three decimals. A thousandth of an integer below 2^53 is printed exactly.
pub(crate) mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::cast_precision_loss, reason = "a call is shorter than 2^53 ms")]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn serialize<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(*ms as f64 / 1000.0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the cast of a float saturates")]
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        Ok((f64::deserialize(deserializer)? * 1000.0).round() as i64)
    }
}

/// A confidence as it is stored: four decimals, so that the canonical JSON has one spelling. None outside 0 to 1.
#[must_use]
pub fn confidence(value: f64) -> Option<f64> {
    (0.0..=1.0).contains(&value).then(|| (value * 10_000.0).round() / 10_000.0)
}
