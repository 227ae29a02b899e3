#![doc = include_str!("../README.md")]

pub mod calls;
pub mod chime;
pub mod clock;
pub mod dynamodb;
pub mod faults;
pub mod front;
pub mod identity;
pub mod plan;
pub mod secrets;
