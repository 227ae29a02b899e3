#![doc = include_str!("../README.md")]

pub mod calls;
pub mod clock;
pub mod faults;
pub mod identity;
pub mod pgproxy;
pub mod plan;
pub mod postgres;
