#![doc = include_str!("../README.md")]

pub mod calls;
pub mod chime;
pub mod clock;
pub mod cloud;
pub mod cloudfront;
mod control_api;
pub mod database_secret;
pub mod dynamodb;
pub mod endpoint;
pub mod events;
pub mod faults;
pub mod gateway;
pub mod guide;
pub mod identity;
pub mod invoke;
pub mod lambda;
pub mod listen;
pub mod page;
pub mod pgproxy;
pub mod queues;
mod rate_limit;
pub mod s3;
pub mod schedules;
pub mod secrets;
pub mod seed;
pub mod service;
pub mod tokens;
