#![doc = include_str!("../README.md")]

#[expect(dead_code, reason = "the server that drives connections follows")]
mod connection;
#[cfg_attr(not(test), expect(dead_code, reason = "the server that drives it follows"))]
mod mix;
mod sdp;
