//! The database's address and trusted authority, from its secret.

use std::time::Duration;

use postgres_tls::{Address, is_loopback, trust};
use serde_json::{Map, Value};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// The form of the secret: that of RDS (AWS Secrets Manager user guide, "JSON structure of database credentials"), with the
/// two fields that TLS needs.
const FORM: &str = "a JSON object with username, password, host, dbname and sslrootcert, and port and sslmode where they differ from \
                    5432 and verify-full";

/// Time for reaching the server. Below the deadline of a request (2.5 s), so that an address that does not answer is named in
/// the log.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How to connect.
pub(crate) struct Target {
    pub(crate) config: tokio_postgres::Config,
    /// `None`: without TLS, which is allowed to loopback only.
    pub(crate) tls: Option<MakeRustlsConnect>,
    /// For messages to the operator.
    pub(crate) address: Address,
    /// To see whether a secret that is read again is another one.
    pub(crate) secret: String,
}

impl Target {
    /// Parses a secret; fields that are not used are ignored. `application_name` shows the operator, in `pg_stat_activity`,
    /// which environment holds a connection.
    pub(crate) fn from_secret(secret: &str, application_name: &str) -> Result<Self, Error> {
        let fields = Fields::parse(secret)?;
        let address = Address {
            host: fields.host()?,
            port: fields.port()?,
            user: fields.text("username")?,
            database: fields.text("dbname")?,
        };
        if address.host.ends_with(".pooler.supabase.com") && !address.user.contains('.') {
            return Err(unusable("username must be <role>.<project reference> at Supabase's pooler"));
        }
        let mut config = tokio_postgres::Config::new();
        config
            .user(&address.user)
            .password(fields.text("password")?)
            .host(&address.host)
            .port(address.port)
            .dbname(&address.database)
            .application_name(application_name)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(Duration::from_secs(30));
        let tls = match fields.optional_text("sslmode")?.map(str::trim) {
            Some("disable") if is_loopback(&address.host) => {
                config.ssl_mode(SslMode::Disable);
                None
            }
            Some("disable") => return Err(unusable("sslmode disable is for loopback only")),
            // The server's certificate and name are checked whatever the client library of another program would do.
            None | Some("verify-full" | "verify-ca" | "require") => {
                config.ssl_mode(SslMode::Require);
                let ca = fields.optional_text("sslrootcert")?.ok_or_else(|| {
                    unusable("sslrootcert (PEM) is missing: the text of the database's certificate authority")
                })?;
                let trust = trust(ca).map_err(|error| unusable(format!("sslrootcert {error}")))?;
                if trust.skipped > 0 {
                    tracing::warn!(
                        skipped = trust.skipped,
                        "certificates in sslrootcert cannot be read and are left out"
                    );
                }
                Some(trust.connector)
            }
            Some(_) => return Err(unusable("sslmode must be verify-full, or disable on loopback")),
        };
        Ok(Self { config, tls, address, secret: secret.to_owned() })
    }
}

/// The secret's members. Messages name a member and never repeat its value, which may be the password in the wrong place.
struct Fields(Map<String, Value>);

impl Fields {
    fn parse(secret: &str) -> Result<Self, Error> {
        let text = secret.trim_start_matches('\u{feff}').trim();
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(unusable(format!("it must be {FORM}"))),
            Err(_) if text.starts_with("postgres") => {
                Err(unusable(format!("it is a connection string; it must be {FORM}")))
            }
            // serde's message may quote a value; the position is enough for the operator.
            Err(error) => Err(unusable(format!(
                "it is not JSON (line {} column {}); it must be {FORM}",
                error.line(),
                error.column()
            ))),
        }
    }

    /// Null is as if it were not there.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn optional_text(&self, name: &str) -> Result<Option<&str>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty()).map(String::as_str)),
            Some(_) => Err(unusable(format!("{name} must be a text"))),
        }
    }

    fn text(&self, name: &str) -> Result<String, Error> {
        let missing = || {
            let managed = ["host", "dbname"].contains(&name) && self.0.contains_key("password");
            let why = if managed {
                " (a secret that RDS manages has only username and password: write one of your own)"
            } else {
                ""
            };
            unusable(format!("{name} is missing{why}"))
        };
        self.optional_text(name)?.map(str::to_owned).ok_or_else(missing)
    }

    fn host(&self) -> Result<String, Error> {
        let host = self.text("host")?.trim().to_owned();
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        if !is_address && host.contains(['/', ':', '@', ' ', '?']) {
            return Err(unusable(
                "host must be a name or an address alone, without scheme, user, port or database",
            ));
        }
        Ok(host)
    }

    /// A number, or a text of one: RDS writes a number, consoles and scripts a text.
    fn port(&self) -> Result<u16, Error> {
        let port = match self.get("port") {
            None => return Ok(5432),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(5432),
            Some(Value::Number(number)) => number.as_u64().and_then(|port| u16::try_from(port).ok()),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        port.filter(|port| *port > 0).ok_or_else(|| unusable("port must be a number from 1 to 65535"))
    }
}

