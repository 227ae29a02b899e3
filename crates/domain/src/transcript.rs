//! The transcript of a call.

pub mod budget;
pub mod live;
pub mod settings;
