//! Configuration of the function, from its template.

use runtime::{AuditorRole, BaseConfig, ConfigError, Env};

#[derive(Clone, Debug)]
pub struct Config {
    /// Configuration that every function has.
    pub base: BaseConfig,
    /// The audit table.
    pub table: String,
    /// Days that entries are kept.
    pub retention_days: u32,
    /// The role that may place a legal hold.
    pub auditor: AuditorRole,
    /// The role that may move the expiry of entries.
    pub hold_role_arn: String,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every missing or malformed name, in one message.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut env = Env::new();
        let config = Self {
            base: BaseConfig::read(&mut env),
            table: env.text("AUDIT_TABLE"),
            retention_days: env.parse("AUDIT_RETENTION_DAYS"),
            auditor: AuditorRole::read(&mut env),
            hold_role_arn: env.text("HOLD_ROLE_ARN"),
        };
        env.finish().map(|()| config)
    }
}
