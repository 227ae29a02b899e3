//! The functions' database: made and migrated, reached with a login of its own through the proxy, by TLS.
//!
//! As in an installation, that login is no superuser but a member of the functions' role and nothing else, and only the
//! secret says where the database is and which authority its certificate is from. Roles belong to the server and not to
//! a database, so each database has a login that is named as it is, and goes with it.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::pgproxy::{Certificate, Proxy};
use crate::postgres::{self, Server};
use crate::secrets::Secrets;

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server does not take it.
    #[error(transparent)]
    Server(#[from] postgres::Error),
    /// What the host application has in it could not be made.
    #[error("the host application's tables could not be made")]
    Host(#[from] tokio_postgres::Error),
    /// The schema could not be made.
    #[error(transparent)]
    Migrate(#[from] store::migrate::MigrateError),
}

/// One database with its login.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
    /// The login's first one.
    password: String,
}

impl Database {
    /// Makes it; one of that name is dropped first. `before` is what the host application has in it when the migrations
    /// come.
    pub(crate) async fn make(server: Server, name: &str, before: &str) -> Result<Self, Error> {
        server.drop_database(name).await?;
        server.drop_login(name).await?;
        server.create_database(name).await?;
        let url = server.url(name);
        if !before.is_empty() {
            let (client, driver) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
            tokio::spawn(driver);
            client.batch_execute(before).await?;
        }
        let applied = store::migrate::run(&url, None).await?;
        let password = Uuid::new_v4().simple().to_string();
        server.create_login(name, &password, &applied.functions_role).await?;
        Ok(Self { server, name: name.to_owned(), password })
    }

    /// Drops it, with its login and its functions' role.
    pub(crate) async fn drop(&self) -> Result<(), postgres::Error> {
        self.server.drop_database(&self.name).await?;
        self.server.drop_login(&self.name).await?;
        self.server.drop_login(&store::migrate::functions_role(&self.name)).await
    }

    /// The server that it is on.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Its address for its owner, past the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name, and its login's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the login a new password, which is answered. What the secret says is not changed.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn change_password(&self) -> Result<String, postgres::Error> {
        let password = Uuid::new_v4().simple().to_string();
        self.server.change_password(&self.name, &password).await?;
        Ok(password)
    }

    /// What its secret says at first: how to reach it through the proxy.
    pub(crate) fn secret(&self, proxy: &Proxy, certificate: &Certificate) -> Value {
        json!({
            "username": self.name,
            "password": self.password,
            "host": "127.0.0.1",
            "port": proxy.addr().port(),
            "dbname": self.name,
            "sslmode": "verify-full",
            "sslrootcert": certificate.authority(),
        })
    }
}

/// The secret with the database's address and login, as the functions read it.
#[derive(Clone, Debug)]
pub struct DatabaseSecret {
    arn: String,
    secrets: Secrets,
}

impl DatabaseSecret {
    pub(crate) const fn new(arn: String, secrets: Secrets) -> Self {
        Self { arn, secrets }
    }

    /// What it says now.
    #[must_use]
    pub fn get(&self) -> Value {
        let text = self.secrets.text(&self.arn).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Gives it a new value.
    pub fn set(&self, value: &Value) {
        self.secrets.set(&self.arn, &value.to_string());
    }
}
