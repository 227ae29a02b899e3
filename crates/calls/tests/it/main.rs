//! The life of a call, over HTTP, through the real binaries.

mod access;
mod chaos;
mod guide;
mod invariants;
mod kill;
mod logs;
mod outage;
mod permissions;
mod rejoin;
mod start;
mod trips;
