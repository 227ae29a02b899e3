//! A database of its own behind a proxy of its own, on the server that all tests of the workspace share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use local::calls::{Call, CallLog};
use local::faults::{Fault, Faults};
use local::identity::Identities;
use local::pgproxy::Proxy;
use local_postgres::Server;
use tokio_postgres::{Client, Config, Error, NoTls};

/// The workspace that these tests belong to.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) database: String,
    pub(crate) identities: Identities,
    pub(crate) calls: CallLog,
    pub(crate) faults: Faults,
    pub(crate) proxy: Proxy,
}

/// A function's connection, and how often it was ordered to be killed.
pub(crate) struct Function {
    pub(crate) client: Client,
    killed: Arc<AtomicU32>,
}

impl Function {
    pub(crate) fn killed(&self) -> u32 {
        self.killed.load(Ordering::SeqCst)
    }
}

/// Runs a test in a fixture of its own, which goes with it however it ends.
pub(crate) async fn with_fixture<Test, Running>(test: Test)
where
    Test: FnOnce(Arc<Fixture>) -> Running,
    Running: Future<Output = ()> + Send + 'static,
{
    let server = Server::ensure(&workspace()).await.expect("a server");
    let database = format!("test_{}", uuid::Uuid::new_v4().simple());
    server.create_database(&database).await.expect("a database");
    let (identities, calls, faults) = (Identities::default(), CallLog::default(), Faults::default());
    let proxy = Proxy::start(server.addr(), identities.clone(), calls.clone(), faults.clone(), 0);
    let proxy = proxy.await.expect("a proxy");
    let fixture = Arc::new(Fixture {
        server: server.clone(),
        database: database.clone(),
        identities,
        calls,
        faults,
        proxy,
    });
    let ended = tokio::spawn(test(fixture)).await;
    server.drop_database(&database).await.expect("the database goes");
    ended.expect("the test passes");
}

impl Fixture {
    /// How to connect through the proxy.
    pub(crate) fn config(&self) -> Config {
        self.config_for(&self.proxy)
    }

    /// How to connect through another proxy.
    pub(crate) fn config_for(&self, proxy: &Proxy) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(proxy.addr().port()).dbname(&self.database);
        config.user(self.server.user()).password(self.server.password());
        config
    }

    /// A function's new environment that connects; its supervisor answers orders to kill.
    pub(crate) async fn try_function(&self, name: &str) -> (Result<Client, Error>, Arc<AtomicU32>) {
        let environment = uuid::Uuid::new_v4().to_string();
        let (_credentials, mut orders) = self.identities.issue(name, &environment);
        let killed = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&killed);
        tokio::spawn(async move {
            while let Some(dead) = orders.recv().await {
                count.fetch_add(1, Ordering::SeqCst);
                dead.send(()).expect("the proxy waits until the function is dead");
            }
        });
        (connect(self.config().application_name(&environment)).await, killed)
    }

    pub(crate) async fn function(&self, name: &str) -> Function {
        let (client, killed) = self.try_function(name).await;
        Function { client: client.expect("connected through the proxy"), killed }
    }

    /// A connection past the proxy.
    pub(crate) async fn direct(&self) -> Client {
        connect(&self.server.url(&self.database).parse().expect("an address"))
            .await
            .expect("connected directly")
    }

    /// A table to see effects in.
    pub(crate) async fn table(&self) -> Client {
        let direct = self.direct().await;
        direct.batch_execute("CREATE TABLE notes (text text)").await.expect("a table");
        direct
    }

    /// Puts a fault in force, as `POST /_local/faults` takes it.
    pub(crate) fn fault(&self, fault: serde_json::Value) {
        self.faults.add(serde_json::from_value::<Fault>(fault).expect("a fault"));
    }

    /// The turns so far: function, operation, status.
    pub(crate) fn turns(&self) -> Vec<(String, String, u16)> {
        let turn = |call: Call| {
            assert_eq!(call.service, "postgres");
            (call.function, call.operation, call.status)
        };
        self.calls.since(0).into_iter().map(turn).collect()
    }
}

/// A turn as [`Fixture::turns`] gives it.
pub(crate) fn turn(function: &str, operation: &str, status: u16) -> (String, String, u16) {
    (function.to_owned(), operation.to_owned(), status)
}

/// The rows of the table.
pub(crate) async fn notes(direct: &Client) -> Vec<String> {
    let rows = direct.query("SELECT text FROM notes ORDER BY text", &[]).await.expect("the notes");
    rows.iter().map(|row| row.get(0)).collect()
}

pub(crate) async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The SQLSTATE of an error that the server, or the proxy in its place, sent.
pub(crate) fn code(error: &Error) -> &str {
    error.code().map_or("none", tokio_postgres::error::SqlState::code)
}
