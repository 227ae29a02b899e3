//! A pipeline and its state, and all of them.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::artifacts::Sink;
use super::capture::Capture;
use super::concatenation::Concatenation;
use super::event::{EventKind, envelope};
use super::fault::Armed;
use crate::chime::meeting::{Meeting, date};

/// From the creation of a capture until it is in progress.
pub(super) const START: Duration = Duration::from_secs(2);
/// From the request to stop until the capture has stopped. Until then it captures.
pub(super) const STOP: Duration = Duration::from_secs(2);
/// From the end of a meeting until its capture has stopped.
pub(super) const STOP_AFTER_MEETING: Duration = Duration::from_secs(1);
/// From the creation of a concatenation, or from the end of its capture, until it is in progress.
pub(super) const BEGIN: Duration = Duration::from_secs(1);
/// From then until its file is there.
pub(super) const JOIN: Duration = Duration::from_secs(10);
/// For so long a pipeline that has stopped is still found; after that it is not.
const VISIBLE: Duration = Duration::from_mins(5);

pub(super) const fn milliseconds(duration: Duration) -> i64 {
    duration.as_secs().cast_signed() * 1000
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Status {
    Initializing,
    InProgress,
    Failed,
    Stopping,
    Stopped,
    Paused,
    /// A concatenation whose capture has not ended.
    NotStarted,
}

/// A planned change of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Start,
    Pause,
    Resume,
    Fail,
    Stop,
    /// A capture captures no more, and yet does not stop.
    Hang,
    /// Of a concatenation: its file is there.
    Finish,
}

#[derive(Debug)]
pub(super) enum Kind {
    Capture(Capture),
    Concatenation(Concatenation),
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) region: String,
    pub(super) token: Option<String>,
    /// The body of its creation, by which a repetition is recognized.
    pub(super) request: Value,
    pub(super) meeting: String,
    pub(super) sink: Sink,
    pub(super) status: Status,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) ended_ms: Option<i64>,
    /// In the order of their times.
    pub(super) steps: Vec<(i64, Step)>,
    pub(super) kind: Kind,
    /// Events that have not been sent yet.
    pub(super) happened: Vec<(EventKind, i64)>,
}

impl Pipeline {
    pub(super) fn set(&mut self, status: Status, at_ms: i64) {
        (self.status, self.updated_ms) = (status, at_ms);
    }

    pub(super) fn end(&mut self, status: Status, at_ms: i64) {
        self.set(status, at_ms);
        self.ended_ms = Some(at_ms);
        self.steps.clear();
    }

    /// Whether it has neither stopped nor been asked to.
    pub(super) fn runs(&self) -> bool {
        !matches!(self.status, Status::Stopping | Status::Stopped)
    }

    /// Whether it counts towards the account's limit. AWS does not say whether a concatenation that waits does; here it does.
    fn counts(&self) -> bool {
        !matches!(self.status, Status::Stopped | Status::Failed)
    }

    /// Whether the API knows it at this time.
    pub(super) fn is_visible(&self, now_ms: i64) -> bool {
        self.ended_ms.is_none_or(|ended_ms| now_ms < ended_ms + milliseconds(VISIBLE))
    }

    pub(super) fn plan(&mut self, at_ms: i64, step: Step) {
        self.steps.push((at_ms, step));
        self.steps.sort_by_key(|(at_ms, _)| *at_ms);
    }

    /// Removes and returns the next step that is due.
    pub(super) fn due(&mut self, now_ms: i64) -> Option<(i64, Step)> {
        let due = self.steps.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms);
        due.then(|| self.steps.remove(0))
    }

    pub(super) fn capture(&self) -> Option<&Capture> {
        match &self.kind {
            Kind::Capture(capture) => Some(capture),
            Kind::Concatenation(_) => None,
        }
    }

    /// As the API answers it.
    pub(super) fn json(&self) -> Value {
        let mut json = json!({
            "MediaPipelineId": self.id,
            "MediaPipelineArn": self.arn,
            "Status": self.status,
            "CreatedTimestamp": date(self.created_ms),
            "UpdatedTimestamp": date(self.updated_ms),
        });
        let of_request = match &self.kind {
            Kind::Capture(_) => [
                "SourceType",
                "SourceArn",
                "SinkType",
                "SinkArn",
                "ChimeSdkMeetingConfiguration",
                "SseAwsKeyManagementParams",
                "SinkIamRoleArn",
            ]
            .as_slice(),
            Kind::Concatenation(_) => &["Sources", "Sinks"],
        };
        for member in of_request {
            if let Some(value) = self.request.get(*member) {
                json[*member] = value.clone();
            }
        }
        json
    }

    /// The name of its member in an answer.
    pub(super) fn member(&self) -> &'static str {
        match &self.kind {
            Kind::Capture(_) => "MediaCapturePipeline",
            Kind::Concatenation(_) => "MediaConcatenationPipeline",
        }
    }

    /// As `GET /_local/chime/pipelines` lists it.
    fn listed(&self) -> Value {
        let mut listed = json!({
            "pipelineId": self.id,
            "kind": if self.capture().is_some() { "capture" } else { "concatenation" },
            "meetingId": self.meeting,
            "status": self.status,
            "createdAt": date(self.created_ms),
            "endedAt": self.ended_ms.map(date),
        });
        match &self.kind {
            Kind::Capture(capture) => listed["chunks"] = capture.chunks.into(),
            Kind::Concatenation(concatenation) => {
                listed["captureId"] = concatenation.source.id.clone().into();
            }
        }
        listed
    }
}

/// All pipelines in the order of their making, and what the control API has set for them.
#[derive(Debug, Default)]
pub(in crate::chime) struct Pipelines {
    pub(super) all: Vec<Pipeline>,
    pub(super) quota: Option<usize>,
    pub(super) faults: Vec<Armed>,
}

impl Pipelines {
    /// Pipelines of a region that count towards its limit, and the limit.
    pub(super) fn count(&self, region: &str) -> (usize, usize) {
        let counted =
            self.all.iter().filter(|pipeline| pipeline.region == region && pipeline.counts()).count();
        // https://docs.aws.amazon.com/chime-sdk/latest/dg/meetings-sdk-quotas.html
        let usual = if region == "us-east-1" { 100 } else { 10 };
        (counted, self.quota.unwrap_or(usual))
    }

    /// When the next pipeline changes or the next chunk is complete.
    pub(in crate::chime) fn next_ms(&self) -> Option<i64> {
        let steps = self.all.iter().filter_map(|pipeline| pipeline.steps.first().map(|(at_ms, _)| *at_ms));
        let chunks = self.all.iter().filter_map(|pipeline| pipeline.capture()?.chunk_ends_ms());
        steps.chain(chunks).min()
    }

    /// Takes the events that have happened, each with its time.
    pub(in crate::chime) fn take_events(&mut self, meetings: &[Meeting], account: &str) -> Vec<(Value, i64)> {
        let mut events = Vec::new();
        for pipeline in &mut self.all {
            let happened = std::mem::take(&mut pipeline.happened);
            let meeting = meetings.iter().find(|meeting| meeting.id == pipeline.meeting);
            events.extend(happened.into_iter().filter_map(|(kind, at_ms)| {
                Some((envelope(pipeline, meeting?, account, kind, at_ms, None), at_ms))
            }));
        }
        events
    }

    /// As `GET /_local/chime/pipelines` lists them.
    pub(super) fn listed(&self) -> Vec<Value> {
        self.all.iter().map(Pipeline::listed).collect()
    }
}
