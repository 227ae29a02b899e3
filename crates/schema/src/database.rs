//! The owner's connection: what `DATABASE_URL` may be, and what to write instead where it is something else. No message
//! repeats the URL or a part of it that may be the password.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use postgres_tls::{Address, explain, trust};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};

use crate::MigrateError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The options that are read, besides sslmode and sslrootcert. Others belong to poolers and other libraries.
const OPTIONS: [&str; 17] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

/// How to connect as the owner. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Database {
    config: Config,
    ca: Option<String>,
    /// Options of the URL that were ignored.
    pub ignored: Vec<String>,
}

impl Database {
    /// Reads a connection string: a URL, or `host=... dbname=...`. `password` is used where the string has none. The server's
    /// certificate is checked against `ca` (PEM), else against the file that `sslrootcert` names, as with
    /// `sslmode=verify-full`; only a database on this machine is reached without.
    ///
    /// # Errors
    /// With the option that is wrong and what to write instead.
    pub fn parse(text: &str, password: Option<&str>, ca: Option<&str>) -> Result<Self, MigrateError> {
        let text = text.trim();
        let url = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"));
        let (place, options) = match url {
            Some(rest) => options_of_url(rest)?,
            None if text.contains("://") => return Err(wrong("it must begin with postgresql://")),
            None if text.contains('=') => (String::new(), options_of_words(text)?),
            None => return Err(wrong("it must be a URL: postgresql://user@host:5432/database")),
        };
        let (mut kept, mut mode, mut ca_file, mut ignored) = (Vec::new(), None, None, Vec::new());
        for Setting { name, value, text } in options {
            match name.as_str() {
                "sslmode" => mode = Some(value),
                "sslrootcert" => ca_file = Some(value),
                known if OPTIONS.contains(&known) => kept.push(text),
                _ => ignored.push(name),
            }
        }
        let text =
            if url.is_some() { format!("postgresql://{place}?{}", kept.join("&")) } else { kept.join(" ") };
        let mut config: Config = text.parse().map_err(|error| wrong(&cause_of(&error)))?;
        if config.get_password().is_none()
            && let Some(password) = password
        {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let ca = match (ca, ca_file) {
            (Some(pem), _) => Some(pem.to_owned()),
            (None, Some(path)) => Some(std::fs::read_to_string(&path).map_err(|error| {
                wrong(&format!(
                    "sslrootcert must be a file with the database's certificate authority (PEM): {error}"
                ))
            })?),
            (None, None) => None,
        };
        match mode.as_deref() {
            Some("disable") if ca.is_some() => {
                return Err(wrong(
                    "sslmode=disable contradicts the certificate authority: remove one of them",
                ));
            }
            None | Some("disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full") => {}
            Some(_) => return Err(wrong("sslmode must be verify-full")),
        }
        let database = Self { config, ca, ignored };
        database.check_address()?;
        Ok(database)
    }

    fn check_address(&self) -> Result<(), MigrateError> {
        let Address { host, port, user, .. } = self.address();
        if self.config.get_hosts().is_empty() && self.config.get_hostaddrs().is_empty() {
            return Err(wrong("it has no host: postgresql://user@host:5432/database"));
        }
        if self.config.get_user().is_none() {
            return Err(wrong("it has no user: postgresql://user@host:5432/database"));
        }
        let is_supabase = host.ends_with(".supabase.com") || host.ends_with(".supabase.co");
        if is_supabase && port == 6543 {
            return Err(wrong(
                "port 6543 is Supabase's transaction pooler, which cannot migrate: write port 5432, which is the session pooler \
                 at this host",
            ));
        }
        if host.ends_with(".pooler.supabase.com") && !user.contains('.') {
            return Err(wrong(
                "at Supabase's pooler the user is <role>.<project reference>, such as postgres.<reference>",
            ));
        }
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Address {
        let host = match (self.config.get_hosts().first(), self.config.get_hostaddrs().first()) {
            (Some(Host::Tcp(name)), _) => name.clone(),
            (Some(Host::Unix(path)), _) => path.display().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        };
        let user = self.config.get_user().unwrap_or_default().to_owned();
        Address {
            host,
            port: self.config.get_ports().first().copied().unwrap_or(5432),
            database: self.config.get_dbname().unwrap_or(&user).to_owned(),
            user,
        }
    }

    /// Whether the traffic to this database stays on this machine.
    fn stays_here(&self) -> bool {
        let here = |host: &Host| match host {
            Host::Tcp(name) => postgres_tls::is_loopback(name),
            Host::Unix(_) => true,
        };
        self.config.get_hosts().iter().all(here)
            && self.config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }

    pub(crate) async fn connect(&self) -> Result<Client, MigrateError> {
        let failed = |error: tokio_postgres::Error| {
            let cause = cause_of(&error);
            // The library's words for a server that asks for a password where none was given.
            if cause == "password missing" {
                let Address { host, port, .. } = self.address();
                return MigrateError::Connect(format!(
                    "{host}:{port} asks for a password, and DATABASE_URL has none: give it in PGPASSWORD"
                ));
            }
            let help = explain(&error, &self.address(), "DATABASE_CA");
            MigrateError::Connect(help.unwrap_or_else(|| format!("the database cannot be reached: {cause}")))
        };
        if let Some(ca) = &self.ca {
            let trust = trust(ca).map_err(MigrateError::Trust)?;
            let mut config = self.config.clone();
            config.ssl_mode(SslMode::Require);
            let (client, driver) = config.connect(trust.connector).await.map_err(failed)?;
            tokio::spawn(driver);
            Ok(client)
        } else if self.stays_here() {
            let (client, driver) = self.config.connect(NoTls).await.map_err(failed)?;
            tokio::spawn(driver);
            Ok(client)
        } else {
            Err(MigrateError::NoAuthority)
        }
    }
}

fn wrong(reason: &str) -> MigrateError {
    MigrateError::Url(reason.to_owned())
}

/// The cause in the library's words, which name an option and quote no value; messages that quote characters are replaced.
fn cause_of(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    if cause.contains('`')
        && !cause.starts_with("invalid value for option")
        && !cause.starts_with("unknown option")
    {
        "it is not of the form postgresql://user@host:5432/database".to_owned()
    } else {
        cause
    }
}

/// An option of a connection string.
struct Setting {
    name: String,
    value: String,
    /// As the connection string has it.
    text: String,
}

/// Splits a URL's options off, and checks what a password with special characters would break silently: its characters would
/// become a host or a database, and be printed as such.
fn options_of_url(rest: &str) -> Result<(String, Vec<Setting>), MigrateError> {
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    if let Some(login) = login {
        if login.contains('[') && login.contains(']') {
            return Err(wrong("it has a placeholder in brackets in place of the password"));
        }
        let escapes = login.match_indices('%').all(|(at, _)| {
            login
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.chars().all(|character| character.is_ascii_hexdigit()))
        });
        if !escapes || login.contains(['@', '/', '?', '#', '[', ']', ' ']) || login.matches(':').count() > 1 {
            return Err(wrong(
                "the user or the password has a character that must be percent-encoded in a URL (@ is %40, : is %3A, / is %2F, \
                 ? is %3F, # is %23, % is %25); or leave the password out and give it in PGPASSWORD",
            ));
        }
    }
    let (place, query) = place.split_once('?').map_or((place, ""), |(place, query)| (place, query));
    let mut options = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value =
            decoded(value).ok_or_else(|| wrong(&format!("the option {name} is not percent-encoded")))?;
        options.push(Setting { name: name.to_owned(), value: value.into_owned(), text: pair.to_owned() });
    }
    let login = login.map(|login| format!("{login}@")).unwrap_or_default();
    Ok((format!("{login}{place}"), options))
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok()
}

/// The words of `host=db.example.com password='a b'`.
fn options_of_words(text: &str) -> Result<Vec<Setting>, MigrateError> {
    let mut options = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let malformed =
            || wrong("it must be name=value pairs, with a value that has spaces in single quotes");
        let (name, value) = rest.split_once('=').ok_or_else(malformed)?;
        let mut characters = value.trim_start().char_indices().peekable();
        let value = value.trim_start();
        let quoted = characters.next_if(|(_, character)| *character == '\'').is_some();
        let (mut text, mut end, mut closed) = (String::new(), value.len(), !quoted);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                '\'' if quoted => {
                    (end, closed) = (at + 1, true);
                    break;
                }
                _ if !quoted && character.is_whitespace() => {
                    end = at;
                    break;
                }
                _ => text.push(character),
            }
        }
        if !closed {
            return Err(malformed());
        }
        let (name, escaped) = (name.trim(), text.replace('\\', "\\\\").replace('\'', "\\'"));
        options.push(Setting { name: name.to_owned(), text: format!("{name}='{escaped}'"), value: text });
        rest = value.get(end..).unwrap_or_default().trim_start();
    }
    Ok(options)
}

/// A name as an identifier of SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
