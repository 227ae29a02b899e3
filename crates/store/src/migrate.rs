//! Migrations: numbered, forward only, all or nothing, one run at a time.

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};

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
    /// The database is on another machine, and nobody said how to know it.
    #[error(
        "without the database's certificate authority only a database on this machine is migrated: name the file with it \
         (PEM) in DATABASE_CA"
    )]
    NoAuthority,
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
/// wait for each other. `url` is a direct connection, not a transaction pooler; by TLS with `ca` (PEM), and without it only
/// to this machine.
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
    let mut config: Config = url.parse()?;
    let client = if let Some(ca) = ca {
        let tls = target::tls(ca).map_err(MigrateError::Trust)?;
        config.ssl_mode(SslMode::Require);
        let (client, driver) = config.connect(tls).await?;
        tokio::spawn(driver);
        client
    } else if stays_here(&config) {
        let (client, driver) = config.connect(NoTls).await?;
        tokio::spawn(driver);
        client
    } else {
        return Err(MigrateError::NoAuthority);
    };
    Ok(client)
}

/// Whether nothing that is said to this database leaves the machine.
fn stays_here(config: &Config) -> bool {
    let here = |host: &Host| match host {
        Host::Tcp(name) => target::is_loopback(name),
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(here) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_authority_only_a_database_on_this_machine_is_migrated() {
        let stays = |url: &str| url.parse::<Config>().is_ok_and(|config| stays_here(&config));
        assert!(stays("postgresql://u:p@127.0.0.1:5432/d"));
        assert!(stays("host=/run/postgresql dbname=d"));
        assert!(!stays("postgresql://u:p@db.example.com/d?sslmode=disable"));
        assert!(!stays("postgresql://u:p@localhost,db.example.com/d"));
        assert!(!stays("host=localhost hostaddr=192.0.2.1 dbname=d"));
    }
}
