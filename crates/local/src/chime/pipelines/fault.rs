//! Faults of pipelines on demand, as `POST /_local/chime/pipelines/faults` takes them. Each is for pipelines that are made after it.

use serde::Deserialize;

use super::pipeline::{Kind, Pipelines};
use super::pipeline::{Pipeline, START, Step, milliseconds};

/// A fault of the next pipeline of its kind.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPipelineFault {
    pub kind: PipelineFault,
    /// Of failures: after so many seconds in progress.
    #[serde(default)]
    pub after_seconds: u32,
    /// Of a temporary failure: it lasts so many seconds. Without it only the control API ends it.
    pub for_seconds: Option<u32>,
    /// Of how many pipelines; 1 when absent.
    #[serde(default = "one")]
    pub times: u32,
}

const fn one() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PipelineFault {
    /// A capture stays Initializing.
    NeverStarts,
    FailsPermanently,
    /// A capture is Paused for a time, and captures nothing in it.
    FailsTemporarily,
    /// A capture stays Stopping after it has captured its last.
    HangsInStopping,
    /// A concatenation joins the first half of the chunks.
    OutputTruncated,
    LastChunkMissing,
    /// The sound of the file is 3 s longer than its pictures.
    TracksApart,
    /// A concatenation stays in progress.
    OutputNever,
    OutputFails,
}

/// The fault in the file of a concatenation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputFault {
    Truncated,
    LastChunkMissing,
    TracksApart,
    Never,
    Fails,
}

impl PipelineFault {
    const fn of_output(self) -> Option<OutputFault> {
        match self {
            Self::NeverStarts | Self::FailsPermanently | Self::FailsTemporarily | Self::HangsInStopping => {
                None
            }
            Self::OutputTruncated => Some(OutputFault::Truncated),
            Self::LastChunkMissing => Some(OutputFault::LastChunkMissing),
            Self::TracksApart => Some(OutputFault::TracksApart),
            Self::OutputNever => Some(OutputFault::Never),
            Self::OutputFails => Some(OutputFault::Fails),
        }
    }
}

#[derive(Debug)]
pub(super) struct Armed {
    fault: NewPipelineFault,
    left: u32,
}

impl Pipelines {
    pub(super) fn arm(&mut self, fault: NewPipelineFault) {
        self.faults.push(Armed { fault, left: fault.times });
    }

    /// Adds a new pipeline with the first fault that is for its kind.
    pub(super) fn add(&mut self, mut pipeline: Pipeline) -> &Pipeline {
        let is_capture = pipeline.capture().is_some();
        let mut armed = self.faults.iter_mut();
        let fault =
            armed.find(|armed| armed.left > 0 && armed.fault.kind.of_output().is_none() == is_capture);
        if let Some(armed) = fault {
            armed.left -= 1;
            apply(armed.fault, &mut pipeline);
        }
        self.faults.retain(|armed| armed.left > 0);
        self.all.push(pipeline);
        &self.all[self.all.len() - 1]
    }
}

fn apply(fault: NewPipelineFault, pipeline: &mut Pipeline) {
    let from_ms = pipeline.created_ms + milliseconds(START) + i64::from(fault.after_seconds) * 1000;
    match fault.kind {
        PipelineFault::NeverStarts => pipeline.steps.clear(),
        PipelineFault::FailsPermanently => pipeline.plan(from_ms, Step::Fail),
        PipelineFault::FailsTemporarily => {
            pipeline.plan(from_ms, Step::Pause);
            if let Some(seconds) = fault.for_seconds {
                pipeline.plan(from_ms + i64::from(seconds) * 1000, Step::Resume);
            }
        }
        PipelineFault::HangsInStopping => {
            if let Kind::Capture(capture) = &mut pipeline.kind {
                capture.hangs = true;
            }
        }
        PipelineFault::OutputTruncated
        | PipelineFault::LastChunkMissing
        | PipelineFault::TracksApart
        | PipelineFault::OutputNever
        | PipelineFault::OutputFails => {
            if let Kind::Concatenation(concatenation) = &mut pipeline.kind {
                concatenation.fault = fault.kind.of_output();
            }
        }
    }
}
