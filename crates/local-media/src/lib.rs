#![doc = include_str!("../README.md")]

mod attendee;
mod captions;
mod capture;
mod composer;
mod connection;
mod frame;
mod mix;
pub mod mp4;
mod room;
mod sdp;
mod server;

pub use self::attendee::{Admission, Attendee, AttendeeEvent, Capabilities, Direction, Meetings, Recorder};
pub use self::captions::{
    Caption, CaptionEntity, CaptionItem, CaptionStatus, CaptionStatusKind, CaptionWords,
};
pub use self::capture::{Chunk, MixChunk, Speaker, TapChunk, Timed};
pub use self::composer::{Composer, Layout, pictures_alone};
pub use self::connection::VideoCodec;
pub use self::server::{
    Cut, Link, MAX_WAITING_CHUNKS, MediaPlane, Options, Participant, Refusal, ServerState, SourceCounters,
    StartError,
};