fn unusable(reason: impl Into<String>) -> Error {
    Error::Secret(reason.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(secret: &str) -> String {
        match Target::from_secret(secret, "test") {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// A secret for loopback with some members replaced.
    fn with(changes: &Value) -> String {
        let mut secret = json!({ "username": "u", "password": "hunter2", "host": "127.0.0.1", "dbname": "d", "sslmode": "disable" });
        for (name, value) in changes.as_object().into_iter().flatten() {
            secret[name] = value.clone();
        }
        secret.to_string()
    }

    #[test]
    fn a_connection_without_tls_never_leaves_the_machine() {
        assert_eq!(refused(&with(&json!({}))), "accepted");
        assert!(refused(&with(&json!({ "host": "db.example.com" }))).contains("loopback only"));
    }

    #[test]
    fn tls_needs_the_database_s_own_authority() {
        let with = |more: Value| {
            let mut secret = json!({ "host": "db.example.com", "sslmode": null });
            secret
                .as_object_mut()
                .into_iter()
                .for_each(|secret| secret.extend(more.as_object().cloned().unwrap_or_default()));
            refused(&with(&secret))
        };
        assert!(with(json!({})).contains("sslrootcert (PEM) is missing"));
        assert!(with(json!({ "sslrootcert": "nonsense" })).contains("sslrootcert holds no certificate"));
        assert!(with(json!({ "sslmode": "prefer" })).contains("must be verify-full"));
        let pem = include_str!("../../runtime/src/aws/roots.pem");
        for mode in [json!("verify-full"), json!("require"), json!("verify-ca"), json!(""), Value::Null] {
            assert_eq!(with(json!({ "sslmode": mode, "sslrootcert": pem })), "accepted", "{mode}");
        }
    }

    #[test]
    fn a_port_may_be_a_text_and_what_is_not_used_is_ignored() {
        for port in [json!(5432), json!("5432"), json!(" 6543 "), json!(""), Value::Null] {
            assert_eq!(refused(&with(&json!({ "port": port }))), "accepted", "{port}");
        }
        for more in [json!({ "engine": 5 }), json!({ "dbInstanceIdentifier": null, "masterarn": ["x"] })] {
            assert_eq!(refused(&with(&more)), "accepted", "{more}");
        }
        assert_eq!(refused(&format!("\u{feff}\n{}\n", with(&json!({})))), "accepted", "a byte order mark");
        for port in [json!(0), json!(65_536), json!(-1), json!("five"), json!(54.5), json!(["5432"])] {
            assert_eq!(
                refused(&with(&json!({ "port": port }))),
                "the database's secret is unusable: port must be a number from 1 to 65535",
                "{port}"
            );
        }
    }

    #[test]
    fn an_error_names_the_field_and_what_to_write_and_never_a_value() {
        for (secret, words) in [
            (
                r#"{"password":"hunter2""#.to_owned(),
                "not JSON (line 1 column 21); it must be a JSON object with username",
            ),
            (
                "postgresql://u:hunter2@db.example.com/d".to_owned(),
                "it is a connection string; it must be a JSON object",
            ),
            (r#"["hunter2"]"#.to_owned(), "it must be a JSON object"),
            (
                r#"{"username":"u","password":"hunter2"}"#.to_owned(),
                "host is missing (a secret that RDS manages",
            ),
            (with(&json!({ "host": "https://hunter2" })), "host must be a name or an address alone"),
            (
                with(&json!({ "host": "u:hunter2@db.example.com:5432" })),
                "host must be a name or an address alone",
            ),
            (with(&json!({ "password": 17 })), "password must be a text"),
            (with(&json!({ "username": null })), "username is missing"),
            (
                with(&json!({ "host": "aws-0-eu-central-1.pooler.supabase.com" })),
                "username must be <role>.<project reference>",
            ),
        ] {
            let text = refused(&secret);
            assert!(text.contains(words), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
