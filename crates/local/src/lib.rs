#![doc = include_str!("../README.md")]

pub mod calls;
pub mod chime;
pub mod clock;
pub mod cloud;
pub mod cloudfront;
pub mod database_secret;
mod door;
pub mod dynamodb;
pub mod events;
pub mod faults;
pub mod front;
pub mod gateway;
pub mod guide;
pub mod identity;
pub mod invoke;
pub mod lambda;
pub mod listen;
pub mod page;
pub mod pgproxy;
pub mod queues;
pub mod s3;
pub mod schedules;
pub mod secrets;
pub mod tokens;
pub mod world;
