//! The function as deployed, behind the local cloud's endpoints.

mod bad_input;
mod events;
mod routes;
