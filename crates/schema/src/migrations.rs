//! The migrations: their texts, which of them a database has, and how they are run for the role of its functions.

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use refinery_core::{Migration, Runner};
use tokio_postgres::Client;

use crate::MigrateError;

/// The table of applied migrations.
pub(crate) const HISTORY: &str = "medzen.schema_history";

/// Name and text of each migration, in order.
pub(crate) const MIGRATIONS: [(&str, &str); 1] =
    [("V1__baseline", include_str!("../migrations/V1__baseline.sql"))];

/// The placeholder in migrations for the name of the functions' role.
const ROLE_PLACEHOLDER: &str = "{functions_role}";

/// The text of a migration for this role.
pub(crate) fn for_role(text: &str, role: &str) -> String {
    text.replace(ROLE_PLACEHOLDER, role)
}

/// The migrations, with checksums of the texts that have the placeholder: a copy of a database has another role, and the same
/// schema.
pub(crate) fn list() -> Result<Vec<Migration>, MigrateError> {
    let migrations = MIGRATIONS.iter().map(|(name, text)| Migration::unapplied(name, text));
    Ok(migrations.collect::<Result<Vec<_>, _>>().map_err(Box::new)?)
}

/// Applies the migrations that the database does not have, all in one transaction, and returns their names.
pub(crate) async fn apply(client: &mut Client, role: &str) -> Result<Vec<String>, MigrateError> {
    let mut runner = Runner::new(&list()?).set_grouped(true).set_abort_divergent(true);
    runner.set_migration_table_name(HISTORY);
    let report = runner.run_async(&mut ForRole { client, role }).await.map_err(Box::new)?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// Runs all migrations in a transaction that is rolled back: whatever would stop the first migration stops this.
pub(crate) async fn rehearse(client: &mut Client, role: &str) -> Result<(), MigrateError> {
    let transaction = client.transaction().await?;
    let history = <Client as AsyncMigrate>::assert_migrations_table_query(HISTORY);
    let texts = MIGRATIONS.iter().map(|(_, text)| for_role(text, role));
    for sql in ["CREATE SCHEMA IF NOT EXISTS medzen".to_owned(), history].into_iter().chain(texts) {
        transaction.batch_execute(&sql).await.map_err(MigrateError::Rehearsal)?;
    }
    Ok(transaction.rollback().await?)
}

/// The names of the migrations that the database has.
pub(crate) async fn applied(client: &Client) -> Result<Vec<String>, MigrateError> {
    let exists = "SELECT to_regclass($1) IS NOT NULL";
    if !client.query_one(exists, &[&HISTORY]).await?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let known = list()?;
    let mut names = Vec::new();
    let sql = format!("SELECT version, name, checksum FROM {HISTORY} ORDER BY version");
    for row in client.query(&sql, &[]).await? {
        let name = format!("V{}__{}", row.get::<_, i32>(0), row.get::<_, &str>(1));
        let same = known.iter().find(|migration| migration.to_string() == name);
        let Some(same) = same else { return Err(MigrateError::UnknownMigration(name)) };
        if same.checksum().to_string() != row.get::<_, &str>(2) {
            return Err(MigrateError::OtherText(name));
        }
        names.push(name);
    }
    Ok(names)
}

/// Which rights of the migrations to give.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RightsOf {
    Functions,
    FunctionsAndClients,
}

/// The statements of these migrations that create the functions' role and give rights, in an order in which they can be run on a
/// database that has some of those rights already. A migration writes each such statement at the beginning of a line.
pub(crate) fn rights(migrations: &[String], role: &str, of: RightsOf) -> Vec<String> {
    let texts = MIGRATIONS.iter().filter(|(name, _)| migrations.iter().any(|applied| applied == name));
    let mut statements = Vec::new();
    for (_, text) in texts {
        statements.extend(block(text, "$roles$"));
        for statement in top_level(text, &["GRANT ", "CREATE POLICY "]) {
            let is_ours = statement.contains(ROLE_PLACEHOLDER);
            if !is_ours && of == RightsOf::Functions {
                continue;
            }
            if let Some((name, table)) = policy(&statement) {
                statements.push(format!("DROP POLICY IF EXISTS {name} ON {table};"));
            }
            statements.push(statement);
        }
        if of == RightsOf::FunctionsAndClients {
            statements.extend(block(text, "$own$"));
        }
    }
    statements.iter().map(|statement| for_role(statement, role)).collect()
}

/// The number of policies that these migrations give the functions' role.
pub(crate) fn policies(migrations: &[String], role: &str) -> usize {
    let given = rights(migrations, role, RightsOf::Functions);
    given.iter().filter(|statement| policy(statement).is_some()).count()
}

/// The statements that begin a line with one of these words.
fn top_level(text: &str, words: &[&str]) -> Vec<String> {
    let mut statements = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        if open.is_none() && words.iter().any(|word| line.starts_with(word)) {
            open = Some(String::new());
        }
        if let Some(statement) = &mut open {
            statement.push_str(line);
            statement.push('\n');
            if line.trim_end().ends_with(';') {
                statements.extend(open.take());
            }
        }
    }
    statements
}

/// The DO block whose text is between these tags.
fn block(text: &str, tag: &str) -> Option<String> {
    let start = text.find(&format!("\nDO {tag}\n"))? + 1;
    let rest = text.get(start..)?;
    let end = rest.find(&format!("\n{tag};"))? + tag.len() + 2;
    rest.get(..end).map(str::to_owned)
}

/// Name and table of a policy that the statement creates.
fn policy(statement: &str) -> Option<(&str, &str)> {
    let mut words = statement.strip_prefix("CREATE POLICY ")?.split_whitespace();
    let name = words.next()?;
    (words.next()? == "ON").then(|| words.next())?.map(|table| (name, table))
}

/// A connection on which the placeholder in a statement is the role's name.
struct ForRole<'a> {
    client: &'a mut Client,
    role: &'a str,
}

impl AsyncTransaction for ForRole<'_> {
    type Error = tokio_postgres::Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, Self::Error> {
        let queries: Vec<_> = queries.map(|query| for_role(query, self.role)).collect();
        AsyncTransaction::execute(self.client, queries.iter().map(String::as_str)).await
    }
}

impl AsyncQuery<Vec<Migration>> for ForRole<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, Self::Error> {
        AsyncQuery::query(self.client, query).await
    }
}

impl AsyncMigrate for ForRole<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn each_right_of_the_functions_can_be_given_again() {
        let all: Vec<_> = MIGRATIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let given = rights(&all, "functions", RightsOf::FunctionsAndClients).join("\n");
        let of_role: usize =
            MIGRATIONS.iter().map(|(_, text)| text.matches("TO \"{functions_role}\"").count()).sum();
        assert!(of_role > 30, "{of_role}");
        assert_eq!(given.matches("TO \"functions\"").count(), of_role);
        let of_clients: usize =
            MIGRATIONS.iter().map(|(_, text)| text.matches(" TO authenticated").count()).sum();
        assert_eq!(given.matches(" TO authenticated").count(), of_clients);
        assert_eq!(given.matches("CREATE POLICY").count(), given.matches("DROP POLICY IF EXISTS").count());
        assert!(given.contains("'functions', 'NOLOGIN'"), "the role is created");
    }
}
