//! Configuration of the function, from its template.

use domain::recording::rights::Rights;
use domain::transcript::budget::Limits;
use runtime::{BaseConfig, CallsConfig, ConfigError, Env};
use time::Duration;

use crate::languages::{OnOff, Policy};

#[derive(Clone, Debug)]
pub struct Config {
    /// Configuration that every function has.
    pub base: BaseConfig,
    /// The bus, and the deployment's settings of calls.
    pub calls: CallsConfig,
    /// The bucket of recordings, in which captures leave their text.
    pub bucket: String,
    /// Its ARN: a concatenation is written into it.
    pub bucket_arn: String,
    /// The ARN of its key, with which outputs of jobs are encrypted.
    pub key_arn: String,
    /// The rights of each role to recordings and transcripts.
    pub rights: Rights,
    /// Days that a transcript is kept.
    pub retention_days: u32,
    /// The time that may be transcribed.
    pub limits: Limits,
    /// Which languages are transcribed, where and how.
    pub policy: Policy,
    /// The prefix of the names of jobs.
    pub project: String,
    /// Whether a job fills the gaps of a live transcription.
    pub fill_gaps: bool,
    /// Days after which speech that was captured for its text alone is deleted, with text or without.
    pub speech_retention_days: u32,
    /// Whether medical entities are found in finished transcripts.
    pub medical_entities: bool,
    /// The region to which their text is sent.
    pub comprehend_medical_region: String,
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
            bucket_arn: env.text("RECORDINGS_BUCKET_ARN"),
            key_arn: env.text("RECORDINGS_KEY_ARN"),
            rights: env.parse("RECORDING_RIGHTS"),
            retention_days: env.parse("RECORDING_RETENTION_DAYS"),
            limits: Limits {
                per_call: Duration::minutes(env.parse::<u32>("TRANSCRIPTION_MINUTES_PER_CALL").into()),
                per_day: (per_day > 0).then(|| Duration::minutes(per_day.into())),
            },
            policy: Policy::read(&mut env),
            project: env.text("PROJECT"),
            fill_gaps: env.parse::<OnOff>("TRANSCRIPTION_FILL_GAPS").0,
            speech_retention_days: env.parse("SPEECH_RETENTION_DAYS"),
            medical_entities: env.parse::<OnOff>("MEDICAL_ENTITIES").0,
            comprehend_medical_region: env.text("COMPREHEND_MEDICAL_REGION"),
        };
        env.finish().map(|()| config)
    }
}
