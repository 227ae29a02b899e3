//! The JSON of a line. Each part is converted for itself, so that a bad one costs only itself. The guide's examples begin the names of
//! fields with small letters, and the other files of a capture with capital ones; both are read.

use std::fmt;

use serde::de::{Error, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Entity, Item, Line, Skipped, Status, StatusChange, TranscriptResult};
use crate::transcript::confidence;

#[derive(Deserialize)]
struct WireLine<'a> {
    #[serde(borrow, alias = "Transcript")]
    transcript: Option<WireTranscript<'a>>,
    #[serde(borrow, alias = "Status")]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireTranscript<'a> {
    #[serde(borrow, default, alias = "Results")]
    results: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireResult<'a> {
    #[serde(alias = "ResultId")]
    result_id: String,
    #[serde(alias = "IsPartial")]
    is_partial: bool,
    #[serde(alias = "StartTimeMs")]
    start_time_ms: Ms,
    #[serde(alias = "EndTimeMs")]
    end_time_ms: Ms,
    #[serde(alias = "LanguageCode")]
    language_code: Option<String>,
    #[serde(borrow, default, alias = "LanguageIdentification")]
    language_identification: Vec<&'a RawValue>,
    #[serde(borrow, default, alias = "Alternatives")]
    alternatives: Vec<WireAlternative<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAlternative<'a> {
    #[serde(default, alias = "Transcript")]
    transcript: String,
    #[serde(borrow, default, alias = "Items")]
    items: Vec<&'a RawValue>,
    #[serde(borrow, default, alias = "Entities")]
    entities: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireItem {
    #[serde(rename = "type", alias = "Type")]
    kind: Option<String>,
    #[serde(alias = "StartTimeMs")]
    start_time_ms: Ms,
    #[serde(alias = "EndTimeMs")]
    end_time_ms: Ms,
    #[serde(alias = "Attendee")]
    attendee: Option<WireAttendee>,
    #[serde(alias = "Content")]
    content: String,
    #[serde(alias = "Confidence")]
    confidence: Option<f64>,
    #[serde(alias = "Stable")]
    stable: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAttendee {
    #[serde(alias = "AttendeeId")]
    attendee_id: Option<String>,
    #[serde(alias = "ExternalUserId")]
    external_user_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEntity {
    #[serde(alias = "Category")]
    category: String,
    #[serde(rename = "type", alias = "Type")]
    kind: Option<String>,
    #[serde(alias = "Content")]
    content: String,
    #[serde(alias = "StartTimeMs")]
    start_time_ms: Ms,
    #[serde(alias = "EndTimeMs")]
    end_time_ms: Ms,
    #[serde(alias = "Confidence")]
    confidence: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLanguage {
    #[serde(alias = "LanguageCode")]
    language_code: String,
    #[serde(alias = "Score")]
    score: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStatus {
    #[serde(rename = "type", alias = "Type")]
    change: String,
    #[serde(alias = "EventTimeMs")]
    event_time_ms: Ms,
    #[serde(alias = "TranscriptionRegion")]
    transcription_region: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

/// A time: an integer, a fraction, or the text of an integer, which is how protobuf's JSON writes one of 64 bits
/// (<https://protobuf.dev/programming-guides/json/>).
struct Ms(i64);

impl<'de> Deserialize<'de> for Ms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MsVisitor)
    }
}

struct MsVisitor;

impl Visitor<'_> for MsVisitor {
    type Value = Ms;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds")
    }

    fn visit_i64<E: Error>(self, ms: i64) -> Result<Ms, E> {
        Ok(Ms(ms))
    }

    fn visit_u64<E: Error>(self, ms: u64) -> Result<Ms, E> {
        Ok(Ms(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the cast of a float saturates")]
    fn visit_f64<E: Error>(self, ms: f64) -> Result<Ms, E> {
        Ok(Ms(ms.round() as i64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Ms, E> {
        text.parse().map(Ms).map_err(E::custom)
    }
}

/// # Errors
/// The line is no JSON.
pub(super) fn read(line: &str) -> serde_json::Result<Line> {
    let Ok(WireLine { transcript, status }) = serde_json::from_str(line) else {
        // JSON of another shape, or no JSON.
        serde_json::from_str::<IgnoredAny>(line)?;
        return Ok(unknown());
    };
    let mut skipped = Skipped::default();
    let results = transcript.map(|transcript| transcript.results).unwrap_or_default();
    let results = each(&results, &mut skipped, result);
    let status = status.and_then(|status| serde_json::from_str(status.get()).ok()).and_then(change);
    if results.is_empty() && status.is_none() && skipped == Skipped::default() {
        return Ok(unknown());
    }
    Ok(Line { results, status, skipped })
}

fn unknown() -> Line {
    Line { skipped: Skipped { unknown: 1, ..Skipped::default() }, ..Line::default() }
}

/// Converts the parts that can be read, and counts the others.
fn each<T>(
    parts: &[&RawValue],
    skipped: &mut Skipped,
    convert: impl Fn(&RawValue, &mut Skipped) -> Option<T>,
) -> Vec<T> {
    let mut converted = Vec::with_capacity(parts.len());
    for part in parts {
        match convert(part, skipped) {
            Some(part) => converted.push(part),
            None => skipped.invalid_parts += 1,
        }
    }
    converted
}

fn result(raw: &RawValue, skipped: &mut Skipped) -> Option<TranscriptResult> {
    let wire: WireResult = serde_json::from_str(raw.get()).ok()?;
    let (start_ms, end_ms) = times(&wire.start_time_ms, &wire.end_time_ms)?;
    let best = wire.alternatives.into_iter().next()?;
    if wire.result_id.is_empty() {
        return None;
    }
    Some(TranscriptResult {
        result_id: wire.result_id,
        partial: wire.is_partial,
        start_ms,
        end_ms,
        language: wire.language_code.filter(|code| !code.is_empty()),
        identified: each(&wire.language_identification, skipped, |raw, _| {
            let language: WireLanguage = serde_json::from_str(raw.get()).ok()?;
            Some((language.language_code, confidence(language.score)?))
        }),
        transcript: best.transcript,
        items: each(&best.items, skipped, |raw, _| item(raw)),
        entities: each(&best.entities, skipped, |raw, _| entity(raw)),
    })
}

fn item(raw: &RawValue) -> Option<Item> {
    let wire: WireItem = serde_json::from_str(raw.get()).ok()?;
    let (start_ms, end_ms) = times(&wire.start_time_ms, &wire.end_time_ms)?;
    let attendee = wire.attendee;
    let (attendee_id, external_user_id) =
        attendee.map_or((None, None), |attendee| (attendee.attendee_id, attendee.external_user_id));
    Some(Item {
        punctuation: wire.kind.as_deref() == Some("punctuation"),
        content: Some(wire.content).filter(|content| !content.trim().is_empty())?,
        start_ms,
        end_ms,
        attendee_id: attendee_id.filter(|id| !id.is_empty()),
        external_user_id: external_user_id.filter(|id| !id.is_empty()),
        stable: wire.stable,
        confidence: wire.confidence.and_then(confidence),
    })
}

fn entity(raw: &RawValue) -> Option<Entity> {
    let wire: WireEntity = serde_json::from_str(raw.get()).ok()?;
    let (start_ms, end_ms) = times(&wire.start_time_ms, &wire.end_time_ms)?;
    Some(Entity {
        category: wire.category,
        kind: wire.kind.filter(|kind| !kind.is_empty()),
        content: wire.content,
        start_ms,
        end_ms,
        confidence: wire.confidence.and_then(confidence),
    })
}

/// Times that are in order and lie between 1970 and the year 2286 (ten digits of seconds).
fn times(start: &Ms, end: &Ms) -> Option<(i64, i64)> {
    let possible = 0..10_000_000_000_000;
    (start.0 <= end.0 && possible.contains(&start.0) && possible.contains(&end.0)).then_some((start.0, end.0))
}

fn change(wire: WireStatus) -> Option<Status> {
    let change = match wire.change.as_str() {
        "started" => StatusChange::Started,
        "interrupted" => StatusChange::Interrupted,
        "resumed" => StatusChange::Resumed,
        "stopped" => StatusChange::Stopped,
        "failed" => StatusChange::Failed,
        _ => return None,
    };
    let (at_ms, _) = times(&wire.event_time_ms, &wire.event_time_ms)?;
    Some(Status { at_ms, change, region: wire.transcription_region, message: wire.message })
}
