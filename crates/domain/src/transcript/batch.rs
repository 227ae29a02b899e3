//! The text of a job of Transcribe or Transcribe Medical, made from the recorded sound: it fills the gaps of the live text.
//!
//! A job distinguishes speakers and does not know them. A label becomes a participant if that participant's microphone was active for
//! most of what has the label; otherwise the speaker keeps a number.

pub mod job;
pub mod plan;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::transcript::gaps::{Gap, GapReason, intersect, union};
use crate::transcript::lines::Entity;
use crate::transcript::segments::{text, turns};
use crate::transcript::{Interval, Source, Span, Turn, Voice};

pub use wire::{NotAnOutput, parse};

/// A longer pause divides what one speaker says.
const MAX_PAUSE_MS: i64 = 2_000;

/// A label is a participant's if this share of its time, in hundredths, is theirs.
const MIN_SHARE: i64 = 50;

/// And if no other participant has more than this share of the time of the first.
const MAX_RIVAL_SHARE: i64 = 50;

/// The output of a job. Times are milliseconds from the beginning of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    pub words: Vec<JobItem>,
    /// The language of the job, or the one that was identified.
    pub language: Option<String>,
    pub entities: Vec<Entity>,
    /// Entities that could not be read: then nothing is known to be free of health data.
    pub unreadable_entities: usize,
}

/// A word or a punctuation mark of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobItem {
    pub content: String,
    pub punctuation: bool,
    pub start_ms: i64,
    pub end_ms: i64,
    pub label: Option<String>,
    pub language: Option<String>,
    pub confidence: Option<f64>,
}

/// The file of a job, and the call that it is of.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    /// The name of the job: with a number the identity of its turns.
    pub job: &'a str,
    /// Where the file begins in the call.
    pub offset_ms: i64,
    /// For words of which the job names no language.
    pub language: &'a str,
    /// When each microphone was active.
    pub activity: &'a [(Voice, Interval)],
    /// The gaps that are filled. One of a revocation is not.
    pub gaps: &'a [Gap],
    /// When consent was revoked.
    pub revoked: &'a [Interval],
}

/// The turns in the gaps.
#[must_use]
pub fn fill(output: &Output, recording: &Recording) -> Vec<Turn> {
    let shifted = |word: &JobItem| JobItem {
        start_ms: word.start_ms + recording.offset_ms,
        end_ms: word.end_ms + recording.offset_ms,
        ..word.clone()
    };
    let words: Vec<JobItem> = output.words.iter().map(shifted).collect();
    let voices = voices(&words, recording.activity);
    let fillable: Vec<Interval> = recording
        .gaps
        .iter()
        .filter(|gap| gap.reason != GapReason::ConsentRevoked)
        .filter_map(|gap| Interval::new(gap.start_ms, gap.end_ms))
        .collect();
    let gaps = union(&fillable);
    let in_call = |entity: &Entity| Entity {
        start_ms: entity.start_ms + recording.offset_ms,
        end_ms: entity.end_ms + recording.offset_ms,
        ..entity.clone()
    };
    let entities: Vec<Entity> = output.entities.iter().map(in_call).collect();

    let language = output.language.as_deref().unwrap_or(recording.language);
    let mut filled = Vec::new();
    for group in groups(&words, &gaps, &voices, language) {
        let (text, ranges) =
            text::join(group.words.iter().map(|word| (word.content.trim(), word.punctuation)));
        let start_ms = group.words.iter().map(|word| word.start_ms).min().unwrap_or_default().max(0);
        let end_ms = group.words.iter().map(|word| word.end_ms).max().unwrap_or_default().max(start_ms);
        let times = group.words.iter().map(|word| (word.start_ms, word.end_ms));
        let words = turns::words(&text, 0, &ranges, times);
        let mut spans = turns::spans(&text, &words, &entities, (start_ms, end_ms));
        if output.unreadable_entities > 0 {
            spans = vec![whole(&text)];
        }
        let spoken = group.words.iter().filter(|word| !word.punctuation);
        filled.push(Turn {
            result: recording.job.to_owned(),
            index: u32::try_from(filled.len()).unwrap_or(u32::MAX),
            voice: group.voice,
            start_ms,
            end_ms,
            language: group.language.to_owned(),
            confidence: turns::mean(spoken.filter_map(|word| word.confidence)),
            spans,
            words,
            source: Source::Batch,
            unfinished: false,
            revoked: recording.revoked.iter().any(|revoked| start_ms < revoked.start_ms),
            text,
        });
    }
    filled
}

