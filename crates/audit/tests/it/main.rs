//! The function as it is deployed, behind the local cloud's doors.

mod deliver;
mod events;
