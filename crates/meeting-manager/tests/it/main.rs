//! The function as it is deployed, behind the local cloud's doors.

mod bad_input;
mod direct;
mod events;
