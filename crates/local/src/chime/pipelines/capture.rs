//! What a capture pipeline captures: chunks of 5 s, from the time when it is in progress until it has stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use local_media::mp4::{BarsChunk, Mp4Error, example};
use serde_json::{Value, json};

use super::artifacts::{Sink, stamp};
use super::input::{ArtifactState, Artifacts, AudioMux, SelectedStreams};
use crate::chime::meeting::{Attendee, Meeting, date};
use crate::s3::S3;

const CHUNK_MS: i64 = 5_000;
/// Two packets of sound: less is no chunk.
const MIN_CHUNK_MS: i64 = 40;

#[derive(Debug)]
pub(super) struct Capture {
    pub(super) artifacts: Option<Artifacts>,
    pub(super) selected: Option<SelectedStreams>,
    /// When the open chunk has begun. None: it captures nothing now.
    pub(super) since_ms: Option<i64>,
    /// Those that are complete.
    pub(super) chunks: usize,
    /// The attendee that it is in the meeting.
    pub(super) recorder: Option<String>,
    /// It never ends by itself once it has been asked to.
    pub(super) hangs: bool,
    /// Attendees of whom the events of the meeting say that they are there.
    present: BTreeSet<String>,
}

impl Capture {
    pub(super) fn new(artifacts: Option<Artifacts>, selected: Option<SelectedStreams>) -> Self {
        Self {
            artifacts,
            selected,
            since_ms: None,
            chunks: 0,
            recorder: None,
            hangs: false,
            present: BTreeSet::new(),
        }
    }

    pub(super) fn chunk_ends_ms(&self) -> Option<i64> {
        self.since_ms.map(|since_ms| since_ms + CHUNK_MS)
    }

    /// Puts the chunks that are complete at this time.
    pub(super) fn advance(&mut self, out: &Out<'_>, meeting: &Meeting, until_ms: i64) {
        let until_ms = meeting.ended_ms.map_or(until_ms, |ended_ms| ended_ms.min(until_ms));
        while let Some(since_ms) = self.since_ms.filter(|since_ms| since_ms + CHUNK_MS <= until_ms) {
            self.put(out, meeting, since_ms, CHUNK_MS);
            self.since_ms = Some(since_ms + CHUNK_MS);
        }
    }

    /// Ends capturing at this time: the last chunk is a short one.
    pub(super) fn close(&mut self, out: &Out<'_>, meeting: &Meeting, at_ms: i64) {
        self.advance(out, meeting, at_ms);
        let at_ms = meeting.ended_ms.map_or(at_ms, |ended_ms| ended_ms.min(at_ms));
        if let Some(since_ms) = self.since_ms.take()
            && at_ms - since_ms >= MIN_CHUNK_MS
        {
            self.put(out, meeting, since_ms, at_ms - since_ms);
        }
    }

    fn put(&mut self, out: &Out<'_>, meeting: &Meeting, since_ms: i64, duration_ms: i64) {
        let index = self.chunks;
        self.chunks += 1;
        let stamp = stamp(since_ms);
        let people: Vec<&Attendee> = meeting.connected_attendees().collect();
        let mux =
            self.artifacts.as_ref().map_or(AudioMux::AudioWithActiveSpeakerVideo, |it| it.audio.mux_type);
        let full = BarsChunk { index, pictures: !people.is_empty(), tone: !people.is_empty() };
        let sound = BarsChunk { pictures: false, ..full };
        let speaker = if mux == AudioMux::AudioWithActiveSpeakerVideo { full } else { sound };
        out.put_example(&format!("audio/{stamp}.mp4"), speaker, duration_ms);
        if mux == AudioMux::AudioWithCompositedVideo {
            out.put_example(&format!("composited-video/{stamp}.mp4"), full, duration_ms);
        }
        if self.artifacts.as_ref().is_none_or(|it| it.video.state == ArtifactState::Enabled) {
            for person in people.iter().filter(|person| self.is_selected(person)) {
                out.put_pictures(&format!("video/{stamp}-{}.mp4", person.id), full, duration_ms);
            }
        }
        let events = self.events(since_ms, &people, index == 0);
        if !events.is_empty() {
            let lines: Vec<String> = events.iter().map(Value::to_string).collect();
            out.put(&format!("meeting-events/{stamp}.txt"), lines.join("\n").into());
        }
    }

