//! The life of pipelines by the engine's clock.

use std::collections::HashMap;

use local_media::Recorder;
use tokio::sync::mpsc;

use super::capture::{Out, Recording};
use super::event::EventKind;
use super::fault::OutputFault;
use super::pipeline::{
    BEGIN, JOIN, Kind, Pipeline, Pipelines, STOP, STOP_AFTER_MEETING, Status, Step, milliseconds,
};
use super::recorder::{Command, Start};
use crate::chime::meeting::Meeting;
use crate::s3::S3;

/// The meetings, the buckets and the time that pipelines act on.
pub(in crate::chime) struct Surroundings<'a> {
    pub(in crate::chime) meetings: &'a mut [Meeting],
    pub(in crate::chime) s3: Option<&'a S3>,
    /// Where meetings have media.
    pub(in crate::chime) recorders: Option<&'a mpsc::UnboundedSender<Command>>,
    pub(in crate::chime) now_ms: i64,
}

/// Where a capture's chunks go and who makes them.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) s3: Option<&'a S3>,
    pub(super) recorders: Option<&'a mpsc::UnboundedSender<Command>>,
}

impl Surroundings<'_> {
    /// Of a pipeline, and where its capture puts what it captures.
    fn of<'p>(&mut self, pipeline: &'p mut Pipeline) -> Option<(&mut Meeting, &'p mut Pipeline)> {
        let meeting = self.meetings.iter_mut().find(|meeting| meeting.id == pipeline.meeting)?;
        Some((meeting, pipeline))
    }
}

impl Pipelines {
    /// Lets everything happen that is due.
    pub(in crate::chime) fn advance(&mut self, around: &mut Surroundings<'_>) {
        let (now_ms, s3) = (around.now_ms, around.s3);
        let means = Means { s3, recorders: around.recorders };
        for pipeline in self.all.iter_mut().filter(|pipeline| pipeline.capture().is_some()) {
            if let Some((meeting, pipeline)) = around.of(pipeline) {
                pipeline.advance_capture(meeting, means, now_ms);
            }
        }
        // A capture that has failed captures no more.
        let ended = |pipeline: &Pipeline| {
            let is_done = pipeline.capture().is_none_or(|capture| capture.recording == Recording::Engine);
            let failed_ms = (pipeline.status == Status::Failed && is_done).then_some(pipeline.updated_ms);
            Some((pipeline.id.clone(), pipeline.ended_ms.or(failed_ms)?))
        };
        let ended: HashMap<String, i64> = self.all.iter().filter_map(ended).collect();
        for pipeline in &mut self.all {
            if let Kind::Concatenation(concatenation) = &pipeline.kind {
                let source_ended_ms = ended.get(&concatenation.source.id).copied();
                pipeline.advance_concatenation(source_ended_ms, s3, now_ms);
            }
        }
    }
}

impl Pipeline {
    fn advance_capture(&mut self, meeting: &mut Meeting, means: Means<'_>, now_ms: i64) {
        loop {
            let meeting_ended_ms = meeting.ended_ms.filter(|_| self.runs());
            let next_ms = self.steps.first().map_or(i64::MAX, |(at_ms, _)| *at_ms);
            if let Some(ended_ms) = meeting_ended_ms.filter(|ended_ms| *ended_ms <= next_ms) {
                self.capture_until(meeting, means, ended_ms);
                self.stop_capture(ended_ms, milliseconds(STOP_AFTER_MEETING));
                continue;
            }
            let Some((at_ms, step)) = self.due(now_ms) else { break };
            self.take_step(meeting, means, step, at_ms);
        }
        let out = Out { s3: means.s3, sink: &self.sink, base: self.sink.base(&self.id) };
        if let Kind::Capture(capture) = &mut self.kind {
            capture.advance(&out, meeting, now_ms);
        }
    }

    /// Has a capture do what was planned, or what the control API wants.
    pub(super) fn take_step(&mut self, meeting: &mut Meeting, means: Means<'_>, step: Step, at_ms: i64) {
        let (status, event) = match step {
            Step::Start => (Status::InProgress, EventKind::InProgress),
            Step::Resume => (Status::InProgress, EventKind::Resumed),
            Step::Pause => (Status::Paused, EventKind::TemporaryFailure),
            Step::Fail => (Status::Failed, EventKind::PermanentFailure),
            Step::Stop => (Status::Stopped, EventKind::Deleted),
            Step::Hang => return self.leave(meeting, means, at_ms),
            Step::Finish => return,
        };
        match step {
            Step::Start | Step::Resume => {
                self.begin(meeting, means, at_ms);
                self.set(status, at_ms);
            }
            Step::Pause => {
                self.capture_until(meeting, means, at_ms);
                self.set(status, at_ms);
            }
            Step::Fail => {
                self.leave(meeting, means, at_ms);
                self.set(status, at_ms);
                self.steps.clear();
            }
            Step::Stop => {
                self.leave(meeting, means, at_ms);
                if self.capture().is_some_and(|capture| capture.recording != Recording::Engine) {
                    // It has stopped when the recorder has put its last chunk.
                    self.set(Status::Stopping, at_ms);
                    self.steps.clear();
                    return;
                }
                self.end(status, at_ms);
            }
            Step::Hang | Step::Finish => {}
        }
        self.happened.push((event, at_ms));
    }

