//! The output of a capture pipeline: chunks of 5 s, from the time when it is in progress until it has stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use local_media::mp4::{BarsChunk, Mp4Error, example};
use serde_json::json;

use super::artifacts::{Sink, Wanted, stamp};
use super::input::SelectedStreams;
use crate::chime::meeting::{Attendee, Meeting, date};
use crate::s3::S3;

const CHUNK_MS: i64 = 5_000;
/// Two packets of sound: less is no chunk.
const MIN_CHUNK_MS: i64 = 40;

/// The maker of the chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Recording {
    /// The engine, or nobody.
    #[default]
    Engine,
    /// A recorder at the media plane, with its number.
    Recorder(u64),
    /// Its stop was requested, and it has not put its last chunk.
    Closing(u64),
}

#[derive(Debug)]
pub(super) struct Capture {
    pub(super) wanted: Wanted,
    pub(super) selected: Option<SelectedStreams>,
    /// When the open chunk has begun. None: it captures nothing now.
    pub(super) since_ms: Option<i64>,
    /// Those that are complete.
    pub(super) chunks: usize,
    /// The attendee that it is in the meeting.
    pub(super) recorder: Option<String>,
    /// So many recorders it has had.
    pub(super) recorders: u64,
    /// It never ends by itself once it has been asked to.
    pub(super) hangs: bool,
    pub(super) recording: Recording,
    events: MeetingEvents,
}

impl Capture {
    pub(super) fn new(wanted: Wanted, selected: Option<SelectedStreams>) -> Self {
        Self {
            wanted,
            selected,
            since_ms: None,
            chunks: 0,
            recorder: None,
            recorders: 0,
            hangs: false,
            recording: Recording::default(),
            events: MeetingEvents::default(),
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
            self.put_texts(out, meeting, &(since_ms..since_ms + CHUNK_MS), None);
            self.since_ms = Some(since_ms + CHUNK_MS);
        }
    }

    /// Ends capturing at this time: the last chunk is a short one.
    pub(super) fn close(&mut self, out: &Out<'_>, meeting: &Meeting, at_ms: i64) {
        self.advance(out, meeting, at_ms);
        let at_ms = meeting.ended_ms.map_or(at_ms, |ended_ms| ended_ms.min(at_ms));
        let Some(since_ms) = self.since_ms.take() else { return };
        if at_ms - since_ms >= MIN_CHUNK_MS {
            self.put(out, meeting, since_ms, at_ms - since_ms);
        }
        // The stop of the transcription is a part of the end.
        self.put_texts(out, meeting, &(since_ms..at_ms + 1), Some(at_ms));
    }

    fn put(&mut self, out: &Out<'_>, meeting: &Meeting, since_ms: i64, duration_ms: i64) {
        let index = self.chunks;
        self.chunks += 1;
        let stamp = stamp(since_ms);
        let people: Vec<&Attendee> = meeting.connected_attendees().collect();
        let full = BarsChunk { index, pictures: !people.is_empty(), tone: !people.is_empty() };
        let sound = BarsChunk { pictures: false, ..full };
        let speaker = if self.wanted.speaker { full } else { sound };
        out.put_example(&format!("audio/{stamp}.mp4"), speaker, duration_ms);
        if self.wanted.composited {
            out.put_example(&format!("composited-video/{stamp}.mp4"), full, duration_ms);
        }
        if self.wanted.video {
            let selected = |it: &&&Attendee| is_selected(self.selected.as_ref(), &it.id, &it.external_id);
            for person in people.iter().filter(selected) {
                out.put_pictures(&format!("video/{stamp}-{}.mp4", person.id), full, duration_ms);
            }
        }
    }

    fn put_texts(&mut self, out: &Out<'_>, meeting: &Meeting, time: &Range<i64>, ended_ms: Option<i64>) {
        let texts = Texts::of(meeting, time);
        for (name, text) in texts.files(&mut self.events, time.start, ended_ms) {
            out.put(&name, text.into());
        }
    }
}

