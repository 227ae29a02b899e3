//! The one connection of an environment: opened during init, checked after a pause, reopened when it broke.

use domain::error::causes;
use domain::schedule::CancelledStatuses;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use postgres_tls::explain;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

use crate::backoff::BackOff;
use crate::statement::{Statement, sql};
use crate::target::Target;
use crate::{Cause, Error};

/// Time for a request to the database, connecting included: with it a caller gets an error within 3 s when the
/// database is down.
const REQUEST_DEADLINE: Duration = Duration::from_millis(2500);

/// Time for connecting during init: an environment starts without its database too, and connects on first use.
const INIT_DEADLINE: Duration = Duration::from_secs(1);

/// After a pause this long (a thawed environment) a connection may be dead without an error.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(30);

/// Time for checking a connection.
const CHECK_DEADLINE: Duration = Duration::from_millis(500);

/// Reads the secret with the credentials: once at init, and again when the database rejects them, with growing waits.
pub type ReadSecret =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, domain::Error>> + Send>> + Send + Sync>;

struct Connection {
    client: Client,
    used: SystemTime,
}

/// The secret as it was read last, and when the next login may be tried.
#[derive(Default)]
struct Login {
    target: Option<Arc<Target>>,
    back_off: BackOff,
}

/// The database. One per environment.
pub struct Store {
    read_secret: ReadSecret,
    application_name: String,
    cancelled_statuses: Vec<String>,
    login: Mutex<Login>,
    connection: Mutex<Option<Connection>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("application_name", &self.application_name).finish_non_exhaustive()
    }
}

/// A parameter with its type, so that a statement needs no look-up of types and no named statement.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

impl Store {
    /// Builds the store and tries to connect for 1 s. A database that is down is not an error here.
    pub async fn connect(read_secret: ReadSecret, application_name: &str) -> Self {
        let store = Self {
            read_secret,
            application_name: application_name.to_owned(),
            cancelled_statuses: Vec::new(),
            login: Mutex::default(),
            connection: Mutex::new(None),
        };
        match timeout(INIT_DEADLINE, store.open()).await {
            Ok(Ok(connection)) => *store.connection.lock().await = Some(connection),
            Ok(Err(error)) => tracing::warn!(error = causes(&error), "database not reachable at init"),
            Err(_) => tracing::warn!("database did not answer at init"),
        }
        store
    }

    /// The same, with the host's appointment statuses that mean "cancelled".
    #[must_use]
    pub fn with_cancelled_statuses(mut self, statuses: &CancelledStatuses) -> Self {
        self.cancelled_statuses = statuses.in_lower_case();
        self
    }

    pub(crate) fn cancelled_statuses(&self) -> &[String] {
        &self.cancelled_statuses
    }

    /// Whether the database answers and the host's views can be read with the columns and types that calls need. One round
    /// trip.
    ///
    /// # Errors
    /// When it does not, or they cannot.
    pub async fn check_host_views(&self) -> Result<(), Error> {
        let _answer: Option<bool> = self.ask(sql!("check_host_views"), &[]).await?;
        Ok(())
    }

    /// Sends a statement that returns at most one row with one text column, JSON. It is sent a second time when the
    /// connection breaks, so it must be safe to repeat.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        sql: Statement,
        params: &[Param<'_>],
    ) -> Result<Option<T>, Error> {
        let statement = sql.name;
        let text = timeout(REQUEST_DEADLINE, self.send(sql, params)).await.map_err(|_| Error::Deadline)??;
        text.map(|text| serde_json::from_str(&text).map_err(|source| Error::Answer { statement, source }))
            .transpose()
    }

