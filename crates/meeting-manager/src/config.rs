//! Configuration of the function, from its template.

use calls::{LinkBases, Settings};
use domain::join::JoinRules;
use domain::region::MediaRegions;
use domain::schedule::{JoinWindow, Minutes};
use runtime::{BaseConfig, ConfigError, Env};

/// 0 means never.
fn minutes(minutes: u16) -> Option<time::Duration> {
    (minutes > 0).then(|| time::Duration::minutes(minutes.into()))
}

#[derive(Clone, Debug)]
pub struct Config {
    /// Configuration that every function has.
    pub base: BaseConfig,
    /// The bus on which events for the host application are published.
    pub bus: String,
    /// The deployment's settings of calls.
    pub calls: Settings,
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
        let config = Self {
            base: BaseConfig::read(&mut env),
            bus: env.text("BUS_ARN"),
            calls: Settings {
                external_id_prefix: env.text("EXTERNAL_ID_PREFIX"),
                control_region: env.text("CONTROL_REGION"),
                media_regions: MediaRegions {
                    default: env.text("MEDIA_REGION"),
                    allowed: env.parse("MEDIA_REGIONS"),
                    own: env.text("AWS_REGION"),
                },
                join_rules: JoinRules {
                    room: env.parse("WAITING_ROOM"),
                    window: JoinWindow {
                        before: env.parse::<Minutes>("JOIN_WINDOW_BEFORE_MINUTES").0,
                        after: env.parse::<Minutes>("JOIN_WINDOW_AFTER_MINUTES").0,
                    },
                },
                cancelled_statuses: env.parse("CANCELLED_STATUSES"),
                forgotten_after: minutes(env.parse("FORGOTTEN_CALL_MINUTES")),
            },
            links: LinkBases { deep: env.text("DEEP_LINK_BASE"), web: env.text("WEB_LINK_BASE") },
        };
        env.finish().map(|()| config)
    }
}
