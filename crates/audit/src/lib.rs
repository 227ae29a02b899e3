#![doc = include_str!("../README.md")]

mod config;
mod deliver;
mod table;

use std::sync::Arc;

use domain::Error;
use domain::error::reason;
use runtime::metrics::{self, Metric};
use runtime::{Answer, Trigger, secret_reader};
use store::Store;

pub use config::Config;

use crate::table::Table;

/// The function's backends.
#[derive(Debug)]
pub struct App {
    store: Store,
    table: Table,
}

impl App {
    /// Builds the clients and tries the connections. A backend that is down is no reason to fail.
    ///
    /// # Errors
    /// When the configuration is incomplete.
    pub async fn connect(config: &Config) -> Result<Self, runtime::Error> {
        let sdk = runtime::sdk_config()?;
        let store =
            Store::connect(secret_reader(&sdk, &config.database_secret_arn), &config.environment).await;
        Ok(Self { store, table: Table::new(&sdk, config) })
    }
}

/// Routes a trigger to its use case.
///
/// # Errors
/// As the use case says; 404 for a route that is not this function's.
pub async fn handle(app: Arc<App>, trigger: Trigger) -> Result<Answer, Error> {
    match trigger {
        Trigger::Schedule(origin) => {
            let delivered = deliver::deliver(&app.store, &app.table, origin.now).await?;
            metrics::emit(&[
                (Metric::AuditConflicts, delivered.status.conflicts),
                (Metric::AuditBacklog, delivered.status.backlog),
            ]);
            delivered.failure.map_or_else(|| Ok(Answer::done()), Err)
        }
        Trigger::Request(_) | Trigger::Messages(_) => Err(Error::NotFound(reason::ROUTE_NOT_FOUND)),
    }
}
