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
    Connection(#[source] tokio_postgres::Error),
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
        source: tokio_postgres::Error,
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

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            // A secret that cannot be used is no fault of the request: it is read anew, and may be right the next time.
            Error::Credentials(_) | Error::Secret(_) | Error::Connection(_) | Error::Deadline => {
                Self::Unavailable { backend: "database", source: Box::new(error) }
            }
            Error::Statement { ref source, .. } if passing(source) => {
                Self::Unavailable { backend: "database", source: Box::new(error) }
            }
            Error::Statement { .. } | Error::Answer { .. } => Self::internal(error),
        }
    }
}

/// Whether the server refused because of its own state: insufficient resources, operator intervention, a
/// serialization failure or deadlock, a read-only standby (`PostgreSQL` documentation, appendix A).
pub(crate) fn passing(error: &tokio_postgres::Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    code.is_some_and(|code| {
        ["53", "57", "40", "08", "58"].iter().any(|class| code.starts_with(class)) || code == "25006"
    })
}
