#![doc = include_str!("../README.md")]

mod error;
pub mod event;
mod meetings;
mod raw;

pub use error::Error;
pub use meetings::{Made, Meeting, Meetings, NewMeeting};