fn whole(text: &str) -> Span {
    let end = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    Span { start: 0, end, category: "PHI".to_owned(), kind: None, confidence: None }
}

/// Words that become a turn.
struct Group<'a> {
    voice: Voice,
    language: &'a str,
    gap: usize,
    words: Vec<&'a JobItem>,
}

/// Runs of words of one voice, one language and one gap, without a long pause. A word is in the gap that its middle is in; a mark is
/// where the word before it is.
fn groups<'a>(
    words: &'a [JobItem],
    gaps: &[Interval],
    voices: &HashMap<&str, Voice>,
    job_language: &'a str,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut before_is_kept = false;
    for word in words {
        if word.punctuation {
            if before_is_kept && let Some(group) = groups.last_mut() {
                group.words.push(word);
            }
            continue;
        }
        let middle = word.start_ms + (word.end_ms - word.start_ms) / 2;
        let gap = gaps.partition_point(|gap| gap.end_ms <= middle);
        before_is_kept = gaps.get(gap).is_some_and(|gap| gap.contains(middle));
        if !before_is_kept {
            continue;
        }
        let voice = word.label.as_deref().and_then(|label| voices.get(label).cloned());
        let voice = voice.unwrap_or_else(|| Voice::Unknown(String::new()));
        let language = word.language.as_deref().unwrap_or(job_language);
        let goes_on = |group: &&mut Group| {
            let pause = word.start_ms - group.words.last().map_or(word.start_ms, |last| last.end_ms);
            group.voice == voice && group.language == language && group.gap == gap && pause <= MAX_PAUSE_MS
        };
        match groups.last_mut().filter(goes_on) {
            Some(group) => group.words.push(word),
            None => groups.push(Group { voice, language, gap, words: vec![word] }),
        }
    }
    groups
}

/// The voice of each label.
fn voices<'a>(words: &'a [JobItem], activity: &[(Voice, Interval)]) -> HashMap<&'a str, Voice> {
    let mut spoken: HashMap<&str, Vec<Interval>> = HashMap::new();
    for word in words {
        if let (Some(label), Some(at)) = (word.label.as_deref(), Interval::new(word.start_ms, word.end_ms)) {
            spoken.entry(label).or_default().push(at);
        }
    }
    let mut active: HashMap<&Voice, Vec<Interval>> = HashMap::new();
    for (voice, at) in activity {
        active.entry(voice).or_default().push(*at);
    }
    let active: Vec<(&Voice, Vec<Interval>)> =
        active.into_iter().map(|(voice, at)| (voice, union(&at))).collect();
    let labels: HashSet<&str> = words.iter().filter_map(|word| word.label.as_deref()).collect();
    let voice = |label: &'a str| {
        let spoken = union(spoken.get(label).map_or(&[], Vec::as_slice));
        let known = participant(&spoken, &active).cloned();
        (label, known.unwrap_or_else(|| Voice::Unknown(label.to_owned())))
    };
    labels.into_iter().map(voice).collect()
}

/// The participant who was active for most of these times, if there is one.
fn participant<'a>(spoken: &[Interval], active: &[(&'a Voice, Vec<Interval>)]) -> Option<&'a Voice> {
    let length = |intervals: &[Interval]| intervals.iter().map(|at| at.length_ms()).sum::<i64>();
    let mut shares: Vec<(i64, &Voice)> =
        active.iter().map(|(voice, at)| (length(&intersect(spoken, at)), *voice)).collect();
    shares.sort_by_key(|(share, _)| std::cmp::Reverse(*share));
    let (best, voice) = *shares.first()?;
    let rival = shares.get(1).map_or(0, |(share, _)| *share);
    let enough =
        best > 0 && best * 100 >= length(spoken) * MIN_SHARE && rival * 100 <= best * MAX_RIVAL_SHARE;
    enough.then_some(voice)
}
