#![doc = include_str!("../README.md")]

pub mod attendees;
pub mod call;
pub mod consent;
mod error;
pub mod fields;
pub mod holds;
pub mod invitations;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod quality;
pub mod recordings;
mod timestamp;
pub mod transcripts;

pub use error::{ErrorResponse, GatewayMessage};
pub use timestamp::Timestamp;
