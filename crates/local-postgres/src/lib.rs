#![doc = include_str!("../README.md")]

pub mod checkout;
pub mod database;
pub mod db_cleanup;
mod server;

pub use server::{Error, Result, Server, Stopped, stop, verifier};