    /// Begins to capture, by a recorder where the meeting has media.
    fn begin(&mut self, meeting: &mut Meeting, means: Means<'_>, at_ms: i64) {
        let external_user_id = format!("aws:MediaPipeline-{}", self.id);
        let Kind::Capture(capture) = &mut self.kind else { return };
        let attendee_id =
            capture.recorder.get_or_insert_with(|| meeting.add_recorder(&external_user_id, at_ms)).clone();
        capture.recorders += 1;
        let start = Command::Start(Box::new(Start {
            pipeline: self.id.clone(),
            number: capture.recorders,
            meeting: meeting.id.clone(),
            recorder: Recorder { attendee_id, external_user_id },
            wanted: capture.wanted,
            selected: capture.selected.clone(),
            sink: self.sink.clone(),
        }));
        // Without media, or when the media plane ends with the cloud, the engine makes the chunks.
        match means.recorders.map(|recorders| recorders.send(start)) {
            Some(Ok(())) => capture.recording = Recording::Recorder(capture.recorders),
            Some(Err(_)) | None => capture.since_ms = Some(at_ms),
        }
    }

    fn capture_until(&mut self, meeting: &Meeting, means: Means<'_>, at_ms: i64) {
        let out = Out { s3: means.s3, sink: &self.sink, base: self.sink.base(&self.id) };
        let Kind::Capture(capture) = &mut self.kind else { return };
        capture.close(&out, meeting, at_ms);
        if let Recording::Recorder(number) = capture.recording {
            let stop = Command::Stop { pipeline: self.id.clone() };
            let sent = means.recorders.is_some_and(|recorders| recorders.send(stop).is_ok());
            capture.recording = if sent { Recording::Closing(number) } else { Recording::Engine };
        }
    }

    /// A recorder of this capture has put its last chunk.
    pub(super) fn recorder_finished(&mut self, number: u64, now_ms: i64) {
        let Kind::Capture(capture) = &mut self.kind else { return };
        if capture.recording != Recording::Closing(number) {
            return;
        }
        capture.recording = Recording::Engine;
        if self.status == Status::Stopping && self.steps.is_empty() && !self.hangs() {
            self.end(Status::Stopped, now_ms);
            self.happened.push((EventKind::Deleted, now_ms));
        }
    }

    fn hangs(&self) -> bool {
        self.capture().is_some_and(|capture| capture.hangs)
    }

    fn leave(&mut self, meeting: &mut Meeting, means: Means<'_>, at_ms: i64) {
        self.capture_until(meeting, means, at_ms);
        if let Kind::Capture(capture) = &mut self.kind
            && let Some(recorder) = capture.recorder.take()
        {
            meeting.remove_recorder(&recorder, at_ms);
        }
    }

    /// Somebody wants it to stop.
    pub(super) fn stop(&mut self, now_ms: i64) {
        self.stop_capture(now_ms, milliseconds(STOP));
    }

    fn stop_capture(&mut self, at_ms: i64, after_ms: i64) {
        self.set(Status::Stopping, at_ms);
        self.steps.clear();
        self.plan(at_ms + after_ms, if self.hangs() { Step::Hang } else { Step::Stop });
    }

    fn advance_concatenation(&mut self, source_ended_ms: Option<i64>, s3: Option<&S3>, now_ms: i64) {
        if self.status == Status::NotStarted
            && self.steps.is_empty()
            && let Some(ended_ms) = source_ended_ms
        {
            self.plan(ended_ms.max(self.updated_ms) + milliseconds(BEGIN), Step::Start);
        }
        while let Some((at_ms, step)) = self.due(now_ms) {
            match step {
                Step::Start if source_ended_ms.is_some_and(|ended_ms| ended_ms <= at_ms) => {
                    self.set(Status::InProgress, at_ms);
                    self.happened.push((EventKind::InProgress, at_ms));
                    self.plan(at_ms + milliseconds(JOIN), Step::Finish);
                }
                Step::Start => {
                    self.set(Status::NotStarted, at_ms);
                    if let Some(ended_ms) = source_ended_ms {
                        self.plan(ended_ms + milliseconds(BEGIN), Step::Start);
                    }
                }
                Step::Finish => self.finish(s3, at_ms),
                Step::Stop => self.conclude(EventKind::Deleted, at_ms),
                Step::Fail => self.conclude(EventKind::PermanentFailure, at_ms),
                Step::Pause | Step::Resume | Step::Hang => {}
            }
        }
    }

    /// The end of a concatenation.
    pub(super) fn conclude(&mut self, event: EventKind, at_ms: i64) {
        let failed = event == EventKind::PermanentFailure;
        self.end(if failed { Status::Failed } else { Status::Stopped }, at_ms);
        self.happened.push((event, at_ms));
    }

    fn finish(&mut self, s3: Option<&S3>, at_ms: i64) {
        let Kind::Concatenation(concatenation) = &mut self.kind else { return };
        let done = match (concatenation.fault, s3) {
            (Some(OutputFault::Never), _) => return,
            (Some(OutputFault::Fails), _) | (_, None) => false,
            (_, Some(s3)) => match concatenation.run(s3, &self.id, &self.sink) {
                Ok(joined) => {
                    concatenation.joined = joined;
                    true
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        pipeline = self.id,
                        "a concatenation fails"
                    );
                    false
                }
            },
        };
        self.conclude(if done { EventKind::Deleted } else { EventKind::PermanentFailure }, at_ms);
    }
}
