//! The speech in a meeting: a script that waits for its times, and what has come of it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use local_media::{Caption, CaptionStatus, CaptionWords};

use crate::chime::media::MediaChange;

/// An entry of the script.
#[derive(Debug)]
pub(super) enum Entry {
    /// Somebody begins to speak, whether it becomes text or not.
    Speaker(String),
    Words(Box<CaptionWords>),
    /// A message for the people in the meeting alone.
    Status(CaptionStatus),
}

#[derive(Debug, Default)]
pub(in crate::chime) struct Speech {
    /// By time and order of arrival.
    script: BTreeMap<(i64, u64), Entry>,
    count: u64,
    /// The final results by their ids.
    said: HashMap<String, CaptionWords>,
    /// Those who began to speak, and when, in the order of the times.
    speakers: Vec<(i64, String)>,
    /// The messages of the transcription, and when they came, in the order of the times.
    lines: Vec<(i64, String)>,
}

impl Speech {
    pub(super) fn plan(&mut self, at_ms: i64, entry: Entry) {
        self.count += 1;
        self.script.insert((at_ms, self.count), entry);
    }

    pub(super) fn next_ms(&self) -> Option<i64> {
        self.script.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// Takes the next entry; the words, if it is words.
    pub(super) fn take(&mut self, at_ms: i64, changes: &mut Vec<MediaChange>) -> Option<CaptionWords> {
        match self.script.pop_first()?.1 {
            Entry::Speaker(attendee) => {
                self.speakers.push((at_ms, attendee));
                None
            }
            Entry::Status(status) => {
                changes.push(MediaChange::Caption(Box::new(Caption::Status(status))));
                None
            }
            Entry::Words(words) => {
                if !words.partial {
                    self.said.insert(words.result_id.clone(), (*words).clone());
                }
                Some(*words)
            }
        }
    }

    pub(super) fn add_line(&mut self, at_ms: i64, line: String) {
        self.lines.push((at_ms, line));
    }

    /// The messages that came in this time, one on each line.
    pub(in crate::chime) fn messages(&self, time: &Range<i64>) -> String {
        let lines = within(&self.lines, time).iter();
        lines.map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Those who began to speak in this time.
    pub(in crate::chime) fn speakers(&self, time: &Range<i64>) -> Vec<(i64, String)> {
        within(&self.speakers, time).to_vec()
    }

    /// The speech of this time, by its own times, the earliest first.
    pub(in crate::chime) fn said(&self, time: &Range<i64>) -> Vec<CaptionWords> {
        let mut said: Vec<_> = self.said.values().filter(|it| time.contains(&it.start_ms)).cloned().collect();
        said.sort_by(|a, b| (a.start_ms, &a.result_id).cmp(&(b.start_ms, &b.result_id)));
        said
    }
}

/// Those of a time, of entries in the order of their times.
fn within<'a, T>(all: &'a [(i64, T)], time: &Range<i64>) -> &'a [(i64, T)] {
    let from = all.partition_point(|(at_ms, _)| *at_ms < time.start);
    let to = all.partition_point(|(at_ms, _)| *at_ms < time.end);
    all.get(from..to).unwrap_or_default()
}
