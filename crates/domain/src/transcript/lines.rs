//! One line of the files that Chime writes under `transcription-messages/` while a capture and a transcription run.
//!
//! A line is a JSON object with `transcript` or `status`
//! (<https://docs.aws.amazon.com/chime-sdk/latest/dg/parse-transcripts.html>,
//! <https://docs.aws.amazon.com/chime-sdk/latest/dg/delivery-examples.html>); the fields are those of the SDK's
//! `TranscriptResult`, `TranscriptItem`, `TranscriptEntity` and `TranscriptionStatus`
//! (<https://docs.aws.amazon.com/chime-sdk/latest/dg/process-msgs.html>). A line is never an error: what cannot be read is
//! skipped and counted, because one bad line must not cost the text of the call.

mod wire;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use std::ops::AddAssign;

/// The longest line that is read. An item has some 250 bytes, so this is a result of 2,000 words.
pub const MAX_LINE_BYTES: usize = 512 * 1024;

/// A line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub results: Vec<TranscriptResult>,
    pub status: Option<Status>,
    pub skipped: Skipped,
}

/// Counts of what could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Lines that are longer than [`MAX_LINE_BYTES`].
    pub too_long: u64,
    /// Lines that are no JSON in UTF-8.
    pub not_json: u64,
    /// Lines that are JSON, and neither results nor a status that is known.
    pub unknown: u64,
    /// Results, or parts of them, without what is required.
    pub invalid_parts: u64,
}

impl Skipped {
    #[must_use]
    pub const fn total(self) -> u64 {
        self.too_long + self.not_json + self.unknown + self.invalid_parts
    }
}

impl AddAssign for Skipped {
    fn add_assign(&mut self, other: Self) {
        self.too_long += other.too_long;
        self.not_json += other.not_json;
        self.unknown += other.unknown;
        self.invalid_parts += other.invalid_parts;
    }
}

/// A piece of text, which a later line with the same id replaces until it is final.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscriptResult {
    pub result_id: String,
    pub partial: bool,
    /// Milliseconds since 1970, as all times of a line.
    pub start_ms: i64,
    pub end_ms: i64,
    pub language: Option<String>,
    /// The languages that were identified, with their scores.
    pub identified: Vec<(String, f64)>,
    pub transcript: String,
    pub items: Vec<Item>,
    pub entities: Vec<Entity>,
}

/// A word or a punctuation mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub content: String,
    pub punctuation: bool,
    pub start_ms: i64,
    pub end_ms: i64,
    pub attendee_id: Option<String>,
    pub external_user_id: Option<String>,
    pub stable: Option<bool>,
    pub confidence: Option<f64>,
}

/// Words that were identified as personal or health data. Chime gives times and the words, and no offsets.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    pub category: String,
    pub kind: Option<String>,
    pub content: String,
    pub start_ms: i64,
    pub end_ms: i64,
    pub confidence: Option<f64>,
}

/// A change of the transcription's state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status {
    pub at_ms: i64,
    pub change: StatusChange,
    pub region: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusChange {
    Started,
    Interrupted,
    Resumed,
    Stopped,
    Failed,
}

/// The line with U+FFFD for each escaped U+0000, which PostgreSQL stores neither in text nor in JSONB
/// (<https://www.postgresql.org/docs/15/datatype-json.html>): one character must not cost the text of the call.
fn without_nul(line: &str) -> Cow<'_, str> {
    const NUL: &str = "\\u0000";
    if !line.contains(NUL) {
        return Cow::Borrowed(line);
    }
    let (mut clean, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let is_nul = escape.starts_with(NUL);
        let length = if is_nul { NUL.len() } else { escape.chars().take(2).map(char::len_utf8).sum() };
        clean.push_str(before);
        clean.push_str(if is_nul { "\\ufffd" } else { &escape[..length] });
        rest = &escape[length..];
    }
    Cow::Owned(clean + rest)
}

/// Reads a line. An empty one is nothing, and nothing is counted for it.
#[must_use]
pub fn parse(line: &[u8]) -> Line {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Line::default();
    }
    let skipped = |skipped| Line { skipped, ..Line::default() };
    if line.len() > MAX_LINE_BYTES {
        return skipped(Skipped { too_long: 1, ..Skipped::default() });
    }
    let read = str::from_utf8(line).ok().and_then(|line| wire::read(&without_nul(line)).ok());
    read.unwrap_or_else(|| skipped(Skipped { not_json: 1, ..Skipped::default() }))
}
