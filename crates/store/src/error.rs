//! Errors between this service and the database.

use std::time::Duration;

/// Why a statement returned nothing. Never shown to callers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret with the credentials could not be read.
    #[error("the database's credentials could not be read")]
    Credentials(#[source] domain::Error),
    /// The secret lacks a required field, or has an invalid one.
    #[error("the database's secret is unusable: {0}")]
    Secret(String),
    /// The connection could not be opened.
    #[error("no connection to the database{}", help.as_ref().map(|help| format!(": {help}")).unwrap_or_default())]
    Connect {
        /// The address, and what to correct.
        help: Option<String>,
        #[source]
        source: Cause,
    },
    /// No login is tried for a while, because the last one was rejected or the secret could not be used.
    #[error("no login to the database is tried for {} ms after a failed one", wait.as_millis())]
    BackingOff { wait: Duration },
    /// The connection broke.
    #[error("the connection to the database broke")]
    Connection(#[source] Cause),
    /// No response within the deadline of a request.
    #[error("the database did not answer in time")]
    Deadline,
    /// The database rejected the statement: a defect of this code, or an unexpected schema.
    #[error("the database refused the statement {statement}")]
    Statement {
        /// The statement's name, from its first line.
        statement: &'static str,
        #[source]
        source: Cause,
    },
    /// The response does not have the expected shape.
    #[error("the answer of the statement {statement} cannot be read")]
    Answer {
        statement: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

/// PostgreSQL's or the network's error, without values: a message or detail of PostgreSQL quotes the rejected row,
/// which may contain a join token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// PostgreSQL's own error: its code and the names of the objects in it.
    #[error("SQLSTATE {code}{}", named(constraint.as_deref(), table.as_deref(), column.as_deref()))]
    Refused {
        /// SQLSTATE (PostgreSQL documentation, appendix A).
        code: String,
        constraint: Option<String>,
        table: Option<String>,
        column: Option<String>,
    },
    /// The connection is closed.
    #[error("connection closed")]
    Closed,
    /// The server's certificate was issued by an authority that is not in the secret.
    #[error("the server's certificate is not trusted")]
    Untrusted,
    /// An error of the network or the protocol.
    #[error("{0}")]
    Other(String),
}

fn certificate_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(at) = cause {
        // The inner error of an io::Error is not among its sources, only that error's source.
        let inside = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(inside) = inside
            && inside.is::<rustls::Error>()
        {
            return true;
        }
        cause = at.source();
    }
    false
}

fn named(constraint: Option<&str>, table: Option<&str>, column: Option<&str>) -> String {
    [(" constraint ", constraint), (" table ", table), (" column ", column)]
        .into_iter()
        .filter_map(|(what, name)| name.map(|name| format!("{what}{name}")))
        .collect()
}

impl From<&tokio_postgres::Error> for Cause {
    fn from(error: &tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            let text = |text: Option<&str>| text.map(str::to_owned);
            return Self::Refused {
                code: db.code().code().to_owned(),
                constraint: text(db.constraint()),
                table: text(db.table()),
                column: text(db.column()),
            };
        }
        if error.is_closed() {
            return Self::Closed;
        }
        if certificate_refused(error) {
            return Self::Untrusted;
        }
        // For errors that are not the server's: a kind, with an I/O or TLS error as its source.
        let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::Other(format!("{error}{source}"))
    }
}

impl Error {
    /// Whether the database rejected the statement because of the objects that it names and not because of a row: SQLSTATE class 42,
    /// a column or a permission that is missing.
    #[must_use]
    pub fn is_about_objects(&self) -> bool {
        matches!(self, Self::Statement { source: Cause::Refused { code, .. }, .. } if code.starts_with("42"))
    }
}

impl Cause {
    /// Whether the server rejected the statement because of its own state: insufficient resources, operator
    /// intervention, a serialization failure or deadlock, a read-only standby.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                ["53", "57", "40", "08", "58", "55"].iter().any(|class| code.starts_with(class))
                    || code == "25006"
            }
            Self::Closed => true,
            Self::Untrusted | Self::Other(_) => false,
        }
    }

    /// Whether the secret may be outdated: the server rejected the login, with any of the codes that poolers use for
    /// that, or its certificate was issued by another authority. A server that is only busy or down (classes 53 and
    /// 57) says nothing about the secret.
    pub(crate) fn may_outdate_secret(&self) -> bool {
        match self {
            Self::Refused { code, .. } => !["53", "57"].iter().any(|class| code.starts_with(class)),
            Self::Untrusted => true,
            Self::Closed | Self::Other(_) => false,
        }
    }

    /// Whether the server cancelled the statement because it took too long, itself or in a queue for a lock:
    /// repeating it at once would only queue again.
    pub(crate) fn timed_out(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "57014" || code == "55P03")
    }
}

impl Error {
    /// Whether the next login will fail as well unless somebody corrects the secret, the login or the server.
    pub(crate) fn outlasts_requests(&self) -> bool {
        match self {
            Self::Credentials(_) | Self::Secret(_) => true,
            Self::Connect { source, .. } => source.may_outdate_secret(),
            Self::BackingOff { .. }
            | Self::Connection(_)
            | Self::Deadline
            | Self::Statement { .. }
            | Self::Answer { .. } => false,
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            // An unusable secret is not the request's fault: it is read again by the next request, and may be valid
            // then.
            Error::Credentials(_)
            | Error::Secret(_)
            | Error::Connect { .. }
            | Error::BackingOff { .. }
            | Error::Connection(_)
            | Error::Deadline => Self::Unavailable { backend: "database", source: Box::new(error) },
            Error::Statement { ref source, .. } if source.is_transient() => {
                Self::Unavailable { backend: "database", source: Box::new(error) }
            }
            Error::Statement { .. } | Error::Answer { .. } => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_names_things_and_never_values() {
        let cause = Cause::Refused {
            code: "23502".to_owned(),
            constraint: None,
            table: Some("video_call_attendee_tokens".to_owned()),
            column: Some("attendee_id".to_owned()),
        };
        assert_eq!(cause.to_string(), "SQLSTATE 23502 table video_call_attendee_tokens column attendee_id");
    }
}
