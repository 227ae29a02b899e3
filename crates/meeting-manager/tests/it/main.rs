//! The function as deployed, behind the local cloud's endpoints.

mod bad_input;
mod direct;
mod events;
mod routes;