    async fn send(&self, sql: Statement, params: &[Param<'_>]) -> Result<Option<String>, Error> {
        // Taken out while in use: a cancelled request leaves no half-read connection behind.
        let mut held = self.connection.lock().await;
        let mut fresh = false;
        loop {
            let mut connection = match held.take() {
                Some(connection) if is_alive(&connection).await => connection,
                _ => {
                    fresh = true;
                    self.open().await?
                }
            };
            let error = match connection.client.query_typed_opt(sql.text, params).await {
                Ok(row) => {
                    connection.used = SystemTime::now();
                    *held = Some(connection);
                    let text = row.map(|row| row.try_get::<_, Option<String>>(0)).transpose();
                    return text.map(Option::flatten).map_err(|error| Error::Statement {
                        statement: sql.name,
                        source: Cause::from(&error),
                    });
                }
                Err(error) => error,
            };
            let broken = connection.client.is_closed() || error.is_closed();
            let source = Cause::from(&error);
            if !broken {
                *held = Some(connection);
            }
            // The connection broke or the server is shutting down: try once more, on a new connection.
            if !fresh && (broken || source.is_transient() && !source.timed_out()) {
                tracing::warn!(statement = sql.name, cause = %source, "database connection broke, reconnecting");
                *held = None;
                continue;
            }
            return Err(if broken {
                Error::Connection(source)
            } else {
                Error::Statement { statement: sql.name, source }
            });
        }
    }

    /// Opens a connection, unless the last login failed a moment ago.
    async fn open(&self) -> Result<Connection, Error> {
        let mut login = self.login.lock().await;
        if let Some(wait) = login.back_off.remaining(SystemTime::now()) {
            return Err(Error::BackingOff { wait });
        }
        let was_failing = login.back_off.is_failing();
        if was_failing {
            // Before the attempt, so that one that is cancelled counts too; and whatever it fails with: a pooler that rejected
            // logins often closes or refuses the next connections, which does not mean that the secret is right again.
            login.back_off.fail(SystemTime::now(), fastrand::f64());
        }
        let outcome = self.log_in(&mut login).await;
        match &outcome {
            Ok(_) if was_failing => {
                login.back_off.succeed();
                tracing::info!("database login works again");
            }
            Err(error) if !was_failing && error.outlasts_requests() => {
                // Once for each time that it begins: the requests that fail meanwhile log their own errors.
                tracing::error!(
                    error = causes(error),
                    "database login fails with the secret read again, backing off"
                );
                login.back_off.fail(SystemTime::now(), fastrand::f64());
            }
            Ok(_) | Err(_) => {}
        }
        outcome
    }

    /// One login. A rejected one is repeated with the secret as it is now, if that was changed since it was read: rotated
    /// credentials, or a new authority. After a failure the secret is read again first.
    async fn log_in(&self, login: &mut Login) -> Result<Connection, Error> {
        let known = login.target.clone().filter(|_| !login.back_off.is_failing());
        let Some(known) = known else {
            let target = self.read_target(login).await?;
            return self.open_with(&target).await;
        };
        match self.open_with(&known).await {
            Err(rejected) if rejected.outlasts_requests() => {
                let target = self.read_target(login).await?;
                if target.secret == known.secret { Err(rejected) } else { self.open_with(&target).await }
            }
            outcome => outcome,
        }
    }

    async fn read_target(&self, login: &mut Login) -> Result<Arc<Target>, Error> {
        let secret = (self.read_secret)().await.map_err(Error::Credentials)?;
        let target = Arc::new(Target::from_secret(&secret, &self.application_name)?);
        login.target = Some(Arc::clone(&target));
        Ok(target)
    }

    async fn open_with(&self, target: &Target) -> Result<Connection, Error> {
        let refused = |error: tokio_postgres::Error| Error::Connect {
            help: explain(&error, &target.address, "sslrootcert"),
            source: Cause::from(&error),
        };
        let client = if let Some(tls) = target.tls.clone() {
            let (client, driver) = target.config.connect(tls).await.map_err(refused)?;
            drive(driver);
            client
        } else {
            let (client, driver) = target.config.connect(NoTls).await.map_err(refused)?;
            drive(driver);
            client
        };
        Ok(Connection { client, used: SystemTime::now() })
    }
}

/// Runs a connection until it closes. The client returns its error, where it is handled.
fn drive<F>(driver: F)
where
    F: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(cause = %Cause::from(&error), "database connection closed with an error");
        }
    });
}

/// Whether a held connection can be used. Wall time, because the monotonic clock stops while an environment is
/// frozen.
async fn is_alive(connection: &Connection) -> bool {
    if connection.client.is_closed() {
        return false;
    }
    let idle = SystemTime::now().duration_since(connection.used).unwrap_or_default();
    idle < CHECK_AFTER_IDLE
        || matches!(timeout(CHECK_DEADLINE, connection.client.check_connection()).await, Ok(Ok(())))
}
