//! The schema and its connections, as migrations, functions and clients use them: over real connections.

mod access;
mod back_off;
mod connection_string;
mod copies;
mod credentials;
mod database;
mod deployments;
mod earlier_calls;
mod functions_role;
mod grants;
mod host;
mod host_advice;
mod host_contract;
mod interruptions;
mod migrate;
mod migration_files;
mod operations;
mod people;
mod races;
mod reports;
