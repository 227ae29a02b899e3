//! The secret by which the functions find their database: address, login and certificate authority, as in an installation.

use local_postgres::database::Database;
use serde_json::{Value, json};

use crate::pgproxy::{Certificate, Proxy};
use crate::secrets::Secrets;

/// The secret with the database's address and login, as the functions read it.
#[derive(Clone, Debug)]
pub struct DatabaseSecret {
    arn: String,
    secrets: Secrets,
}

impl DatabaseSecret {
    #[must_use]
    pub const fn new(arn: String, secrets: Secrets) -> Self {
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

/// The first value of the secret: how to reach the database through the proxy.
pub(crate) fn first_value(database: &Database, proxy: &Proxy, certificate: &Certificate) -> Value {
    json!({
        "username": database.name(),
        "password": database.password(),
        "host": "127.0.0.1",
        "port": proxy.addr().port(),
        "dbname": database.name(),
        "sslmode": "verify-full",
        "sslrootcert": certificate.authority(),
    })
}
