#![doc = include_str!("../README.md")]

mod config;
mod deliver;
mod table;

use domain::Error;
use domain::audit::Origin;
use runtime::metrics::{self, Metric};
use runtime::{Function, secret_reader};
use store::Store;

pub use config::Config;

use crate::table::Table;

/// The handlers of the function's triggers.
pub const FUNCTION: Function<App> =
    Function { on_schedule: Some(|app, origin| Box::pin(deliver(app, origin))), ..Function::EMPTY };

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
        let base = &config.base;
        let store = Store::connect(secret_reader(&sdk, &base.database_secret_arn), &base.environment).await;
        Ok(Self { store, table: Table::new(&sdk, config) })
    }
}

async fn deliver(app: &App, origin: &Origin) -> Result<(), Error> {
    let delivered = deliver::deliver(&app.store, &app.table, origin.now).await?;
    metrics::emit(&[
        (Metric::AuditConflicts, delivered.status.conflicts),
        (Metric::AuditBacklog, delivered.status.backlog),
    ]);
    delivered.failure.map_or(Ok(()), Err)
}
