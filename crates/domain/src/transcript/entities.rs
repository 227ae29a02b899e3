//! The texts that Comprehend Medical is asked about, and the places of its answers in the segments.
//!
//! Its offsets count Unicode code points (<https://docs.aws.amazon.com/comprehend-medical/latest/api/API_ICD10CMEntity.html>), as ours
//! do, while its limits count bytes.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::transcript::{Segment, confidence};

/// `DetectEntitiesV2` takes fewer than 20,000 bytes (<https://docs.aws.amazon.com/comprehend-medical/latest/api/API_DetectEntitiesV2.html>).
pub const MAX_DETECT_ENTITIES_BYTES: usize = 19_999;

/// `InferICD10CM` (<https://docs.aws.amazon.com/comprehend-medical/latest/api/API_InferICD10CM.html>).
pub const MAX_INFER_ICD10CM_BYTES: usize = 10_000;

/// The smallest limit: a scalar value has at most 4 bytes.
const MIN_LIMIT_BYTES: usize = 4;

/// Comprehend Medical reads English alone.
#[must_use]
pub fn is_english(language: &str) -> bool {
    language.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case("en"))
}

/// A request about a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Conditions, medications, tests, treatments and anatomy: `DetectEntitiesV2`.
    Entities,
    /// Conditions with their codes: `InferICD10CM`.
    Icd10Cm,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Entities, Self::Icd10Cm];

    /// The most bytes of a text.
    #[must_use]
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::Entities => MAX_DETECT_ENTITIES_BYTES,
            Self::Icd10Cm => MAX_INFER_ICD10CM_BYTES,
        }
    }

    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entities => "entities",
            Self::Icd10Cm => "icd10_cm",
        }
    }
}

/// A code of a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Concept {
    /// Of ICD-10-CM, for example `R51.9`.
    pub code: String,
    pub description: String,
    pub score: Option<f64>,
}

/// An entity in a text, by its offsets in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub begin: u32,
    pub end: u32,
    pub category: String,
    pub kind: String,
    pub score: Option<f64>,
    pub traits: Vec<String>,
    pub concepts: Vec<Concept>,
}

/// A medical entity in a segment's text, in Unicode scalar values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MedicalEntity {
    /// The segment's number.
    pub segment: u32,
    pub start: u32,
    pub end: u32,
    /// For example `MEDICAL_CONDITION`.
    pub category: String,
    /// For example `DX_NAME`.
    #[serde(rename = "type")]
    pub kind: String,
    pub score: Option<f64>,
    /// For example `NEGATION`: the speaker does not have it.
    pub traits: Vec<String>,
    /// Codes of ICD-10-CM that it may be, the most probable first.
    pub concepts: Vec<Concept>,
}

/// A text of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    /// The parts of segments that it consists of, in order.
    parts: Vec<Part>,
}

/// A part of a segment in a piece, in scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    segment: u32,
    /// Where the part begins in the segment's text.
    from: u32,
    /// Where it begins in the piece, and its length.
    at: u32,
    length: u32,
}

/// The place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's number.
    pub segment: u32,
    pub start: u32,
    pub end: u32,
}

impl Piece {
    /// The places of an answer with these offsets: one, or one in each segment that it reaches into.
    #[must_use]
    pub fn places(&self, begin: u32, end: u32) -> Vec<Place> {
        let place = |part: &Part| {
            let (start, end) = (begin.max(part.at), end.min(part.at + part.length));
            let segment = part.segment;
            (start < end).then(|| Place {
                segment,
                start: start - part.at + part.from,
                end: end - part.at + part.from,
            })
        };
        self.parts.iter().filter_map(place).collect()
    }

    /// The entities that were found in it, in each segment that they reach into.
    #[must_use]
    pub fn entities(&self, found: &[Found]) -> Vec<MedicalEntity> {
        let entity = |one: &Found, place: Place| MedicalEntity {
            segment: place.segment,
            start: place.start,
            end: place.end,
            category: one.category.clone(),
            kind: one.kind.clone(),
            score: one.score.and_then(confidence),
            traits: one.traits.clone(),
            concepts: one
                .concepts
                .iter()
                .map(|concept| Concept { score: concept.score.and_then(confidence), ..concept.clone() })
                .collect(),
        };
        let places = found.iter().map(|one| (one, self.places(one.begin, one.end)));
        places.flat_map(|(one, places)| places.into_iter().map(move |place| entity(one, place))).collect()
    }

    /// Adds a part on a line of its own.
    fn add(&mut self, segment: u32, from: u32, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let at = scalars(&self.text);
        self.text.push_str(text);
        self.parts.push(Part { segment, from, at, length: scalars(text) });
    }
}

/// Joins the English segments to pieces of at most so many bytes; those from before a revocation go to no other service. A segment that does not fit into one is cut at the end of a
/// sentence, else of a word, else between two scalar values. A limit below 4 bytes counts as 4.
#[must_use]
pub fn pieces(segments: &[Segment], max_bytes: usize) -> Vec<Piece> {
    let max_bytes = max_bytes.max(MIN_LIMIT_BYTES);
    let mut pieces: Vec<Piece> = Vec::new();
    let sent = |segment: &&Segment| is_english(&segment.language) && !segment.revoked;
    for segment in segments.iter().filter(sent) {
        let mut from = 0;
        for part in cut(&segment.text, max_bytes) {
            let length = scalars(part);
            if !part.trim().is_empty() {
                let fits = pieces.last().is_some_and(|last| last.text.len() + 1 + part.len() <= max_bytes);
                if !fits {
                    pieces.push(Piece::default());
                }
                if let Some(last) = pieces.last_mut() {
                    last.add(segment.number, from, part);
                }
            }
            from += length;
        }
    }
    pieces
}

/// Parts of at most so many bytes, which together are the text.
fn cut(mut text: &str, max_bytes: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > max_bytes {
        let window = &text[..text.floor_char_boundary(max_bytes)];
        // The last sentence and the last word of the window may go on behind it, so only their beginnings are ends.
        let sentence =
            text.split_sentence_bound_indices().map(|(at, _)| at).take_while(|&at| at <= window.len()).last();
        let word =
            || text.split_word_bound_indices().map(|(at, _)| at).take_while(|&at| at <= window.len()).last();
        let at =
            sentence.filter(|&at| at > 0).or_else(|| word().filter(|&at| at > 0)).unwrap_or(window.len());
        let (part, rest) = text.split_at(at);
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

fn scalars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}
