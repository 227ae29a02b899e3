//! The life of a call, over HTTP, through the real binaries.

mod access;
mod asks;
mod capabilities;
mod chaos;
mod consent;
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
mod quality;
mod reconcile;
mod refusals;
mod rejoin;
mod removal;
mod start;
mod trips;
mod waiting;