    fn is_selected(&self, attendee: &Attendee) -> bool {
        let Some(selected) = &self.selected else { return true };
        let among = |ids: &Option<Vec<String>>, id: &String| ids.as_ref().is_some_and(|ids| ids.contains(id));
        let any = selected.attendee_ids.is_some() || selected.external_user_ids.is_some();
        !any || among(&selected.attendee_ids, &attendee.id)
            || among(&selected.external_user_ids, &attendee.external_id)
    }

    /// What the folder of the meeting's events says (<https://docs.aws.amazon.com/chime-sdk/latest/dg/meeting-events.html>).
    fn events(&mut self, at_ms: i64, people: &[&Attendee], first: bool) -> Vec<Value> {
        let now: BTreeSet<String> = people.iter().map(|person| person.id.clone()).collect();
        let event = |kind: &str, attendee: Option<&String>| {
            let parameters = attendee.map_or_else(|| json!({}), |id| json!({ "AttendeeId": id }));
            json!({ "Timestamp": date(at_ms), "EventType": kind, "EventParameters": parameters })
        };
        let started = first.then(|| event("CaptureStarted", None));
        let came = now.difference(&self.present).map(|id| event("AttendeeJoined", Some(id)));
        let left = self.present.difference(&now).map(|id| event("AttendeeLeft", Some(id)));
        let events = started.into_iter().chain(came).chain(left).collect();
        self.present = now;
        events
    }
}

/// Where a capture puts its chunks.
pub(super) struct Out<'a> {
    pub(super) s3: Option<&'a S3>,
    pub(super) sink: &'a Sink,
    pub(super) base: String,
}

impl Out<'_> {
    fn put(&self, name: &str, bytes: Bytes) {
        if let Some(s3) = self.s3 {
            self.sink.put(s3, &format!("{}/{name}", self.base), bytes);
        }
    }

    fn put_example(&self, name: &str, chunk: BarsChunk, duration_ms: i64) {
        self.put_made(name, example_file(chunk, true, duration_ms));
    }

    fn put_pictures(&self, name: &str, chunk: BarsChunk, duration_ms: i64) {
        self.put_made(name, example_file(chunk, false, duration_ms));
    }

    fn put_made(&self, name: &str, made: Result<Bytes, Mp4Error>) {
        match made {
            Ok(bytes) => self.put(name, bytes),
            Err(error) => tracing::error!(%error, name, "a chunk was not made"),
        }
    }
}

/// The file of a chunk of the example. Equal ones of the usual length share their bytes.
fn example_file(chunk: BarsChunk, sound: bool, duration_ms: i64) -> Result<Bytes, Mp4Error> {
    type Files = Mutex<BTreeMap<(usize, bool, bool, bool), Bytes>>;
    static FILES: OnceLock<Files> = OnceLock::new();
    /// After so many chunks the bars are where they were.
    const PERIOD: usize = 6;
    let chunk = BarsChunk { index: chunk.index % PERIOD, ..chunk };
    let make = || {
        let mut movie = example(chunk);
        if !sound {
            movie.sound.clear();
        }
        movie.cut(u64::try_from(duration_ms).unwrap_or_default() * 1_000).write()
    };
    if duration_ms != CHUNK_MS {
        return make();
    }
    let mut files = FILES.get_or_init(Files::default).lock().unwrap_or_else(PoisonError::into_inner);
    let key = (chunk.index, chunk.pictures, chunk.tone, sound);
    if let Some(file) = files.get(&key) {
        return Ok(file.clone());
    }
    let file = make()?;
    files.insert(key, file.clone());
    Ok(file)
}
