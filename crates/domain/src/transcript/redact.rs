//! The redacted view: the stretches that Transcribe identified as personal or health data are replaced by a tag such as `[NAME]`, as
//! Transcribe's own redaction does (<https://docs.aws.amazon.com/transcribe/latest/dg/pii-redaction.html>).
//!
//! In doubt more is masked: a stretch is widened to whole grapheme clusters, and one that does not fit the text masks all of it.

#[cfg(test)]
mod tests;

use unicode_segmentation::UnicodeSegmentation;

use crate::transcript::{Segment, Span, Word};

/// A text without what was identified.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    pub text: String,
    /// The tags, in their order.
    pub spans: Vec<Span>,
    /// The words in the new text. Those of one tag are one word.
    pub words: Vec<Word>,
}

/// The segment without what was identified. Where the engine identified nothing in this language ([`Live::content_type`] is none), and in
/// the text of a standard job, `marked` is false: then all of it is masked, because nothing is known to be free of such data.
///
/// [`Live::content_type`]: crate::transcript::language::Live::content_type
#[must_use]
pub fn segment(segment: &Segment, marked: bool) -> Segment {
    let all = || Span {
        start: 0,
        end: u32::try_from(segment.text.chars().count()).unwrap_or(u32::MAX),
        category: String::new(),
        kind: None,
        confidence: None,
    };
    let spans = if marked { segment.spans.clone() } else { vec![all()] };
    let Redacted { text, spans, .. } = redact(&segment.text, &spans, &[]);
    Segment { text, spans, ..segment.clone() }
}

/// A stretch that is masked: its old place, the category and type of its tag, and its new place.
struct Mask {
    old: (u32, u32),
    new: (u32, u32),
    span: Span,
}

/// Masks the stretches of a text, and of its words.
#[must_use]
pub fn redact(text: &str, spans: &[Span], words: &[Word]) -> Redacted {
    let scalars: Vec<char> = text.chars().collect();
    let mut redacted = String::with_capacity(text.len());
    let mut masks: Vec<Mask> = Vec::new();
    let (mut from, mut length) = (0, 0);
    for span in merged(text, count(&scalars), spans) {
        let before = &scalars[index(from)..index(span.start)];
        redacted.extend(before);
        let tag = tag(&span);
        let start = length + count(before);
        let end = start + u32::try_from(tag.len()).unwrap_or(u32::MAX);
        redacted.push_str(&tag);
        masks.push(Mask {
            old: (span.start, span.end),
            new: (start, end),
            span: Span { start, end, ..span.clone() },
        });
        (from, length) = (span.end, end);
    }
    redacted.extend(&scalars[index(from)..]);
    Redacted {
        text: redacted,
        words: moved(words, &masks),
        spans: masks.into_iter().map(|mask| mask.span).collect(),
    }
}

fn count(scalars: &[char]) -> u32 {
    u32::try_from(scalars.len()).unwrap_or(u32::MAX)
}

const fn index(scalar: u32) -> usize {
    scalar as usize
}

/// The spans in order, widened to grapheme clusters; those that overlap are one.
fn merged(text: &str, length: u32, spans: &[Span]) -> Vec<Span> {
    if spans.is_empty() {
        return Vec::new();
    }
    // The scalar value at which each cluster begins, and the end.
    let mut bounds = vec![0];
    for cluster in text.graphemes(true) {
        let last = bounds.last().copied().unwrap_or_default();
        bounds.push(last + u32::try_from(cluster.chars().count()).unwrap_or(u32::MAX));
    }
    let widen = |span: &Span| {
        let fits = span.start < span.end && span.end <= length;
        let (start, end) = if fits {
            let after = bounds.partition_point(|&bound| bound <= span.start);
            let until = bounds.partition_point(|&bound| bound < span.end);
            (bounds[after - 1], bounds[until])
        } else {
            (0, length)
        };
        Span { start, end, ..span.clone() }
    };
    let mut widened: Vec<Span> = spans.iter().map(widen).filter(|span| span.start < span.end).collect();
    widened.sort_by_key(|span| (span.start, span.end));
    let mut merged: Vec<Span> = Vec::with_capacity(widened.len());
    for next in widened {
        match merged.last_mut() {
            Some(last) if next.start < last.end => {
                last.end = last.end.max(next.end);
                last.kind = last.kind.take().filter(|kind| next.kind.as_ref() == Some(kind));
                if last.category != next.category {
                    last.category = String::new();
                }
                last.confidence = match (last.confidence, next.confidence) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    (a, b) => a.or(b),
                };
            }
            _ => merged.push(next),
        }
    }
    merged
}

/// The type, else the category; a name that is not of capital letters is not shown.
fn tag(span: &Span) -> String {
    let plain = |name: &&str| {
        !name.is_empty()
            && name.len() <= 40
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "_-".contains(c))
    };
    let name = span.kind.as_deref().filter(plain).or(Some(span.category.as_str()).filter(plain));
    format!("[{}]", name.unwrap_or("REDACTED"))
}

/// Words at their new places.
fn moved(words: &[Word], masks: &[Mask]) -> Vec<Word> {
    let place = |old: u32, is_end: bool| {
        let at = masks.partition_point(|mask| mask.old.0 < old || (mask.old.0 == old && !is_end));
        let Some(mask) = at.checked_sub(1).map(|before| &masks[before]) else {
            return old;
        };
        if old < mask.old.1 || (is_end && old == mask.old.1) {
            return if is_end { mask.new.1 } else { mask.new.0 };
        }
        mask.new.1 + (old - mask.old.1)
    };
    let mut moved: Vec<Word> = Vec::with_capacity(words.len());
    for word in words {
        let next = Word { start: place(word.start, false), end: place(word.end, true), ..*word };
        match moved.last_mut() {
            Some(last) if next.start < last.end => {
                last.end = last.end.max(next.end);
                last.start_ms = last.start_ms.min(next.start_ms);
                last.end_ms = last.end_ms.max(next.end_ms);
            }
            _ => moved.push(next),
        }
    }
    moved
}
