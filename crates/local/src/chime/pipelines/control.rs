//! Pipelines by the control API.

use serde::Deserialize;
use serde_json::{Value, json};

use super::event::{self, EventKind};
use super::fault::NewPipelineFault;
use super::life::Means;
use super::pipeline::{Kind, Status, Step};
use crate::chime::Chime;

/// An event to happen, as `POST /_local/chime/pipelines/{pipelineId}/events` takes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPipelineEvent {
    /// `chime:MediaPipelineInProgress`; `MediaPipelineInProgress` means the same.
    pub event_type: String,
    /// `detail.timestamp`, ms since 1970; the cloud's clock when absent.
    pub timestamp: Option<i64>,
    /// The event's id; a new one when absent.
    pub id: Option<String>,
}

/// Why an event is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PipelineEventError {
    /// The engine never made this pipeline.
    #[error("there is no media pipeline {0}")]
    UnknownPipeline(String),
    /// Chime has no such event of a pipeline.
    #[error("there is no event {0} of a media pipeline")]
    UnknownType(String),
}

impl Chime {
    /// Makes an event happen: changes the pipeline if it is not what the event says, sends the event and returns it.
    pub fn pipeline_event(&self, id: &str, new: NewPipelineEvent) -> Result<Value, PipelineEventError> {
        let now_ms = self.clock.now_ms();
        let sent = {
            let mut state = self.current_state();
            let state = &mut *state;
            let unknown = || PipelineEventError::UnknownPipeline(id.to_owned());
            let pipeline = state.pipelines.all.iter_mut().find(|it| it.id == id).ok_or_else(unknown)?;
            let meeting =
                state.meetings.iter_mut().find(|it| it.id == pipeline.meeting).ok_or_else(unknown)?;
            let kind = EventKind::by_name(&new.event_type)
                .ok_or_else(|| PipelineEventError::UnknownType(new.event_type.clone()))?;
            let step = match (kind, pipeline.status) {
                (EventKind::InProgress, Status::Initializing | Status::NotStarted) => Some(Step::Start),
                (EventKind::TemporaryFailure, Status::InProgress) => Some(Step::Pause),
                (EventKind::Resumed, Status::Paused) => Some(Step::Resume),
                (EventKind::PermanentFailure, Status::Stopped | Status::Failed)
                | (EventKind::Deleted, Status::Stopped)
                | (EventKind::InProgress | EventKind::TemporaryFailure | EventKind::Resumed, _) => None,
                (EventKind::PermanentFailure, _) => Some(Step::Fail),
                (EventKind::Deleted, _) => Some(Step::Stop),
            };
            let happened = pipeline.happened.len();
            match (step, &pipeline.kind) {
                (Some(Step::Stop | Step::Fail), Kind::Concatenation(_)) => pipeline.conclude(kind, now_ms),
                (Some(step), Kind::Concatenation(_)) => pipeline.plan(now_ms, step),
                (Some(step), Kind::Capture(_)) => {
                    pipeline.steps.retain(|(_, planned)| *planned != step);
                    let s3 = self.buckets.get().map(|(s3, _)| s3);
                    let means = Means { s3, recorders: self.recorders.get() };
                    pipeline.take_step(meeting, means, step, now_ms);
                    if step == Step::Stop && pipeline.status != Status::Stopped {
                        // Its recorder has not put its last chunk; the event does not wait for it.
                        pipeline.end(Status::Stopped, now_ms);
                    }
                }
                (None, _) => {}
            }
            // It is sent below, also where the engine sends no events by itself.
            pipeline.happened.truncate(happened);
            let at_ms = new.timestamp.unwrap_or(now_ms);
            let sent = event::envelope(pipeline, meeting, &self.account, kind, at_ms, new.id);
            state.collect_events(&self.account, self.options.event_delivery);
            state.waiting.take(&sent, now_ms);
            sent
        };
        self.deliver_and_wake();
        Ok(sent)
    }

    /// All pipelines in the order of their making, ended ones too: `{"pipelines": [{"pipelineId", "kind", "meetingId", "status",
    /// "createdAt", "endedAt", "chunks" or "captureId"}], "quota"}`.
    #[must_use]
    pub fn pipelines(&self) -> Value {
        let state = self.current_state();
        json!({ "pipelines": state.pipelines.listed(), "quota": state.pipelines.quota })
    }

    /// Limits the pipelines that are active at once in each region; none: AWS's own limit.
    pub fn set_pipeline_quota(&self, quota: Option<usize>) {
        self.current_state().pipelines.quota = quota;
    }

    /// Puts a fault on pipelines that are made after it.
    pub fn add_pipeline_fault(&self, fault: NewPipelineFault) {
        self.current_state().pipelines.arm(fault);
    }

    /// Takes back the faults that have not hit.
    pub fn clear_pipeline_faults(&self) {
        self.current_state().pipelines.faults.clear();
    }
}
