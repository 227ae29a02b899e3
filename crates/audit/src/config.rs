//! What the template says.

use runtime::{ConfigError, Env};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The secret with the database's address and login.
    pub database_secret_arn: String,
    /// The log stream's name; tells the operator which environment holds a database connection.
    pub environment: String,
    /// The audit table.
    pub table: String,
    /// Days that entries are kept.
    pub retention_days: u32,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every missing or malformed name, in one message.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut env = Env::new();
        let config = Self {
            database_secret_arn: env.text("DATABASE_SECRET_ARN"),
            environment: env.text("AWS_LAMBDA_LOG_STREAM_NAME"),
            table: env.text("AUDIT_TABLE"),
            retention_days: env.parse("AUDIT_RETENTION_DAYS"),
        };
        env.finish().map(|()| config)
    }
}
