#![doc = include_str!("../README.md")]

#[cfg_attr(not(test), expect(dead_code, reason = "the server that drives it follows"))]
mod capture;
#[expect(dead_code, reason = "the server that drives connections follows")]
mod connection;
#[cfg_attr(not(test), expect(dead_code, reason = "the server that drives it follows"))]
mod mix;
mod sdp;

pub use capture::{Chunk, Timed};
pub use connection::VideoCodec;
