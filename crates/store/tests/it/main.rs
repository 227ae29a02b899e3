//! The schema and the way to it, as those meet it who migrate, connect and read: over real connections.

mod access;
mod credentials;
mod database;
mod functions_role;
mod grants;
mod host;
mod migrate;
mod operations;
mod people;
mod races;
mod reports;
