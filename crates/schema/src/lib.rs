#![doc = include_str!("../README.md")]

mod database;
mod deployment;
mod earlier;
pub mod files;
mod host;
mod migrations;
mod rights;

use std::path::PathBuf;

use tokio_postgres::Client;

pub use database::Database;
pub use deployment::functions_role;
pub use earlier::{Imported, ParticipantsLeftOut};
pub use host::HostViews;

use host::Stage;
use migrations::MIGRATIONS;

/// Advisory locks are identified by a number; this is ours.
const LOCK: i64 = 0x6d65_647a_656e;

/// Why the schema is not up to date. No message has a password in it.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// `DATABASE_URL` cannot be used.
    #[error("DATABASE_URL: {0}")]
    Url(String),
    /// The database's certificate authority cannot be used.
    #[error("DATABASE_CA {0}")]
    Trust(postgres_tls::Error),
    /// The database is on another machine, and no certificate authority was given.
    #[error(
        "without the database's certificate authority only a database on this machine is migrated: name the file with it \
         (PEM) in DATABASE_CA"
    )]
    NoAuthority,
    /// The connection failed.
    #[error("{0}")]
    Connect(String),
    /// The database rejected a statement.
    #[error("the database refused: {}", message(.0))]
    Database(#[from] tokio_postgres::Error),
    /// A migration failed; the whole run was rolled back.
    #[error("{}", migration_message(.0))]
    Migration(#[from] Box<refinery_core::Error>),
    /// The first migration was run in a transaction that is rolled back, and failed.
    #[error("the migration would stop: {}", message(.0))]
    Rehearsal(#[source] tokio_postgres::Error),
    /// The database has a migration with another text.
    #[error(
        "this database has another text of {0} than this version of the repository: use the version that migrated it, or a new database"
    )]
    OtherText(String),
    /// The database has a migration that this version does not know.
    #[error(
        "this database has the migration {0}, which this version of the repository does not have: use a newer one"
    )]
    UnknownMigration(String),
    /// The functions' role is missing, lacks rights, or is not the one that has them.
    #[error("{0}: `make migrate` corrects it")]
    Rights(String),
    /// Tables of an earlier system have the names of ours.
    #[error(
        "this database has calls of an earlier system. Move them, as their owner, and migrate again; then \
         `make import-calls` reads the ended calls from there:\n\n{0}"
    )]
    EarlierTables(String),
    /// The host's views are not as the functions need them.
    #[error("the host's views must be changed:\n{}", list(.0))]
    HostViews(Vec<String>),
    /// There are no earlier tables to import.
    #[error("there is no table earlier.video_call_sessions to import calls from")]
    NothingToImport,
    /// The folder for migration files cannot be used.
    #[error("{}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    /// A migration file has another text than the migration.
    #[error("{} has another text than this version of it: if no database has it yet, delete the file and write it again", .0.display())]
    OtherFile(PathBuf),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("- {problem}")).collect::<Vec<_>>().join("\n")
}

fn message(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            db.hint().map_or_else(|| db.message().to_owned(), |hint| format!("{}\n\n{hint}", db.message()))
        }
        None => error.to_string(),
    }
}

fn migration_message(error: &refinery_core::Error) -> String {
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
/// runs wait for each other. `url` is a direct connection or a session pooler, not a transaction pooler; with TLS if `ca`
/// (PEM) is given, and without it only to this machine.
///
/// # Errors
/// When the database cannot be reached, a migration fails, which rolls the whole run back, or the host's views are not as the
/// functions need them.
pub async fn run(url: &str, ca: Option<&str>) -> Result<Applied, MigrateError> {
    migrate(&Database::parse(url, None, ca)?).await
}

/// As [`run`].
///
/// # Errors
/// As [`run`].
pub async fn migrate(database: &Database) -> Result<Applied, MigrateError> {
    let guard = database.connect().await?;
    let mut client = database.connect().await?;
    // Held by a transaction of another connection, because refinery commits on its own. It ends with that connection.
    guard.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).await?;
    client.batch_execute("CREATE SCHEMA IF NOT EXISTS medzen").await?;
    let functions_role = functions_role(&name_of(&client).await?);
    let applied = migrations::applied(&client).await?;
    let mut notes = if applied.is_empty() {
        before_the_first_migration(&mut client, &functions_role).await?;
        Vec::new()
    } else {
        rights::correct(&mut client, &functions_role, &applied).await?
    };
    let migrations = migrations::apply(&mut client, &functions_role).await?;
    notes.extend(deployment::restore_rights(&mut client, &functions_role).await?);
    notes.extend(earlier::published(&client).await?);
    let views = host::check(&mut client, &functions_role, Stage::AfterMigration).await?;
    if !views.problems.is_empty() {
        return Err(MigrateError::HostViews(views.problems));
    }
    notes.extend(views.warnings);
    Ok(Applied { migrations, functions_role, notes })
}

/// A problem that must be corrected before the first migration is an error; notes for the operator are returned.
async fn before_the_first_migration(
    client: &mut Client,
    functions_role: &str,
) -> Result<Vec<String>, MigrateError> {
    if let Some(statements) = earlier::in_the_way(client).await? {
        return Err(MigrateError::EarlierTables(statements));
    }
    let views = host::check(client, functions_role, Stage::BeforeMigration).await?;
    if views.problems.is_empty() { Ok(views.warnings) } else { Err(MigrateError::HostViews(views.problems)) }
}

/// Checks what a migration would find, and changes nothing.
///
/// # Errors
/// When the database cannot be reached, or with what must be changed first.
pub async fn check(database: &Database) -> Result<Checked, MigrateError> {
    let mut client = database.connect().await?;
    let functions_role = functions_role(&name_of(&client).await?);
    let applied = migrations::applied(&client).await?;
    let mut warnings = if applied.is_empty() {
        let warnings = before_the_first_migration(&mut client, &functions_role).await?;
        migrations::rehearse(&mut client, &functions_role).await?;
        warnings
    } else {
        if let Some(problem) = rights::problem(&client, &functions_role, &applied).await? {
            return Err(MigrateError::Rights(problem));
        }
        let views = host::check(&mut client, &functions_role, Stage::AfterMigration).await?;
        if !views.problems.is_empty() {
            return Err(MigrateError::HostViews(views.problems));
        }
        views.warnings
    };
    warnings.extend(earlier::published(&client).await?);
    let pending =
        MIGRATIONS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| !applied.contains(name));
    Ok(Checked { pending: pending.collect(), functions_role, warnings })
}

/// Reads the ended calls of an earlier system, whose tables are in the schema `earlier`.
///
/// # Errors
/// When the database cannot be reached, or has no such tables.
pub async fn import_calls(database: &Database) -> Result<Imported, MigrateError> {
    earlier::import(&mut database.connect().await?).await
}

async fn name_of(client: &Client) -> Result<String, MigrateError> {
    Ok(client.query_one("SELECT current_database()::text", &[]).await?.get(0))
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The migrations; none when the schema was up to date.
    pub migrations: Vec<String>,
    /// The role that the functions' login must be a member of.
    pub functions_role: String,
    /// Facts that the operator should know.
    pub notes: Vec<String>,
}

/// The result of a check that found nothing to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Migrations that the database does not have.
    pub pending: Vec<String>,
    /// The role that the functions' login must be a member of.
    pub functions_role: String,
    /// With these, some calls fail, or the operator should know of them.
    pub warnings: Vec<String>,
}
