//! The settings of a deployment.

use std::str::FromStr;

use crate::join::JoinRules;
use crate::recording::rights::Rights;
use crate::region::MediaRegions;
use crate::schedule::CancelledStatuses;

/// The deployment's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Prefix of the session's id in `ExternalMeetingId`: distinguishes our meetings from others in the account.
    pub external_id_prefix: String,
    /// Where meetings are created.
    pub control_region: String,
    /// Where media is processed.
    pub media_regions: MediaRegions,
    /// Whether calls can be recorded.
    pub recording: Availability,
    /// Whether calls can be transcribed.
    pub transcription: Availability,
    /// Whether participants wait until the provider admits them, and when a call may be entered.
    pub join_rules: JoinRules,
    /// The host's appointment statuses that mean "cancelled".
    pub cancelled_statuses: CancelledStatuses,
    /// How long a participant is alone in a call before being asked whether it is to go on; `None`: never.
    pub forgotten_after: Option<time::Duration>,
    /// The rights of each role to recordings, which the status states; none where calls are not recorded.
    pub recording_rights: Rights,
}

/// Whether the deployment has a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Availability {
    On,
    #[default]
    Off,
}

/// A text that is neither `on` nor `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be on or off")]
pub struct NotAnAvailability;

impl FromStr for Availability {
    type Err = NotAnAvailability;

    fn from_str(text: &str) -> Result<Self, NotAnAvailability> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(NotAnAvailability),
        }
    }
}
