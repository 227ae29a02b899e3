//! Configuration of the function, from its template.

use calls::LinkBases;
use runtime::{BaseConfig, CallsConfig, ConfigError, Env};

/// 0 means never.
fn minutes(minutes: u16) -> Option<time::Duration> {
    (minutes > 0).then(|| time::Duration::minutes(minutes.into()))
}

#[derive(Clone, Debug)]
pub struct Config {
    /// Configuration that every function has.
    pub base: BaseConfig,
    /// The bus, and the deployment's settings of calls.
    pub calls: CallsConfig,
    /// The base URLs of links to a call.
    pub links: LinkBases,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every missing or malformed name, in one message.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut env = Env::new();
        let mut calls = CallsConfig::read(&mut env);
        calls.settings.forgotten_after = minutes(env.parse("FORGOTTEN_CALL_MINUTES"));
        calls.settings.recording_rights = env.parse_optional("RECORDING_RIGHTS");
        let config = Self {
            base: BaseConfig::read(&mut env),
            calls,
            links: LinkBases { deep: env.text("DEEP_LINK_BASE"), web: env.text("WEB_LINK_BASE") },
        };
        env.finish().map(|()| config)
    }
}
