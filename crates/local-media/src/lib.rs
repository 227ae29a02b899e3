#![doc = include_str!("../README.md")]

#[cfg_attr(not(test), expect(dead_code, reason = "the server that drives it comes next"))]
mod mix;
