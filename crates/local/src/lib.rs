#![doc = include_str!("../README.md")]

pub mod calls;
pub mod chime;
pub mod clock;
pub mod cloud;
pub mod database;
mod door;
pub mod dynamodb;
pub mod faults;
pub mod front;
pub mod gateway;
pub mod guide;
pub mod iam;
pub mod identity;
pub mod invoke;
pub mod lambda;
pub mod listen;
pub mod pgproxy;
pub mod plan;
pub mod postgres;
pub mod s3;
pub mod schedules;
pub mod secrets;
pub mod template;
pub mod testing;
pub mod tokens;
pub mod world;