/// The texts that a capture writes for a time, besides sound and pictures.
pub(super) struct Texts {
    connected: Vec<String>,
    speakers: Vec<(i64, String)>,
    messages: String,
}

impl Texts {
    pub(super) fn of(meeting: &Meeting, time: &Range<i64>) -> Self {
        Self {
            connected: meeting.connected_attendees().map(|person| person.id.clone()).collect(),
            speakers: meeting.speech.speakers(time),
            messages: meeting.speech.messages(time),
        }
    }

    /// Adds those who are heard in the media.
    pub(super) fn add_speakers(&mut self, speakers: impl IntoIterator<Item = (i64, String)>) {
        self.speakers.extend(speakers);
        self.speakers.sort();
    }

    /// The files of a chunk that starts at this time, without empty ones. `ended_ms`: the capture ends with it.
    pub(super) fn files(
        &self,
        events: &mut MeetingEvents,
        started_ms: i64,
        ended_ms: Option<i64>,
    ) -> impl Iterator<Item = (String, String)> + use<> {
        let stamp = stamp(started_ms);
        let events = events.text(started_ms, &self.connected, &self.speakers, ended_ms);
        let files = [("meeting-events", events), ("transcription-messages", self.messages.clone())];
        files
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(move |(folder, text)| (format!("{folder}/{stamp}.txt"), text))
    }
}

/// Whether the pictures of an attendee are wanted by themselves.
pub(super) fn is_selected(selected: Option<&SelectedStreams>, id: &str, external_id: &str) -> bool {
    let Some(SelectedStreams { attendee_ids, external_user_ids }) = selected else { return true };
    let among =
        |ids: &Option<Vec<String>>, id: &str| ids.as_ref().is_some_and(|ids| ids.iter().any(|it| it == id));
    (attendee_ids.is_none() && external_user_ids.is_none())
        || among(attendee_ids, id)
        || among(external_user_ids, external_id)
}

/// The content of the folder of the meeting's events (<https://docs.aws.amazon.com/chime-sdk/latest/dg/meeting-events.html>).
#[derive(Debug, Default)]
pub(super) struct MeetingEvents {
    started: bool,
    present: BTreeSet<String>,
}

impl MeetingEvents {
    /// The file of a chunk that starts at this time, in which these are connected and began to speak: one event on each line.
    fn text(
        &mut self,
        at_ms: i64,
        connected: &[String],
        speakers: &[(i64, String)],
        ended_ms: Option<i64>,
    ) -> String {
        let connected: BTreeSet<String> = connected.iter().cloned().collect();
        let event = |at_ms: i64, kind: &str, attendee: Option<&String>| {
            let parameters = attendee.map_or_else(|| json!({}), |id| json!({ "AttendeeId": id }));
            let event = json!({ "Timestamp": date(at_ms), "EventType": kind, "EventParameters": parameters });
            event.to_string()
        };
        let started = (!self.started).then(|| event(at_ms, "CaptureStarted", None));
        let came = connected.difference(&self.present).map(|id| event(at_ms, "AttendeeJoined", Some(id)));
        let left = self.present.difference(&connected).map(|id| event(at_ms, "AttendeeLeft", Some(id)));
        // One who goes on speaking is named once in each chunk.
        let before = std::iter::once(None).chain(speakers.iter().map(|(_, id)| Some(id)));
        let changes = speakers.iter().zip(before).filter(|((_, id), before)| Some(id) != *before);
        let spoke = changes.map(|((at_ms, id), _)| event(*at_ms, "ActiveSpeaker", Some(id)));
        let ended = ended_ms.map(|at_ms| event(at_ms, "CaptureEnded", None));
        let lines: Vec<String> =
            started.into_iter().chain(came).chain(left).chain(spoke).chain(ended).collect();
        (self.started, self.present) = (true, connected);
        lines.join("\n")
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
