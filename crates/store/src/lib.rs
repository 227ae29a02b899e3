#![doc = include_str!("../README.md")]

pub mod audit;
mod connection;
mod error;
#[cfg(feature = "migrations")]
pub mod migrate;
pub mod participants;
pub mod sessions;
mod target;

pub use connection::{ReadSecret, Store};
pub use error::{Cause, Error};
