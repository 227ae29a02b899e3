#![doc = include_str!("../README.md")]

pub mod audit;
pub mod call;
pub mod end;
pub mod error;
pub mod id;
pub mod join;
pub mod leave;
pub mod liveness;
pub mod secret;
pub mod stamp;
pub mod start;
pub mod state;

pub use error::Error;
pub use secret::Secret;
