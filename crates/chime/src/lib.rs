#![doc = include_str!("../README.md")]

mod error;
pub mod event;
mod meetings;
mod pipelines;
mod raw;
mod transcription;

pub use error::Error;
pub use meetings::{Made, Meeting, Meetings, NewMeeting};
pub use pipelines::{Created, NewCapture, NewConcatenation, Pipeline, PipelineStatus, Pipelines};
