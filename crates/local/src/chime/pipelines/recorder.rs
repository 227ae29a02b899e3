//! Captures of meetings with media: what the tap of the media plane gives, composed and put as chunks.
//!
//! Media takes real time: a chunk is named by the engine's time when the tap was opened, and by the tap's own clock from there.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use local_media::mp4::{Movie, Mp4Error};
use local_media::{Composer, Layout, MediaPlane, Recorder, ServerState, TapChunk, pictures_alone};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::artifacts::{Sink, Wanted, stamp};
use super::capture::{MeetingEvents, Texts, is_selected};
use super::input::SelectedStreams;
use super::pipeline::Kind;
use crate::chime::Chime;

/// A media server that has stopped is tried again after this time.
const RETRY: Duration = Duration::from_millis(250);

/// To the recorders, in the engine's order.
#[derive(Debug)]
pub(crate) enum Command {
    Start(Box<Start>),
    /// The recorder leaves the meeting. When its last chunk is put the engine gets [`Chime::recorder_finished`].
    Stop {
        pipeline: String,
    },
}

/// Everything that a recorder must know.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(super) pipeline: String,
    /// Which one of this pipeline: a capture that is resumed has a new one.
    pub(super) number: u64,
    pub(super) meeting: String,
    pub(super) recorder: Recorder,
    pub(super) wanted: Wanted,
    pub(super) selected: Option<SelectedStreams>,
    pub(super) sink: Sink,
}

/// Runs recorders until nobody can send a command any more.
pub(crate) async fn run(
    mut commands: mpsc::UnboundedReceiver<Command>,
    plane: Arc<MediaPlane>,
    chime: Chime,
) {
    let mut stops: HashMap<String, (String, watch::Sender<bool>)> = HashMap::new();
    let mut recorders = JoinSet::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Start(start)) => {
                    let (stop, stopped) = watch::channel(false);
                    stops.insert(start.pipeline.clone(), (start.meeting.clone(), stop));
                    let chunks = plane.start_recorder(&start.meeting, start.recorder.clone());
                    recorders.spawn(record(*start, chunks, Arc::clone(&plane), chime.clone(), stopped));
                }
                Some(Command::Stop { pipeline }) => {
                    if let Some((meeting, stop)) = stops.remove(&pipeline) {
                        stop.send_replace(true);
                        plane.stop_recorder(&meeting);
                    }
                }
                None => return,
            },
            Some(ended) = recorders.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a recorder has failed");
                }
            }
        }
    }
}

async fn record(
    start: Start,
    mut chunks: mpsc::Receiver<TapChunk>,
    plane: Arc<MediaPlane>,
    chime: Chime,
    mut stopped: watch::Receiver<bool>,
) {
    let mut events = MeetingEvents::default();
    loop {
        let mut recording = Recording::new(&start, &chime, &mut events);
        while let Some(chunk) = chunks.recv().await {
            recording.take(&chunk);
        }
        recording.finish();
        // The tap has ended without a request: the media server has stopped, or chunks were not taken in time.
        while !*stopped.borrow() {
            tokio::select! {
                // An error: nobody can stop it any more, because the cloud ends.
                ended = stopped.changed() => if ended.is_err() { return },
                () = tokio::time::sleep(RETRY) => if plane.state() == ServerState::Running { break },
            }
        }
        if *stopped.borrow() {
            break;
        }
        chunks = plane.start_recorder(&start.meeting, start.recorder.clone());
    }
    chime.recorder_finished(&start.pipeline, start.number);
}

/// The output of a tap from its opening to its end.
struct Recording<'a> {
    start: &'a Start,
    chime: &'a Chime,
    events: &'a mut MeetingEvents,
    opened_ms: i64,
    /// When the chunk of sound that was put last has begun: its texts are put when it is known when it ended.
    last_ms: Option<i64>,
    /// Those who became the active speaker, and when.
    speakers: Vec<(i64, String)>,
    /// Each with the folder of its chunks. The first one's is `audio`.
    composers: Vec<(&'static str, Composer)>,
}

impl<'a> Recording<'a> {
    fn new(start: &'a Start, chime: &'a Chime, events: &'a mut MeetingEvents) -> Self {
        let audio = if start.wanted.speaker { Layout::ActiveSpeaker } else { Layout::SoundOnly };
        let mut composers = vec![("audio", Composer::new(audio))];
        if start.wanted.composited {
            composers.push(("composited-video", Composer::new(Layout::ActiveSpeaker)));
        }
        Self {
            start,
            chime,
            events,
            opened_ms: chime.clock.now_ms(),
            last_ms: None,
            speakers: Vec::new(),
            composers,
        }
    }

