#![doc = include_str!("../README.md")]

mod error;
mod meetings;
mod raw;

pub use error::Error;
pub use meetings::{Made, Meeting, Meetings, NewMeeting};
