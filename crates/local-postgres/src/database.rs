//! The functions' database, with all migrations applied and a login of its own.
//!
//! As in an installation, the login is no superuser but a member of the functions' role and of no other. Roles belong to
//! the server and not to a database, so each database has a login with the database's name, which is dropped with it.

use uuid::Uuid;

use crate::server::{self, Server};

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server does not take it.
    #[error(transparent)]
    Server(#[from] server::Error),
    /// The host application's tables could not be created.
    #[error("the host application's tables could not be created")]
    Host(#[from] tokio_postgres::Error),
    /// The schema could not be created.
    #[error(transparent)]
    Migrate(#[from] schema::MigrateError),
}

/// One database with its login.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
    /// The login's first one.
    password: String,
    functions_role: String,
}

impl Database {
    /// Makes it; one of that name is dropped first. `before` is what the host application has in it when the migrations
    /// come.
    pub async fn make(server: Server, name: &str, before: &str) -> Result<Self, Error> {
        server.drop_database(name).await?;
        server.drop_login(name).await?;
        server.create_database(name).await?;
        let url = server.url(name);
        if !before.is_empty() {
            let (client, driver) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
            tokio::spawn(driver);
            client.batch_execute(before).await?;
        }
        let functions_role = schema::run(&url, None).await?.functions_role;
        let password = Uuid::new_v4().simple().to_string();
        server.create_login(name, &password, &functions_role).await?;
        Ok(Self { server, name: name.to_owned(), password, functions_role })
    }

    /// Drops it, with its login and the functions' role.
    pub async fn drop(&self) -> Result<(), server::Error> {
        self.server.drop_database(&self.name).await?;
        self.server.drop_login(&self.name).await?;
        self.server.drop_login(&self.functions_role).await
    }

    /// The role that the functions' login is a member of.
    #[must_use]
    pub fn functions_role(&self) -> &str {
        &self.functions_role
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

    /// Gives the login a new password, which is returned. The secret is not changed.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn change_password(&self) -> Result<String, server::Error> {
        let password = Uuid::new_v4().simple().to_string();
        self.server.change_password(&self.name, &password).await?;
        Ok(password)
    }

    /// The first password of its login.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}
