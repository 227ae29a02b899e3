//! A database for one test on the server that all tests share, with its own roles.

use std::sync::{Arc, Mutex, PoisonError};

use local_postgres::Server;
use local_testing::{TestResult, workspace};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// The API roles, schemas and default privileges of Supabase.
pub(crate) fn supabase(owner: &str) -> String {
    include_str!("supabase.sql").replace("{owner}", owner)
}

/// The server's superuser.
pub(crate) const SUPERUSER: &str = "postgres";

pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) name: String,
    roles: Mutex<Vec<String>>,
}

/// Runs a test with an empty database, which is dropped however the test ends.
pub(crate) async fn in_a_database<Test, Running>(test: Test) -> TestResult
where
    Test: FnOnce(Arc<Database>) -> Running,
    Running: Future<Output = TestResult> + Send + 'static,
{
    let server = Server::ensure(&workspace()).await?;
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    server.create_database(&name).await?;
    let database = Arc::new(Database { server, name, roles: Mutex::default() });
    let ended = tokio::spawn(test(Arc::clone(&database))).await;
    database.server.drop_database(&database.name).await?;
    let roles = std::mem::take(&mut *database.roles.lock().unwrap_or_else(PoisonError::into_inner));
    let admin = connect(&database.server.admin_url()).await?;
    let functions = schema::functions_role(&database.name);
    for role in roles.into_iter().chain([functions]) {
        admin.batch_execute(&format!("DROP ROLE IF EXISTS {role}")).await?;
    }
    ended?
}

impl Database {
    /// The role that the migration of this database creates for the functions.
    pub(crate) fn functions_role(&self) -> String {
        schema::functions_role(&self.name)
    }

    /// The database's URL for the superuser.
    pub(crate) fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// A connection as superuser.
    pub(crate) async fn superuser(&self) -> TestResult<Client> {
        connect(&self.url()).await
    }

    /// Creates a login with these attributes and returns its name and its URL of the database.
    pub(crate) async fn login(&self, what: &str, attributes: &str) -> TestResult<(String, String)> {
        let name = format!("{}_{what}", self.name);
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        let verifier = local_postgres::verifier("let me in");
        let create = format!("CREATE ROLE {name} LOGIN PASSWORD '{verifier}' {attributes}");
        self.superuser().await?.batch_execute(&create).await?;
        let url = format!("postgres://{name}:let%20me%20in@{}/{}", self.server.addr(), self.name);
        Ok((name, url))
    }
}

pub(crate) async fn connect(url: &str) -> TestResult<Client> {
    let (client, connection) = url.parse::<Config>()?.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The first column of a query's rows; the SQLSTATE where it is rejected.
pub(crate) async fn column(client: &Client, sql: &str) -> Result<Vec<String>, String> {
    let messages = client.simple_query(sql).await.map_err(|error| match error.code() {
        Some(code) => code.code().to_owned(),
        None => error.to_string(),
    })?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
            _ => None,
        })
        .collect())
}
