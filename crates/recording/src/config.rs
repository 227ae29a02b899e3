//! Configuration of the function, from its template.

use domain::recording::Layout;
use domain::recording::rights::Rights;
use runtime::{BaseConfig, CallsConfig, ConfigError, Env};

#[derive(Clone, Debug)]
pub struct Config {
    /// Configuration that every function has.
    pub base: BaseConfig,
    /// The bus, and the deployment's settings of calls.
    pub calls: CallsConfig,
    /// The bucket of recordings: its name and its ARN.
    pub bucket: String,
    pub bucket_arn: String,
    pub layout: Layout,
    /// The rights of each role to recordings.
    pub rights: Rights,
    /// Days that a recording is kept.
    pub retention_days: u32,
    /// The role whose credentials sign links.
    pub playback_role_arn: String,
    /// The role that places and lifts legal holds on files.
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
            calls: CallsConfig::read(&mut env),
            bucket: env.text("RECORDINGS_BUCKET"),
            bucket_arn: env.text("RECORDINGS_BUCKET_ARN"),
            layout: env.parse("RECORDING_LAYOUT"),
            rights: env.parse("RECORDING_RIGHTS"),
            retention_days: env.parse("RECORDING_RETENTION_DAYS"),
            playback_role_arn: env.text("PLAYBACK_ROLE_ARN"),
            hold_role_arn: env.text("HOLD_ROLE_ARN"),
        };
        env.finish().map(|()| config)
    }
}
