//! The JSON of a job's output: <https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html>, with several languages
//! <https://docs.aws.amazon.com/transcribe/latest/dg/lang-id-batch.html>. Transcribe Medical's has the same items and labels. Times and
//! confidences are texts.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{JobItem, Output};
use crate::transcript::confidence;
use crate::transcript::lines::Entity;

/// A file that is no output of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no output of a transcription job")]
pub struct NotAnOutput;

#[derive(Deserialize)]
struct WireOutput<'a> {
    #[serde(borrow)]
    results: WireResults<'a>,
}

#[derive(Deserialize)]
struct WireResults<'a> {
    items: Vec<WireItem>,
    speaker_labels: Option<WireLabels>,
    language_code: Option<String>,
    #[serde(default)]
    audio_segments: Vec<WireAudioSegment>,
    #[serde(borrow, default, alias = "Entities")]
    entities: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireItem {
    #[serde(rename = "type")]
    kind: String,
    start_time: Option<Seconds>,
    end_time: Option<Seconds>,
    speaker_label: Option<String>,
    language_code: Option<String>,
    #[serde(default)]
    alternatives: Vec<WireAlternative>,
}

#[derive(Deserialize)]
struct WireAlternative {
    content: String,
    confidence: Option<Number>,
}

#[derive(Deserialize)]
struct WireLabels {
    #[serde(default)]
    segments: Vec<WireLabelled>,
}

#[derive(Deserialize)]
struct WireLabelled {
    #[serde(default)]
    items: Vec<WireLabelledItem>,
}

#[derive(Deserialize)]
struct WireLabelledItem {
    start_time: Seconds,
    speaker_label: String,
}

#[derive(Deserialize)]
struct WireAudioSegment {
    start_time: Seconds,
    end_time: Seconds,
    language_code: Option<String>,
}

/// The fields have the names of Transcribe's streaming API, or those of its batch API.
#[derive(Deserialize)]
struct WireEntity {
    #[serde(alias = "Category")]
    category: String,
    #[serde(rename = "type", alias = "Type")]
    kind: Option<String>,
    #[serde(alias = "Content")]
    content: String,
    #[serde(alias = "StartTime", alias = "startTime")]
    start_time: Seconds,
    #[serde(alias = "EndTime", alias = "endTime")]
    end_time: Seconds,
    #[serde(alias = "Confidence")]
    confidence: Option<Number>,
}

/// A number, or the text of one.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    #[expect(clippy::cast_precision_loss, reason = "larger numbers are refused afterwards")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "larger numbers are refused afterwards")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map(Number).map_err(E::custom)
    }
}

/// A time in a file, as milliseconds. A file has at most 4 hours; a week is refused.
struct Seconds(i64);

impl<'de> Deserialize<'de> for Seconds {
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Number(seconds) = Number::deserialize(deserializer)?;
        if !(0.0..604_800.0).contains(&seconds) {
            return Err(D::Error::custom("no time of a file"));
        }
        Ok(Self((seconds * 1_000.0).round() as i64))
    }
}

/// Reads a job's output.
///
/// # Errors
/// The file is something else.
pub fn parse(file: &[u8]) -> Result<Output, NotAnOutput> {
    let WireOutput { results } = serde_json::from_slice(file).map_err(|_| NotAnOutput)?;
    let labels: HashMap<i64, String> = results
        .speaker_labels
        .into_iter()
        .flat_map(|labels| labels.segments)
        .flat_map(|segment| segment.items)
        .map(|item| (item.start_time.0, item.speaker_label))
        .collect();
    let mut languages = results.audio_segments;
    languages.sort_by_key(|segment| segment.start_time.0);
    let language_at = |at_ms: i64| {
        let after = languages.partition_point(|segment| segment.start_time.0 <= at_ms);
        let segment = languages[..after].last().filter(|segment| at_ms < segment.end_time.0);
        segment.and_then(|segment| segment.language_code.clone())
    };
    let mut words: Vec<JobItem> = Vec::with_capacity(results.items.len());
    for item in results.items {
        let Some(best) = item.alternatives.into_iter().next().filter(|best| !best.content.trim().is_empty())
        else {
            continue;
        };
        let punctuation = item.kind == "punctuation";
        let last = words.last();
        // A mark has no time: it is where the word before it ends.
        let at = last.map_or(0, |last| last.end_ms);
        let (start_ms, end_ms) = match (item.start_time, item.end_time) {
            (Some(start), Some(end)) if start.0 <= end.0 => (start.0, end.0),
            _ if punctuation => (at, at),
            _ => return Err(NotAnOutput),
        };
        let of_last = |field: fn(&JobItem) -> &Option<String>| {
            last.filter(|_| punctuation).and_then(|last| field(last).clone())
        };
        let label = item
            .speaker_label
            .or_else(|| labels.get(&start_ms).cloned())
            .or_else(|| of_last(|last| &last.label));
        let language =
            item.language_code.or_else(|| of_last(|last| &last.language)).or_else(|| language_at(start_ms));
        words.push(JobItem {
            content: best.content,
            punctuation,
            start_ms,
            end_ms,
            label,
            language,
            confidence: best.confidence.and_then(|number| confidence(number.0)),
        });
    }
    let entities: Vec<Entity> = results.entities.iter().filter_map(|raw| entity(raw)).collect();
    let unreadable_entities = results.entities.len() - entities.len();
    Ok(Output { words, language: results.language_code, entities, unreadable_entities })
}

fn entity(raw: &RawValue) -> Option<Entity> {
    let wire: WireEntity = serde_json::from_str(raw.get()).ok()?;
    Some(Entity {
        category: wire.category,
        kind: wire.kind,
        content: wire.content,
        start_ms: wire.start_time.0,
        end_ms: wire.end_time.0,
        confidence: wire.confidence.and_then(|number| confidence(number.0)),
    })
}
