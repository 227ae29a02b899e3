//! The life of a call, over HTTP, through the real binaries.

mod gate;
mod guide;
mod invited;
mod outbox;
mod permissions;
mod reconcile;
mod refusals;
