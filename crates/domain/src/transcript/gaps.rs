//! The times of a call of which there is no text, each with one reason.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::transcript::lines::StatusChange;
use crate::transcript::{Interval, seconds};

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "TranscriptGapReason"))]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Chime reported an interruption.
    Interrupted,
    /// Participants spoke, and the service sent no text.
    SilentService,
    /// The text is kept by captures, and one followed the other.
    CaptureSwitched,
    /// A participant had revoked consent.
    ConsentRevoked,
    /// Before the transcription began, or after it was stopped.
    NotTranscribed,
    /// The transcription had failed.
    Failed,
}

impl GapReason {
    /// The reasons in the order of precedence: the one that explains the most first.
    const ALL: [Self; 6] = [
        Self::ConsentRevoked,
        Self::Failed,
        Self::Interrupted,
        Self::CaptureSwitched,
        Self::NotTranscribed,
        Self::SilentService,
    ];

    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::SilentService => "silent_service",
            Self::CaptureSwitched => "capture_switched",
            Self::ConsentRevoked => "consent_revoked",
            Self::NotTranscribed => "not_transcribed",
            Self::Failed => "failed",
        }
    }

    /// Whether text is missing that was to be there: a revocation, and what nobody asked to transcribe, are no loss.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        match self {
            Self::Interrupted | Self::SilentService | Self::CaptureSwitched | Self::Failed => true,
            Self::ConsentRevoked | Self::NotTranscribed => false,
        }
    }

    /// The words in a file.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Interrupted => "no text: the transcription was interrupted",
            Self::SilentService => "no text: the service sent none",
            Self::CaptureSwitched => "no text: the capture was changed",
            Self::ConsentRevoked => "no text: consent was revoked",
            Self::NotTranscribed => "not transcribed",
            Self::Failed => "no text: the transcription failed",
        }
    }
}

/// A time without text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "TranscriptGap"))]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Seconds from the beginning of the call.
    #[serde(rename = "start", with = "seconds")]
    #[cfg_attr(feature = "openapi", schemars(with = "f64"))]
    pub start_ms: i64,
    /// Seconds from the beginning of the call.
    #[serde(rename = "end", with = "seconds")]
    #[cfg_attr(feature = "openapi", schemars(with = "f64"))]
    pub end_ms: i64,
    pub reason: GapReason,
}

/// The times of a call that are known, in any order; intervals may overlap.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The call, from 0 to its end.
    pub call_end_ms: i64,
    /// From the start of the transcription to its stop.
    pub transcribing: Vec<Interval>,
    pub interrupted: Vec<Interval>,
    pub failed: Vec<Interval>,
    /// When a capture ran.
    pub captured: Vec<Interval>,
    pub revoked: Vec<Interval>,
    /// When a participant spoke.
    pub speaking: Vec<Interval>,
    /// The times of the segments.
    pub text: Vec<Interval>,
}

/// Speech without text is a gap from this length on.
pub const MIN_SILENCE_MS: i64 = 10_000;

/// Text may begin later and end earlier than what a participant's microphone shows.
const TOLERANCE_MS: i64 = 3_000;

/// The gaps in their order. They do not overlap, and no text lies in them.
#[must_use]
pub fn gaps(evidence: &Evidence) -> Vec<Gap> {
    let Some(call) = Interval::new(0, evidence.call_end_ms) else {
        return Vec::new();
    };
    let transcribing = union(&evidence.transcribing);
    let captured = union(&evidence.captured);
    let text = union(&evidence.text);
    let mut taken = text.clone();
    let mut gaps = Vec::new();
    for reason in GapReason::ALL {
        let intervals = match reason {
            GapReason::ConsentRevoked => evidence.revoked.clone(),
            GapReason::Failed => evidence.failed.clone(),
            GapReason::Interrupted => evidence.interrupted.clone(),
            GapReason::CaptureSwitched => intersect(&between(&captured), &transcribing),
            GapReason::NotTranscribed => subtract(&[call], &intersect(&transcribing, &captured)),
            GapReason::SilentService => silences(&evidence.speaking, &text, &taken),
        };
        let new = subtract(&intersect(&union(&intervals), &[call]), &taken);
        gaps.extend(new.iter().map(|&Interval { start_ms, end_ms }| Gap { start_ms, end_ms, reason }));
        taken = union(&[taken, new].concat());
    }
    gaps.sort_by_key(|gap| gap.start_ms);
    gaps
}

/// The states that the changes of a transcription give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    pub transcribing: Vec<Interval>,
    pub interrupted: Vec<Interval>,
    pub failed: Vec<Interval>,
}

