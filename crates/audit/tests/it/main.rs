//! The function as deployed, behind the local cloud's endpoints.

mod deliver;
mod events;
mod hold;
mod routes;
