//! The schema and its connections, as migrations, functions and clients use them: over real connections.

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
