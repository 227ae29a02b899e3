//! The decisions of a call's participants on recording and transcription.

use serde::{Deserialize, Serialize};

use crate::id::UserId;

/// The purpose of a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConsentPurpose {
    /// Audio and video are recorded.
    Recording,
    /// Speech is transcribed to text.
    Transcription,
}

impl ConsentPurpose {
    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Transcription => "transcription",
        }
    }
}

/// A participant's decision on one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    pub user_id: UserId,
    pub kind: ConsentPurpose,
    /// Granted, or refused or revoked.
    pub granted: bool,
    /// How many decisions the participant has made on this purpose.
    pub changes: u32,
}

/// A purpose of an open capture to which the caller has not consented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RequiredConsent {
    pub purpose: ConsentPurpose,
    /// Whether the stop of each capture with this purpose was requested.
    pub stopping: bool,
}
