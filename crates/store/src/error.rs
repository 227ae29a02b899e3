//! What can go wrong between us and the database.

/// Why a statement has no answer. Nothing of it is ever shown outside.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret with the credentials could not be read.
    #[error("the database's credentials could not be read")]
    Credentials(#[source] domain::Error),
    /// The secret does not say what it must.
    #[error("the database's secret is unusable: {0}")]
    Secret(String),
    /// No connection, or it broke.
    #[error("no connection to the database")]
    Connection(#[source] Cause),
    /// No answer within the time that a request has.
    #[error("the database did not answer in time")]
    Deadline,
    /// The database refused the statement: a defect of ours, or its schema is not what we expect.
    #[error("the database refused the statement {statement}")]
    Statement {
        /// Which statement, by the name in its first line.
        statement: &'static str,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The answer is not of the expected shape.
    #[error("the answer of the statement {statement} cannot be read")]
    Answer {
        /// Which statement.
        statement: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// What PostgreSQL or the network said, without values: a message or detail of PostgreSQL quotes the row that it refused,
/// and that row may hold a join token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// PostgreSQL's own error, by its code and the things it names.
    #[error("SQLSTATE {code}{}", named(constraint.as_deref(), table.as_deref(), column.as_deref()))]
    Refused {
        /// SQLSTATE (PostgreSQL documentation, appendix A).
        code: String,
        /// The constraint.
        constraint: Option<String>,
        /// The table.
        table: Option<String>,
        /// The column.
        column: Option<String>,
    },
    /// The connection is closed.
    #[error("connection closed")]
    Closed,
    /// The server's certificate is of an authority that the secret does not name.
    #[error("the server's certificate is not trusted")]
    Untrusted,
    /// The network or the protocol.
    #[error("{0}")]
    Other(String),
}

fn certificate_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(at) = cause {
        // What is inside an io::Error is not among its sources, only what is inside that.
        let inside = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inside.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
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
        // Of errors that are not the server's: a kind, and an I/O or TLS error as its source.
        let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::Other(format!("{error}{source}"))
    }
}

impl Cause {
    /// Whether the server refused because of its own state: insufficient resources, operator intervention, a
    /// serialization failure or deadlock, a read-only standby.
    pub(crate) fn passing(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                ["53", "57", "40", "08", "58", "55"].iter().any(|class| code.starts_with(class))
                    || code == "25006"
            }
            Self::Closed => true,
            Self::Untrusted | Self::Other(_) => false,
        }
    }

    /// Whether what the secret said may not be true any more: the server answered and refused the login, in whichever words a
    /// pooler has for it, or its certificate is of an authority that was not named. A server that is only busy or down
    /// (classes 53 and 57) has not said so.
    pub(crate) fn outdates_the_secret(&self) -> bool {
        match self {
            Self::Refused { code, .. } => !["53", "57"].iter().any(|class| code.starts_with(class)),
            Self::Untrusted => true,
            Self::Closed | Self::Other(_) => false,
        }
    }

    /// Whether the server ended the statement because it took too long, here or in a queue for a lock: sending it again at
    /// once would only queue again.
    pub(crate) fn timed_out(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "57014" || code == "55P03")
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            // A secret that cannot be used is no fault of the request: it is read anew, and may be right the next time.
            Error::Credentials(_) | Error::Secret(_) | Error::Connection(_) | Error::Deadline => {
                Self::Unavailable { backend: "database", source: Box::new(error) }
            }
            Error::Statement { ref source, .. } if source.passing() => {
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
