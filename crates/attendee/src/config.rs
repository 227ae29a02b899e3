//! What the template says.

use calls::Settings;
use runtime::{ConfigError, Env};

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The secret with the database's address and login.
    pub database_secret_arn: String,
    /// The log stream's name; tells the operator which environment holds a database connection.
    pub environment: String,
    /// The bus that the host application is told things on.
    pub bus: String,
    /// What the installation decides about calls.
    pub calls: Settings,
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
            bus: env.text("BUS_ARN"),
            calls: Settings {
                external_id_prefix: env.text("EXTERNAL_ID_PREFIX"),
                control_region: env.text("CONTROL_REGION"),
                media_region: env.text("MEDIA_REGION"),
                waiting_room: env.parse("WAITING_ROOM"),
            },
        };
        env.finish().map(|()| config)
    }
}
