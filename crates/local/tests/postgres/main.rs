//! The local cloud's `PostgreSQL` and the functions' way to it, tried with a real server and a real client.

mod faults;
mod fixture;
mod pooler;
mod server;
mod tls;
mod turns;
