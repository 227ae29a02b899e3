#![doc = include_str!("../README.md")]

pub mod admissions;
pub mod audit;
mod connection;
pub mod consents;
pub mod debts;
mod error;
pub mod events;
pub mod invitations;
#[cfg(feature = "migrations")]
pub mod migrate;
pub mod notices;
pub mod orphans;
pub mod participants;
mod prune;
pub mod quality;
pub mod reconcile;
pub mod refusals;
pub mod sessions;
mod target;
mod view;

pub use connection::{ReadSecret, Store};
pub use error::{Cause, Error};
pub use view::NewSession;
