//! The function as deployed, behind the local cloud's endpoints.

mod events;
mod routes;
