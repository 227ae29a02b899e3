//! The life of a call, over HTTP, through the real binaries.

mod access;
mod guide;
mod invariants;
mod kill;
mod outage;
mod rejoin;
mod start;
mod trips;
