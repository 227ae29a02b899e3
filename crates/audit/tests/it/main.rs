//! The function as it is deployed, behind the local cloud's doors.

mod events;
mod deliver;