/// Reads changes, by their time, as intervals; those that are open end with the call. A change may be lost or doubled.
#[must_use]
pub fn states(mut changes: Vec<(i64, StatusChange)>, call_end_ms: i64) -> States {
    changes.sort_unstable();
    let mut states = States::default();
    let (mut started, mut interrupted, mut failed) = (None, None, None);
    let close = |intervals: &mut Vec<Interval>, from: &mut Option<i64>, to: i64| {
        intervals.extend(from.take().and_then(|from| Interval::new(from, to)));
    };
    for (at, change) in changes {
        match change {
            StatusChange::Started => {
                close(&mut states.failed, &mut failed, at);
                close(&mut states.interrupted, &mut interrupted, at);
                started = started.or(Some(at));
            }
            StatusChange::Interrupted => interrupted = interrupted.or(Some(at)),
            StatusChange::Resumed => {
                close(&mut states.interrupted, &mut interrupted, at);
                started = started.or(Some(at));
            }
            StatusChange::Stopped | StatusChange::Failed => {
                close(&mut states.interrupted, &mut interrupted, at);
                close(&mut states.transcribing, &mut started, at);
                if change == StatusChange::Failed {
                    failed = failed.or(Some(at));
                } else {
                    close(&mut states.failed, &mut failed, at);
                }
            }
        }
    }
    close(&mut states.transcribing, &mut started, call_end_ms);
    close(&mut states.interrupted, &mut interrupted, call_end_ms);
    close(&mut states.failed, &mut failed, call_end_ms);
    states
}

/// Speech that is neither near a text nor explained otherwise: pieces less than [`MIN_SILENCE_MS`] apart, with no text between, that
/// have that length together.
fn silences(speaking: &[Interval], text: &[Interval], explained: &[Interval]) -> Vec<Interval> {
    let widen =
        |at: &Interval| Interval { start_ms: at.start_ms - TOLERANCE_MS, end_ms: at.end_ms + TOLERANCE_MS };
    let near: Vec<Interval> = text.iter().map(widen).collect();
    let without_text = subtract(&subtract(&union(speaking), &union(&near)), explained);
    let blocks = union(&[text, explained].concat());
    let mut silences: Vec<(Interval, i64)> = Vec::new();
    for piece in without_text {
        if let Some((last, spoken)) = silences.last_mut() {
            let between = Interval::new(last.end_ms, piece.start_ms);
            let near = piece.start_ms - last.end_ms < MIN_SILENCE_MS;
            let apart = between.is_some_and(|between| !intersect(&blocks, &[between]).is_empty());
            if near && !apart {
                last.end_ms = piece.end_ms;
                *spoken += piece.length_ms();
                continue;
            }
        }
        silences.push((piece, piece.length_ms()));
    }
    silences.into_iter().filter(|&(_, spoken)| spoken >= MIN_SILENCE_MS).map(|(silence, _)| silence).collect()
}

/// The intervals between those of a union.
fn between(union: &[Interval]) -> Vec<Interval> {
    union.windows(2).filter_map(|pair| Interval::new(pair[0].end_ms, pair[1].start_ms)).collect()
}

/// The same times as ordered intervals that neither overlap nor touch.
#[must_use]
pub fn union(intervals: &[Interval]) -> Vec<Interval> {
    let mut sorted: Vec<Interval> = intervals.iter().copied().filter(|at| at.length_ms() > 0).collect();
    sorted.sort_unstable();
    let mut union: Vec<Interval> = Vec::with_capacity(sorted.len());
    for next in sorted {
        match union.last_mut() {
            Some(last) if next.start_ms <= last.end_ms => last.end_ms = last.end_ms.max(next.end_ms),
            _ => union.push(next),
        }
    }
    union
}

/// The times of both unions.
#[must_use]
pub fn intersect(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let (mut i, mut j) = (0, 0);
    let mut both = Vec::new();
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        both.extend(x.intersection(*y));
        if x.end_ms < y.end_ms { i += 1 } else { j += 1 }
    }
    both
}

/// The times of the first union that are not of the second.
#[must_use]
pub fn subtract(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let mut rest = Vec::new();
    let mut j = 0;
    for x in a {
        let mut from = x.start_ms;
        while b.get(j).is_some_and(|y| y.end_ms <= from) {
            j += 1;
        }
        for y in b[j..].iter().take_while(|y| y.start_ms < x.end_ms) {
            rest.extend(Interval::new(from, y.start_ms));
            from = from.max(y.end_ms);
        }
        rest.extend(Interval::new(from, x.end_ms));
    }
    rest
}
