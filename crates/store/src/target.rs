//! The database's address and trusted authority, from its secret.

use std::time::Duration;

use postgres_tls::{connector, is_loopback};
use serde::Deserialize;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// The secret, in the format of RDS (AWS Secrets Manager user guide, "JSON structure of database credentials"), with
/// the two fields that TLS needs.
#[derive(Deserialize)]
struct SecretJson {
    username: String,
    password: String,
    host: String,
    #[serde(default = "default_port")]
    port: u16,
    dbname: String,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
}

const fn default_port() -> u16 {
    5432
}

/// How to connect.
pub(crate) struct Target {
    pub(crate) config: tokio_postgres::Config,
    /// `None`: without TLS, which is allowed to loopback only.
    pub(crate) tls: Option<MakeRustlsConnect>,
}

impl Target {
    /// Parses a secret. `application_name` shows the operator, in `pg_stat_activity`, which environment holds a
    /// connection.
    pub(crate) fn from_secret(secret: &str, application_name: &str) -> Result<Self, Error> {
        // serde's message quotes no string values but gives the position: enough for the operator, and nothing leaks.
        let json: SecretJson = serde_json::from_str(secret)
            .map_err(|error| Error::Secret(format!("line {} column {}", error.line(), error.column())))?;
        let mut config = tokio_postgres::Config::new();
        config
            .user(&json.username)
            .password(&json.password)
            .host(&json.host)
            .port(json.port)
            .dbname(&json.dbname)
            .application_name(application_name)
            .keepalives_idle(Duration::from_secs(30));
        let loopback = is_loopback(&json.host);
        let tls = match json.sslmode.as_deref() {
            Some("disable") if loopback => {
                config.ssl_mode(SslMode::Disable);
                None
            }
            Some("disable") => return Err(Error::Secret("sslmode disable is for loopback only".to_owned())),
            None | Some("verify-full") => {
                config.ssl_mode(SslMode::Require);
                let ca = json.sslrootcert.as_deref();
                let ca = ca.ok_or_else(|| Error::Secret("sslrootcert (PEM) is missing".to_owned()))?;
                Some(connector(ca).map_err(|error| Error::Secret(format!("sslrootcert: {error}")))?)
            }
            Some(_) => return Err(Error::Secret("sslmode must be verify-full or disable".to_owned())),
        };
        Ok(Self { config, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(secret: &str) -> String {
        match Target::from_secret(secret, "test") {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_connection_without_tls_never_leaves_the_machine() {
        let at = |host: &str| {
            format!(r#"{{"username":"u","password":"p","host":"{host}","dbname":"d","sslmode":"disable"}}"#)
        };
        assert_eq!(refused(&at("127.0.0.1")), "accepted");
        assert!(refused(&at("db.example.com")).contains("loopback only"));
    }

    #[test]
    fn tls_needs_the_database_s_own_authority() {
        let with = |more: &str| {
            format!(r#"{{"username":"u","password":"p","host":"db.example.com","dbname":"d"{more}}}"#)
        };
        assert!(refused(&with("")).contains("sslrootcert (PEM) is missing"));
        assert!(refused(&with(r#","sslrootcert":"nonsense""#)).contains("holds no certificate"));
        assert!(refused(&with(r#","sslmode":"prefer""#)).contains("verify-full or disable"));
    }

    #[test]
    fn a_broken_secret_is_not_repeated_in_the_error() {
        assert_eq!(
            refused(r#"{"password":"hunter2""#),
            "the database's secret is unusable: line 1 column 21"
        );
    }
}
