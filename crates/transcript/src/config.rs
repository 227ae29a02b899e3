//! Configuration of the function, from its template.

use domain::recording::rights::Rights;
use domain::transcript::budget::Limits;
use runtime::{BaseConfig, CallsConfig, ConfigError, Env};
use time::Duration;

use crate::languages::Policy;

#[derive(Clone, Debug)]
pub struct Config {
    /// Configuration that every function has.
    pub base: BaseConfig,
    /// The bus, and the deployment's settings of calls.
    pub calls: CallsConfig,
    /// The bucket of recordings, in which captures leave their text.
    pub bucket: String,
    /// The rights of each role to recordings and transcripts.
    pub rights: Rights,
    /// Days that a transcript is kept.
    pub retention_days: u32,
    /// The time that may be transcribed.
    pub limits: Limits,
    /// Which languages are transcribed, where and how.
    pub policy: Policy,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every missing or malformed name, in one message.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut env = Env::new();
        let per_day: u32 = env.parse("TRANSCRIPTION_MINUTES_PER_DAY");
        let config = Self {
            base: BaseConfig::read(&mut env),
            calls: CallsConfig::read(&mut env),
            bucket: env.text("RECORDINGS_BUCKET"),
            rights: env.parse("RECORDING_RIGHTS"),
            retention_days: env.parse("RECORDING_RETENTION_DAYS"),
            limits: Limits {
                per_call: Duration::minutes(env.parse::<u32>("TRANSCRIPTION_MINUTES_PER_CALL").into()),
                per_day: (per_day > 0).then(|| Duration::minutes(per_day.into())),
            },
            policy: Policy::read(&mut env),
        };
        env.finish().map(|()| config)
    }
}
