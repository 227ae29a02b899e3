//! The speech in a recorded file, for its transcription.

use std::ops::Range;

use local_media::CaptionWords;

use super::artifacts::started_ms;
use super::pipeline::{Kind, Pipeline};
use crate::chime::Chime;
use crate::s3::Object;

/// The length of a chunk, at the most (`PIPELINES.md`).
const MAX_CHUNK_MS: i64 = 8_000;

/// The words of a file, in the order of their times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    /// The time at which the file begins. The words have their own times.
    pub(crate) from_ms: i64,
    pub(crate) words: Vec<CaptionWords>,
}

impl Chime {
    /// The speech in an object of sound that a media pipeline has put, or in a copy of a concatenation's file. None: nobody knows it.
    pub(crate) fn recorded(&self, bucket: &str, key: &str) -> Option<Recorded> {
        let (s3, _) = self.buckets.get()?;
        let object = s3.object(bucket, key)?;
        let state = self.current_state();
        let found = state.pipelines.all.iter().find_map(|it| Some((it, time(it, bucket, key, &object)?)));
        let (pipeline, time) = found?;
        let meeting = state.meetings.iter().find(|it| it.id == pipeline.meeting)?;
        Some(Recorded { from_ms: time.start, words: meeting.speech.said(&time) })
    }
}

/// The time that an object covers, if it is one of this pipeline.
fn time(pipeline: &Pipeline, bucket: &str, key: &str, object: &Object) -> Option<Range<i64>> {
    let sound = format!("{}/audio/", pipeline.sink.base(&pipeline.id));
    let name = key.strip_prefix(&sound).filter(|_| pipeline.sink.bucket == bucket);
    match &pipeline.kind {
        Kind::Capture(_) => {
            let from_ms = started_ms(name?)?;
            Some(from_ms..from_ms + MAX_CHUNK_MS)
        }
        Kind::Concatenation(concatenation) => {
            let joined = concatenation.joined.as_ref()?;
            let is_file = name.is_some_and(|name| name.strip_suffix(".mp4") == Some(&pipeline.id));
            (is_file || joined.file.is_copy_of(object)).then(|| joined.from_ms..joined.to_ms + MAX_CHUNK_MS)
        }
    }
}
