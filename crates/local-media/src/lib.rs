#![doc = include_str!("../README.md")]

mod attendee;
mod captions;
#[cfg_attr(not(test), expect(dead_code, reason = "the server does not offer it yet"))]
mod capture;
#[expect(dead_code, reason = "the capture tap uses the rest")]
mod connection;
mod frame;
#[cfg_attr(not(test), expect(dead_code, reason = "the capture tap uses the rest"))]
mod mix;
mod room;
mod sdp;
mod server;

pub use self::attendee::{Admission, Attendee, AttendeeEvent, Capabilities, Direction, Meetings};
pub use self::captions::{Caption, CaptionStep};
pub use self::capture::{Chunk, Timed};
pub use self::connection::VideoCodec;
pub use self::server::{Cut, Link, MediaPlane, Options, Participant, Refusal, StartError};
