#![doc = include_str!("../README.md")]

pub mod admissions;
pub mod audit;
mod backoff;
pub mod captures;
mod connection;
pub mod consents;
pub mod denials;
pub mod entities;
mod error;
pub mod events;
pub mod expiry;
pub mod holds;
pub mod invitations;
pub mod jobs;
pub mod memberships;
pub mod operations;
pub mod participants;
mod prune;
pub mod quality;
pub mod reading;
pub mod reconcile;
pub mod recordings;
pub mod searches;
pub mod sessions;
mod statement;
mod target;
pub mod texts;
pub mod transcript_search;
pub mod transcripts;
mod view;

pub use connection::{ReadSecret, Store};
pub use error::{Cause, Error};
pub use view::{NewSession, Token};
