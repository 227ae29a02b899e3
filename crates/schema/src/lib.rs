#![doc = include_str!("../README.md")]

use refinery::{Migration, Runner};
use sha2::{Digest as _, Sha256};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};

/// Advisory locks are identified by a number; this is ours.
const LOCK: i64 = 0x6d65_647a_656e;

/// PostgreSQL truncates names at 63 bytes; the prefix is `medzen_functions_`.
const MAX_DATABASE_BYTES: usize = 63 - "medzen_functions_".len();

/// The table of applied migrations.
const HISTORY: &str = "medzen.schema_history";

/// Name and text of each migration, in order.
const MIGRATIONS: [(&str, &str); 1] = [("V1__baseline", include_str!("../migrations/V1__baseline.sql"))];

/// The placeholder in migrations for the name of the functions' role.
const ROLE_PLACEHOLDER: &str = "{functions_role}";

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database's certificate authority cannot be used.
    #[error("the certificate authority {0}")]
    Trust(postgres_tls::Error),
    /// The database is on another machine, and no certificate authority was given.
    #[error(
        "without the database's certificate authority only a database on this machine is migrated: name the file with it \
         (PEM) in DATABASE_CA"
    )]
    NoAuthority,
    /// The connection failed, or the database rejected a statement.
    #[error("the database refused: {}", message(.0))]
    Database(#[from] tokio_postgres::Error),
    /// A migration failed; the whole run was rolled back.
    #[error("{}", migration_message(.0))]
    Migration(#[from] Box<refinery::Error>),
}

fn message(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            db.hint().map_or_else(|| db.message().to_owned(), |hint| format!("{}\n\n{hint}", db.message()))
        }
        None => error.to_string(),
    }
}

fn migration_message(error: &refinery::Error) -> String {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(at) = source {
        if let Some(database) = at.downcast_ref::<tokio_postgres::Error>() {
            return format!("the migration stopped: {}", message(database));
        }
        source = at.source();
    }
    format!("the migration stopped: {error}")
}

/// Migrates a database to the newest schema and returns what was applied; nothing when it was up to date. Concurrent
/// runs wait for each other. `url` is a direct connection, not a transaction pooler; with TLS if `ca` (PEM) is given,
/// and without it only to this machine.
///
/// # Errors
/// When the database cannot be reached, or a migration fails; then the whole run is rolled back.
pub async fn run(url: &str, ca: Option<&str>) -> Result<Applied, MigrateError> {
    let guard = connect(url, ca).await?;
    let mut client = connect(url, ca).await?;
    // Held by a transaction of another connection, because refinery commits on its own. It ends with that connection.
    guard.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).await?;
    client.batch_execute("CREATE SCHEMA IF NOT EXISTS medzen").await?;
    let database: String = client.query_one("SELECT current_database()::text", &[]).await?.get(0);
    let functions_role = functions_role(&database);
    let migrations = MIGRATIONS
        .iter()
        .map(|(name, text)| Migration::unapplied(name, &text.replace(ROLE_PLACEHOLDER, &functions_role)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Box::new)?;
    let mut runner = Runner::new(&migrations).set_grouped(true).set_abort_divergent(true);
    runner.set_migration_table_name(HISTORY);
    let report = runner.run_async(&mut client).await.map_err(Box::new)?;
    let migrations = report.applied_migrations().iter().map(ToString::to_string).collect();
    Ok(Applied { migrations, functions_role })
}

/// The role that the functions' login is a member of. Roles belong to the cluster and a deployment is a database, so
/// the role's name contains the database's: two deployments in one cluster share nothing. A name that PostgreSQL
/// would truncate at 63 bytes ends with a hash of the whole.
#[must_use]
pub fn functions_role(database: &str) -> String {
    let plain: String =
        database.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain == database && database.len() <= MAX_DATABASE_BYTES {
        return format!("medzen_functions_{database}");
    }
    let mut hash = format!("{:x}", Sha256::digest(database.as_bytes()));
    hash.truncate(8);
    let kept: String = plain.chars().take(MAX_DATABASE_BYTES - 9).collect();
    format!("medzen_functions_{kept}_{hash}")
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The migrations; none when the schema was up to date.
    pub migrations: Vec<String>,
    /// The role that the functions' login must be a member of.
    pub functions_role: String,
}

async fn connect(url: &str, ca: Option<&str>) -> Result<Client, MigrateError> {
    let mut config: Config = url.parse()?;
    let client = if let Some(ca) = ca {
        let tls = postgres_tls::connector(ca).map_err(MigrateError::Trust)?;
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

/// Whether the traffic to this database stays on this machine.
fn stays_here(config: &Config) -> bool {
    let here = |host: &Host| match host {
        Host::Tcp(name) => postgres_tls::is_loopback(name),
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(here) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_has_a_role_of_its_own_within_63_bytes() {
        assert_eq!(functions_role("clinic"), "medzen_functions_clinic");
        let names =
            ["a-b", "a_b", &"x".repeat(63), &"x".repeat(62), "ä", "\"; DROP ROLE x; --"].map(functions_role);
        for name in &names {
            assert!(
                name.len() <= 63 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{name}"
            );
        }
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn every_file_is_a_migration_in_its_order() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> = std::fs::read_dir(directory)
            .expect("the folder is in the repository")
            .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let listed: Vec<String> = MIGRATIONS.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(listed, files);
    }

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
