#![doc = include_str!("../README.md")]

pub mod calls;
pub mod clock;
pub mod faults;
pub mod iam;
pub mod gateway;
pub mod identity;
pub mod invoke;
pub mod lambda;
pub mod listen;
pub mod plan;
pub mod template;
pub mod schedules;
pub mod tokens;
