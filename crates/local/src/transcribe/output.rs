//! The file that a job puts: the JSON of AWS's examples
//! (<https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html>,
//! <https://docs.aws.amazon.com/transcribe/latest/dg/lang-id-batch.html>).

use std::collections::BTreeMap;

use local_media::{CaptionItem, CaptionWords};
use serde_json::{Value, json};

use super::Kind;
use super::input::Start;
use super::language::Language;
use crate::chime::Recorded;

/// The score of each identified language.
pub(super) const LANGUAGE_SCORE: f64 = 0.97;

/// A stretch of one speaker's words.
struct Segment {
    words: CaptionWords,
    language: String,
    label: Option<String>,
}

pub(super) struct Output {
    kind: Kind,
    language: Language,
    segments: Vec<Segment>,
    /// The file's beginning.
    from_ms: i64,
    /// The speakers that are distinguished; none: nobody is.
    speakers: Option<usize>,
}

impl Output {
    pub(super) fn new(kind: Kind, start: &Start, recorded: &Recorded) -> Self {
        let mut labels: Vec<&str> = Vec::new();
        let mut segments = Vec::new();
        for words in &recorded.words {
            let speaker = words.items.first().map_or("", |it| it.attendee_id.as_str());
            let label = start.speakers.map(|most| {
                let known = labels.iter().position(|it| *it == speaker);
                let n = known.unwrap_or_else(|| {
                    labels.push(speaker);
                    labels.len() - 1
                });
                // Those beyond the most are taken for the last one.
                format!("spk_{}", n.min(most - 1))
            });
            let own = words.language.as_ref().map(|(code, _)| code.as_str());
            let language = start.language.of_words(own);
            segments.push(Segment { words: words.clone(), language, label });
        }
        let speakers = start.speakers.map(|most| labels.len().min(most));
        Self { kind, language: start.language.clone(), segments, from_ms: recorded.from_ms, speakers }
    }

    /// The languages and the seconds in which each was spoken, the longest first; of one that is identified, that alone.
    pub(super) fn languages(&self) -> Vec<(String, f64)> {
        let mut spoken: BTreeMap<&str, i64> = BTreeMap::new();
        for segment in &self.segments {
            let words = &segment.words;
            *spoken.entry(&segment.language).or_default() += (words.end_ms - words.start_ms).max(0);
        }
        let mut spoken: Vec<(&str, i64)> = spoken.into_iter().collect();
        spoken.sort_by_key(|(_, ms)| -ms);
        let usual = self.language.of_words(None);
        if spoken.is_empty() {
            spoken.push((&usual, 0));
        }
        if !matches!(self.language, Language::Several(_)) {
            spoken.truncate(1);
        }
        spoken.into_iter().map(|(code, ms)| (code.to_owned(), seconds(ms))).collect()
    }

    /// The whole file.
    pub(super) fn json(&self, name: &str, account: &str) -> Value {
        let transcript: Vec<&str> = self.segments.iter().map(|it| it.words.transcript.as_str()).collect();
        let mut results = json!({ "transcripts": [{ "transcript": transcript.join(" ") }] });
        match &self.language {
            Language::Given(_) => {}
            Language::Identified(options) => {
                let code = self.languages().first().map(|(code, _)| code.clone()).unwrap_or_default();
                let others = options.iter().filter(|it| **it != code);
                let scores = std::iter::once(json!({ "score": LANGUAGE_SCORE.to_string(), "code": code }))
                    .chain(others.map(|it| json!({ "score": "0.01", "code": it })));
                results["language_identification"] = scores.collect();
                results["language_code"] = code.into();
            }
            Language::Several(_) => {
                let codes = self.languages().into_iter();
                let codes = codes
                    .map(|(code, seconds)| json!({ "language_code": code, "duration_in_seconds": seconds }));
                results["language_codes"] = codes.collect();
            }
        }
        if let Some(speakers) = self.speakers {
            let segments: Vec<Value> = self.segments.iter().map(|it| self.label_segment(it)).collect();
            results["speaker_labels"] =
                json!({ "channel_label": "ch_0", "speakers": speakers, "segments": segments });
        }
        let (mut items, mut audio_segments) = (Vec::new(), Vec::new());
        for segment in &self.segments {
            let first = items.len();
            items.extend(
                segment.words.items.iter().enumerate().map(|(n, it)| self.item(segment, it, first + n)),
            );
            let ids: Vec<usize> = (first..items.len()).collect();
            let mut audio = self.times(segment.words.start_ms, segment.words.end_ms);
            audio["id"] = audio_segments.len().into();
            audio["transcript"] = segment.words.transcript.as_str().into();
            audio["items"] = ids.into();
            self.label(&mut audio, segment);
            audio_segments.push(audio);
        }
        results["items"] = items.into();
        // Medical jobs have no such part in AWS's examples.
        if self.kind == Kind::Standard {
            results["audio_segments"] = audio_segments.into();
        }
        json!({ "jobName": name, "accountId": account, "status": "COMPLETED", "results": results })
    }

    fn label_segment(&self, segment: &Segment) -> Value {
        let items = segment.words.items.iter().filter(|it| !it.punctuation);
        let items = items.map(|it| {
            let mut item = self.times(it.start_ms, it.end_ms);
            item["speaker_label"] = segment.label.clone().into();
            item
        });
        let mut json = self.times(segment.words.start_ms, segment.words.end_ms);
        json["items"] = items.collect();
        json["speaker_label"] = segment.label.clone().into();
        json
    }

    fn item(&self, segment: &Segment, item: &CaptionItem, id: usize) -> Value {
        let mut json = if item.punctuation { json!({}) } else { self.times(item.start_ms, item.end_ms) };
        let confidence =
            if item.punctuation { "0.0".to_owned() } else { item.confidence.unwrap_or(0.9).to_string() };
        json["type"] = if item.punctuation { "punctuation" } else { "pronunciation" }.into();
        json["alternatives"] = json!([{ "confidence": confidence, "content": item.content }]);
        if self.kind == Kind::Standard {
            json["id"] = id.into();
        }
        self.label(&mut json, segment);
        json
    }

    fn label(&self, json: &mut Value, segment: &Segment) {
        if let Some(label) = &segment.label {
            json["speaker_label"] = label.as_str().into();
        }
        if matches!(self.language, Language::Several(_)) {
            json["language_code"] = segment.language.as_str().into();
        }
    }

    /// Seconds from the file's beginning, as text.
    fn times(&self, start_ms: i64, end_ms: i64) -> Value {
        let text = |at_ms: i64| format!("{:.2}", seconds((at_ms - self.from_ms).max(0)));
        json!({ "start_time": text(start_ms), "end_time": text(end_ms) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
