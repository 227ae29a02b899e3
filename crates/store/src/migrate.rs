//! Migrations: numbered, forward only, all or nothing, one run at a time.

use tokio_postgres::{Client, NoTls};

use crate::target;

/// Advisory locks are numbered; this is ours.
const LOCK: i64 = 0x6d65_647a_656e;

/// The table that remembers what was applied.
const HISTORY: &str = "medzen.schema_history";

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database's certificate authority cannot be used.
    #[error("{0}")]
    Trust(crate::Error),
    /// No connection, or the database refused.
    #[error("the database refused: {}", told(.0))]
    Database(#[from] tokio_postgres::Error),
    /// A migration did not go through; nothing of this run was kept.
    #[error("{}", told_by_migration(.0))]
    Migration(#[from] Box<refinery::Error>),
}

fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            db.hint().map_or_else(|| db.message().to_owned(), |hint| format!("{}\n\n{hint}", db.message()))
        }
        None => error.to_string(),
    }
}

fn told_by_migration(error: &refinery::Error) -> String {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(at) = source {
        if let Some(database) = at.downcast_ref::<tokio_postgres::Error>() {
            return format!("the migration stopped: {}", told(database));
        }
        source = at.source();
    }
    format!("the migration stopped: {error}")
}

/// Brings a database to the newest schema and answers what it applied; nothing when it was up to date. Two at once
/// wait for each other. `url` is a direct connection, not a transaction pooler; with `ca` (PEM) it must be TLS.
///
/// # Errors
/// When the database cannot be reached, or a migration stops; then nothing of this run is kept.
pub async fn run(url: &str, ca: Option<&str>) -> Result<Vec<String>, MigrateError> {
    let guard = connect(url, ca).await?;
    let mut client = connect(url, ca).await?;
    // Held by a transaction of its own connection, because refinery commits on the other. It ends with the connection.
    guard.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).await?;
    client.batch_execute("CREATE SCHEMA IF NOT EXISTS medzen").await?;
    let mut runner = embedded::migrations::runner().set_grouped(true).set_abort_divergent(true);
    runner.set_migration_table_name(HISTORY);
    let report = runner.run_async(&mut client).await.map_err(Box::new)?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

async fn connect(url: &str, ca: Option<&str>) -> Result<Client, MigrateError> {
    let client = if let Some(ca) = ca {
        let tls = target::tls(ca).map_err(MigrateError::Trust)?;
        let (client, driver) = tokio_postgres::connect(url, tls).await?;
        tokio::spawn(driver);
        client
    } else {
        let (client, driver) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(driver);
        client
    };
    Ok(client)
}
