//! Configuration of the function, from its template.

use runtime::{BaseConfig, CallsConfig, ConfigError, Env};

#[derive(Clone, Debug)]
pub struct Config {
    /// Configuration that every function has.
    pub base: BaseConfig,
    /// The bus, and the deployment's settings of calls.
    pub calls: CallsConfig,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every missing or malformed name, in one message.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut env = Env::new();
        let config = Self { base: BaseConfig::read(&mut env), calls: CallsConfig::read(&mut env) };
        env.finish().map(|()| config)
    }
}
