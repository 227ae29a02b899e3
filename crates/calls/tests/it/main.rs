//! The life of a call, over HTTP, through the real binaries.

mod access;
mod bus;
mod chaos;
mod events;
mod gate;
mod guide;
mod invariants;
mod invited;
mod kill;
mod logs;
mod notices;
mod orphans;
mod outage;
mod outbox;
mod permissions;
mod reconcile;
mod refusals;
mod rejoin;
mod start;
mod told;
mod trips;
