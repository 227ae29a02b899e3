//! Configuration from environment variables: read once at init, with every missing or malformed name in one message.

use std::str::FromStr;

use domain::join::JoinRules;
use domain::recording::rights::Rights;
use domain::region::MediaRegions;
use domain::schedule::{JoinWindow, Minutes};
use domain::settings::Settings;

use crate::edge::Edge;

/// Names of missing or malformed variables. Aborts init: a misconfigured function must not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", .0.join("; "))]
pub struct ConfigError(Vec<String>);

/// Reads variables and collects the errors.
#[derive(Debug, Default)]
pub struct Env {
    problems: Vec<String>,
}

impl Env {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A required variable that must not be empty. Returns an empty text if it is missing: [`Env::finish`] then
    /// fails.
    pub fn text(&mut self, name: &str) -> String {
        match std::env::var(name) {
            Ok(value) if !value.trim().is_empty() => value,
            _ => {
                self.missing(name);
                String::new()
            }
        }
    }

    /// A required variable that must parse. Returns the type's default if it does not: [`Env::finish`] then fails.
    pub fn parse<T: FromStr + Default>(&mut self, name: &str) -> T {
        let text = self.text(name);
        if text.is_empty() {
            return T::default();
        }
        text.parse().unwrap_or_else(|_| {
            self.malformed(name);
            T::default()
        })
    }

    /// A variable that may be missing or empty, which is the type's default; otherwise it must parse.
    pub fn parse_optional<T: FromStr + Default>(&mut self, name: &str) -> T {
        if self.optional(name).is_empty() { T::default() } else { self.parse(name) }
    }

    /// A variable that may be missing or empty.
    pub fn optional(&mut self, name: &str) -> String {
        std::env::var(name).unwrap_or_default().trim().to_owned()
    }

    pub(crate) fn missing(&mut self, name: &str) {
        self.problems.push(format!("{name} is missing"));
    }

    pub(crate) fn malformed(&mut self, name: &str) {
        self.problems.push(format!("{name} is malformed"));
    }

    /// Returns the collected errors.
    ///
    /// # Errors
    /// When any variable was missing or malformed.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError(self.problems)) }
    }
}

/// Configuration that every function's template sets.
#[derive(Clone, Debug)]
pub struct BaseConfig {
    /// The secret with the database's address and login.
    pub database_secret_arn: String,
    /// How requests through CloudFront are recognised.
    pub edge: Edge,
    /// The log stream's name; shows operators which environment holds a database connection.
    pub environment: String,
}

impl BaseConfig {
    /// Reads the variables.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        Self {
            database_secret_arn: env.text("DATABASE_SECRET_ARN"),
            edge: Edge::read(env),
            environment: env.text("AWS_LAMBDA_LOG_STREAM_NAME"),
        }
    }
}

/// Configuration that the templates of the functions with use cases of calls set.
#[derive(Clone, Debug)]
pub struct CallsConfig {
    /// The bus on which events for the host application are published.
    pub bus: String,
    pub settings: Settings,
}

impl CallsConfig {
    /// Reads the variables. A call is never forgotten and nobody has rights to recordings: only the function with the schedule
    /// and the status has both.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        Self {
            bus: env.text("BUS_ARN"),
            settings: Settings {
                external_id_prefix: env.text("EXTERNAL_ID_PREFIX"),
                control_region: env.text("CONTROL_REGION"),
                media_regions: MediaRegions {
                    default: env.text("MEDIA_REGION"),
                    allowed: env.parse("MEDIA_REGIONS"),
                    own: env.text("AWS_REGION"),
                },
                recording: env.parse("RECORDING"),
                transcription: env.parse("TRANSCRIPTION"),
                join_rules: JoinRules {
                    room: env.parse("WAITING_ROOM"),
                    window: JoinWindow {
                        before: env.parse::<Minutes>("JOIN_WINDOW_BEFORE_MINUTES").0,
                        after: env.parse::<Minutes>("JOIN_WINDOW_AFTER_MINUTES").0,
                    },
                },
                cancelled_statuses: env.parse("CANCELLED_STATUSES"),
                forgotten_after: None,
                recording_rights: Rights::default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_in_one_message() {
        let mut env = Env::new();
        env.text("MEDZEN_TEST_NOT_SET");
        let number: u32 = env.parse("PATH");
        assert_eq!(number, 0);
        let result = env.finish().map_err(|error| error.to_string());
        assert_eq!(
            result,
            Err("configuration: MEDZEN_TEST_NOT_SET is missing; PATH is malformed".to_owned())
        );
    }
}
