#![doc = include_str!("../README.md")]

pub mod calls;
pub mod clock;
pub mod faults;
pub mod iam;
pub mod identity;
pub mod plan;
pub mod template;
