//! The transcript as a file: `WebVTT`, `SubRip`, plain text, and the canonical JSON that is hashed.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::id::{AppointmentId, SessionId, TranscriptId};
use crate::transcript::gaps::Gap;
use crate::transcript::{Segment, Speaker};

/// The part of a transcript that its SHA-256 is of: everything that was said, and nothing that changes afterwards.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content<'a> {
    pub transcript_id: TranscriptId,
    pub appointment_id: AppointmentId,
    pub session_id: SessionId,
    pub language: &'a str,
    pub segments: &'a [Segment],
    pub gaps: &'a [Gap],
}

impl Content<'_> {
    /// The canonical JSON: the keys in the order of their declaration, no spaces, times with at most three decimals.
    ///
    /// # Panics
    /// Never: texts and finite numbers become JSON.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and finite numbers become JSON")
    }

    /// The SHA-256 of the canonical JSON, in hexadecimal digits.
    ///
    /// # Panics
    /// Never, as [`Content::canonical`].
    #[must_use]
    pub fn sha256(&self) -> String {
        Sha256::digest(self.canonical()).iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes any text");
            hex
        })
    }
}

/// A part of a file: a segment, or the gap that is at its place.
enum Cue<'a> {
    Said(&'a Segment),
    Gap(&'a Gap),
}

impl Cue<'_> {
    const fn start_ms(&self) -> i64 {
        match self {
            Self::Said(segment) => segment.start_ms,
            Self::Gap(gap) => gap.start_ms,
        }
    }

    /// A player shows nothing for a cue that ends as it begins.
    fn end_ms(&self) -> i64 {
        let end_ms = match self {
            Self::Said(segment) => segment.end_ms,
            Self::Gap(gap) => gap.end_ms,
        };
        end_ms.max(self.start_ms() + 1)
    }
}

/// Segments and gaps in their order.
fn cues<'a>(segments: &'a [Segment], gaps: &'a [Gap]) -> Vec<Cue<'a>> {
    let mut cues: Vec<Cue> = segments.iter().map(Cue::Said).chain(gaps.iter().map(Cue::Gap)).collect();
    cues.sort_by_key(Cue::start_ms);
    cues
}

/// `WebVTT` (<https://www.w3.org/TR/webvtt1/>). A speaker is a voice; a gap is a cue, so that its reader sees that text is missing.
///
/// # Panics
/// Never: a string takes any text.
#[must_use]
pub fn vtt(segments: &[Segment], gaps: &[Gap]) -> String {
    let mut file = "WEBVTT\n".to_owned();
    for cue in cues(segments, gaps) {
        let text = match &cue {
            Cue::Said(segment) => {
                let text = escape(&lines(&segment.text).join("\n"));
                if text.is_empty() {
                    continue;
                }
                format!("<v {}>{text}", escape(&label(&segment.speaker)))
            }
            Cue::Gap(gap) => format!("[{}]", gap.reason.text()),
        };
        let (start, end) = (Clock(cue.start_ms(), '.'), Clock(cue.end_ms(), '.'));
        writeln!(file, "\n{start} --> {end}\n{text}").expect("a String takes any text");
    }
    file
}

/// The characters that begin markup or an arrow.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `SubRip` (<https://matroska.org/technical/subtitles.html#srt-subtitles>). It knows no escapes, so an arrow in a text gets a space.
///
/// # Panics
/// Never: a string takes any text.
#[must_use]
pub fn srt(segments: &[Segment], gaps: &[Gap]) -> String {
    let mut file = String::new();
    let mut number = 0_u32;
    for cue in cues(segments, gaps) {
        let text = match &cue {
            Cue::Said(segment) => {
                let text = lines(&segment.text).join("\n");
                if text.is_empty() {
                    continue;
                }
                format!("{}: {text}", label(&segment.speaker)).replace("-->", "-- >")
            }
            Cue::Gap(gap) => format!("[{}]", gap.reason.text()),
        };
        number += 1;
        let (start, end) = (Clock(cue.start_ms(), ','), Clock(cue.end_ms(), ','));
        writeln!(file, "{number}\n{start} --> {end}\n{text}\n").expect("a String takes any text");
    }
    file
}

/// Plain text: a line for each segment and each gap.
///
/// # Panics
/// Never: a string takes any text.
#[must_use]
pub fn text(segments: &[Segment], gaps: &[Gap]) -> String {
    let mut file = String::new();
    for cue in cues(segments, gaps) {
        let start = Clock(cue.start_ms(), '.');
        match &cue {
            Cue::Said(segment) => {
                let text = lines(&segment.text).join(" ");
                if !text.is_empty() {
                    writeln!(file, "[{start}] {}: {text}", label(&segment.speaker))
                        .expect("a String takes any text");
                }
            }
            Cue::Gap(gap) => {
                let end = Clock(cue.end_ms(), '.');
                writeln!(file, "[{start}] [{} until {end}]", gap.reason.text())
                    .expect("a String takes any text");
            }
        }
    }
    file
}

/// The lines of a text without those that are empty: an empty line ends a cue.
fn lines(text: &str) -> Vec<String> {
    let lines = text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
    let lines = lines.map(|line| line.replace('\0', "\u{fffd}").trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// The label on one line.
fn label(speaker: &Speaker) -> String {
    lines(&speaker.label).join(" ")
}

/// Hours, minutes and seconds; the hours have two digits or more.
struct Clock(i64, char);

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(ms, separator) = *self;
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}{separator}{:03}", ms % 1_000)
    }
}
