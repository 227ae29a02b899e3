#![doc = include_str!("../README.md")]

pub mod admission;
pub mod audit;
pub mod call;
pub mod capabilities;
pub mod consent;
pub mod end;
pub mod error;
pub mod expiry;
pub mod id;
pub mod invite;
pub mod join;
pub mod leave;
pub mod link;
pub mod liveness;
pub mod operation;
pub mod outbound;
pub mod presence;
pub mod quality;
pub mod reconcile;
pub mod secret;
pub mod stamp;
pub mod start;
pub mod state;

pub use error::Error;
pub use secret::Secret;
