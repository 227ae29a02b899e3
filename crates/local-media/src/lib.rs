#![doc = include_str!("../README.md")]

#[expect(dead_code, reason = "the server that drives connections follows")]
mod connection;
mod sdp;
