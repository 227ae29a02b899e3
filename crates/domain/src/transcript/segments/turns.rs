//! The turns of one result: its items, divided where the speaker changes.

use std::ops::Range;

use super::Call;
use super::text::align;
use crate::transcript::lines::{Entity, Item, TranscriptResult};
use crate::transcript::{Source, Span, Turn, Voice, Word, confidence};

/// The result's turns. Without items it is one turn of an unknown speaker.
pub(super) fn turns(call: &Call, result: &TranscriptResult) -> Vec<Turn> {
    let relative = |at_ms: i64| (at_ms - call.began_at_ms).max(0);
    let kept = |at_ms: i64| !call.revoked.iter().any(|revoked| revoked.contains(relative(at_ms)));
    let items: Vec<&Item> = result.items.iter().filter(|item| kept(item.start_ms)).collect();
    // The service's text has the part that was said after a revocation too, so it is not used then.
    let whole = items.len() == result.items.len();
    if items.is_empty() && !(whole && kept(result.start_ms)) {
        return Vec::new();
    }
    let (text, ranges) = align(if whole { &result.transcript } else { "" }, &items);
    let groups =
        if items.is_empty() { vec![(Voice::Unknown(String::new()), 0..0)] } else { groups(call, &items) };
    let in_call = |entity: &Entity| Entity {
        start_ms: relative(entity.start_ms),
        end_ms: relative(entity.end_ms),
        ..entity.clone()
    };
    let entities: Vec<Entity> = result.entities.iter().map(in_call).collect();
    let language = language(call, result);

    let mut turns = Vec::with_capacity(groups.len());
    for (voice, group) in groups {
        let (items, ranges) = (&items[group.clone()], &ranges[group]);
        let bytes = match (ranges.first(), ranges.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..text.len(),
        };
        let said = text[bytes.clone()].trim();
        if said.is_empty() {
            continue;
        }
        let start_ms = relative(items.iter().map(|item| item.start_ms).min().unwrap_or(result.start_ms));
        let end_ms = relative(items.iter().map(|item| item.end_ms).max().unwrap_or(result.end_ms));
        let times = items.iter().map(|item| (relative(item.start_ms), relative(item.end_ms)));
        let words = words(said, bytes.start, ranges, times);
        let spans = spans(said, &words, &entities, (start_ms, end_ms));
        turns.push(Turn {
            result: result.result_id.clone(),
            index: u32::try_from(turns.len()).unwrap_or(u32::MAX),
            voice,
            start_ms,
            end_ms,
            text: said.to_owned(),
            language: language.clone(),
            confidence: mean(
                items.iter().filter(|item| !item.punctuation).filter_map(|item| item.confidence),
            ),
            spans,
            words,
            source: Source::Live,
            unfinished: result.partial,
            revoked: call.revoked.iter().any(|revoked| start_ms < revoked.start_ms),
        });
    }
    turns
}

/// The language that the result names, else the one that was identified with the highest score, else that of the transcription.
fn language(call: &Call, result: &TranscriptResult) -> String {
    let identified = || {
        let best = result.identified.iter().max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
        best.map(|(code, _)| code.clone())
    };
    result.language.clone().or_else(identified).unwrap_or_else(|| call.language.clone())
}

/// Runs of items of one voice. A mark without an attendee belongs to the word before it.
fn groups(call: &Call, items: &[&Item]) -> Vec<(Voice, Range<usize>)> {
    let mut groups: Vec<(Voice, Range<usize>)> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let voice = |id| call.attendees.voice(id, item.external_user_id.as_deref());
        let voice = item.attendee_id.as_deref().map(voice);
        match (groups.last_mut(), voice) {
            (Some((_, range)), None) => range.end = at + 1,
            (Some((current, range)), Some(voice)) if *current == voice => range.end = at + 1,
            (_, voice) => groups.push((voice.unwrap_or(Voice::Unknown(String::new())), at..at + 1)),
        }
    }
    groups
}

/// The place of each item in the turn's text, counted in Unicode scalar values. `ranges` are of bytes, from `base` on.
pub(in crate::transcript) fn words(
    said: &str,
    base: usize,
    ranges: &[Range<usize>],
    times: impl Iterator<Item = (i64, i64)>,
) -> Vec<Word> {
    let (mut byte, mut scalar) = (0, 0);
    let mut place = |to: usize| {
        scalar += u32::try_from(said[byte..to].chars().count()).unwrap_or(u32::MAX);
        byte = to;
        scalar
    };
    let word = |((start_ms, end_ms), range): ((i64, i64), &Range<usize>)| Word {
        start_ms,
        end_ms,
        start: place(range.start - base),
        end: place(range.end - base),
    };
    times.zip(ranges).map(word).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a result has fewer than 2^52 items")]
pub(in crate::transcript) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    if values.is_empty() { None } else { confidence(values.iter().sum::<f64>() / values.len() as f64) }
}

/// The stretches of the turn's text that entities are of. An entity has times and words: its words are searched in the text; without
/// them, the words of its time count; without those, the whole text, because too much is better masked than too little.
pub(in crate::transcript) fn spans(
    said: &str,
    words: &[Word],
    entities: &[Entity],
    (start_ms, end_ms): (i64, i64),
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for entity in entities {
        let (from, to) = (entity.start_ms, entity.end_ms);
        // An entity or a word without a length lasts a millisecond.
        let overlaps = |start: i64, end: i64| start < to.max(from + 1) && from < end.max(start + 1);
        if !overlaps(start_ms, end_ms) {
            continue;
        }
        let timed = words.iter().filter(|word| overlaps(word.start_ms, word.end_ms));
        let timed =
            timed.fold(None, |range: Option<(u32, u32)>, word| {
                Some(range.map_or((word.start, word.end), |(start, end)| {
                    (start.min(word.start), end.max(word.end))
                }))
            });
        let all = (0, u32::try_from(said.chars().count()).unwrap_or(u32::MAX));
        let (start, end) = nearest(said, &entity.content, timed).or(timed).unwrap_or(all);
        spans.push(Span {
            start,
            end,
            category: entity.category.clone(),
            kind: entity.kind.clone(),
            confidence: entity.confidence,
        });
    }
    spans.sort_by(|a, b| (a.start, a.end, &a.category, &a.kind).cmp(&(b.start, b.end, &b.category, &b.kind)));
    spans.dedup();
    spans
}

/// The occurrence of the words that overlaps the place of their time, in Unicode scalar values; without such a place, the only one.
fn nearest(said: &str, content: &str, timed: Option<(u32, u32)>) -> Option<(u32, u32)> {
    let content = content.trim();
    if content.is_empty() {
        return None;
    }
    let scalars = |bytes: usize| u32::try_from(said[..bytes].chars().count()).unwrap_or(u32::MAX);
    let bytes = |scalar: u32| said.char_indices().nth(scalar as usize).map_or(said.len(), |(at, _)| at);
    let mut found = said.match_indices(content).map(|(at, _)| (at, at + content.len()));
    let Some((start, end)) = timed else {
        let (from, to) = found.next()?;
        return found.next().is_none().then(|| (scalars(from), scalars(to)));
    };
    // Compared in bytes: counting is for the one that is found, so that a long text with many occurrences stays cheap.
    let place = (bytes(start), bytes(end));
    let (from, to) = found.find(|&(from, to)| from < place.1 && place.0 < to)?;
    Some((scalars(from).min(start), scalars(to).max(end)))
}
