#![doc = include_str!("../README.md")]

pub mod event_pattern;
pub mod iam;
pub mod plan;
pub mod template;