    fn take(&mut self, chunk: &TapChunk) {
        let mut composed = Vec::new();
        for (folder, composer) in &mut self.composers {
            composed.extend(composer.push(chunk).into_iter().map(|(at_us, movie)| (*folder, at_us, movie)));
        }
        self.put_all(composed);
        if let TapChunk::Mix(chunk) = chunk {
            let at_ms = |time_us| self.at_ms(chunk.started_us + time_us);
            let speakers = chunk.speakers.iter();
            let speakers = speakers.filter_map(|it| Some((at_ms(it.time_us), it.attendee_id.clone()?)));
            let speakers: Vec<_> = speakers.collect();
            self.speakers.extend(speakers);
        }
        if let TapChunk::Pictures(chunk) = chunk {
            let wanted = if chunk.content { self.start.wanted.content } else { self.start.wanted.video };
            let people = self.chime.attendees(&self.start.meeting);
            let who = people.iter().find(|(id, _)| *id == chunk.attendee_id);
            let selected = who.is_some_and(|(id, user)| is_selected(self.start.selected.as_ref(), id, user));
            if let Some(movie) = pictures_alone(chunk).filter(|_| wanted && selected) {
                let share = if chunk.content { "#content" } else { "" };
                let name = format!("video/{}-{}{share}.mp4", self.stamp(chunk.started_us), chunk.attendee_id);
                self.put(&name, movie.write());
            }
        }
    }

    fn finish(mut self) {
        let composers = std::mem::take(&mut self.composers);
        let rest = composers.into_iter().flat_map(|(folder, composer)| {
            composer.finish().into_iter().map(move |(at_us, movie)| (folder, at_us, movie))
        });
        let rest = rest.collect();
        self.put_all(rest);
        let now_ms = self.chime.clock.now_ms();
        self.put_texts(self.last_ms.unwrap_or(self.opened_ms), now_ms + 1, Some(now_ms));
    }

    fn put_all(&mut self, composed: Vec<(&str, u64, Movie)>) {
        for (folder, at_us, movie) in composed {
            let stamp = self.stamp(at_us);
            self.put(&format!("{folder}/{stamp}.mp4"), movie.write());
            if folder == "audio" {
                self.chime.recorder_has_put(&self.start.pipeline);
                let started_ms = self.at_ms(at_us);
                if let Some(last_ms) = self.last_ms.replace(started_ms) {
                    self.put_texts(last_ms, started_ms, None);
                }
            }
        }
    }

    fn put_texts(&mut self, from_ms: i64, to_ms: i64, ended_ms: Option<i64>) {
        let Some(mut texts) = self.chime.texts(&self.start.meeting, &(from_ms..to_ms)) else { return };
        let (now, later) =
            std::mem::take(&mut self.speakers).into_iter().partition(|(at_ms, _)| *at_ms < to_ms);
        self.speakers = later;
        let now: Vec<_> = now;
        texts.add_speakers(now);
        for (name, text) in texts.files(self.events, from_ms, ended_ms) {
            self.put(&name, Ok(text.into()));
        }
    }

    fn put(&self, name: &str, bytes: Result<Bytes, Mp4Error>) {
        let Some((s3, _)) = self.chime.buckets.get() else { return };
        match bytes {
            Ok(bytes) => {
                let base = self.start.sink.base(&self.start.pipeline);
                self.start.sink.put(s3, &format!("{base}/{name}"), bytes);
            }
            Err(error) => tracing::error!(%error, name, "a chunk was not made"),
        }
    }

    fn at_ms(&self, at_us: u64) -> i64 {
        self.opened_ms.saturating_add(i64::try_from(at_us / 1_000).unwrap_or(i64::MAX))
    }

    fn stamp(&self, at_us: u64) -> String {
        stamp(self.at_ms(at_us))
    }
}

impl Chime {
    /// Captures of meetings are recorded by whoever takes these commands.
    pub(crate) fn attach_recorders(&self, commands: mpsc::UnboundedSender<Command>) {
        // A second one would be a fault of the caller; the first one stays.
        let _attached = self.recorders.set(commands);
    }

    /// A recorder that was to stop has put its last chunk.
    pub(super) fn recorder_finished(&self, pipeline: &str, number: u64) {
        let now_ms = self.clock.now_ms();
        {
            let mut state = self.current_state();
            let pipeline = state.pipelines.all.iter_mut().find(|it| it.id == pipeline);
            if let Some(pipeline) = pipeline {
                pipeline.recorder_finished(number, now_ms);
            }
        }
        self.deliver_and_wake();
    }

    fn recorder_has_put(&self, pipeline: &str) {
        let mut state = self.current_state();
        let pipeline = state.pipelines.all.iter_mut().find(|it| it.id == pipeline);
        if let Some(Kind::Capture(capture)) = pipeline.map(|it| &mut it.kind) {
            capture.chunks += 1;
        }
    }

    /// The texts that a capture writes for this time.
    fn texts(&self, meeting: &str, time: &Range<i64>) -> Option<Texts> {
        let state = self.current_state();
        let meeting = state.meetings.iter().find(|it| it.id == meeting)?;
        Some(Texts::of(meeting, time))
    }

    /// All attendees of a meeting and their users, also those who have been deleted.
    fn attendees(&self, meeting: &str) -> Vec<(String, String)> {
        let state = self.current_state();
        let meeting = state.meetings.iter().find(|it| it.id == meeting);
        let all = meeting.into_iter().flat_map(|it| &it.attendees);
        all.map(|it| (it.id.clone(), it.external_id.clone())).collect()
    }
}
