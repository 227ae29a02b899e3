//! States of a session and of its participants.

use serde::{Deserialize, Serialize};

/// The status of a session. An appointment without a session is "not started", which is not a status of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Its meeting is being created; no token has been handed out.
    Creating,
    /// Its meeting is known and members may join.
    Active,
    /// It is being ended; nobody may join any more.
    Ending,
    /// It has ended. Final.
    Ended,
    /// Its meeting could not be created. Final.
    Failed,
}

impl SessionStatus {
    /// Whether the session prevents a new one: an appointment has at most one open session.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Creating | Self::Active | Self::Ending => true,
            Self::Ended | Self::Failed => false,
        }
    }

    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

/// A participant's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds the consultation: starts and ends the call, admits participants.
    Provider,
    /// The patient of the consultation.
    Patient,
    /// Invited by the provider to one call.
    Observer,
}

impl Role {
    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Patient => "patient",
            Self::Observer => "observer",
        }
    }
}

/// The kind of an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObserverKind {
    /// Interprets between languages.
    Interpreter,
    /// A relative of the patient, who takes part.
    Family,
    /// Watches to learn.
    Student,
}

impl ObserverKind {
    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::Family => "family",
            Self::Student => "student",
        }
    }
}

/// A participant's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ParticipantStatus {
    /// May join, has not joined yet.
    Invited,
    /// Waits to be admitted.
    Waiting,
    /// Was given an attendee.
    Joined,
    /// Left and may join again while the call lasts.
    Left,
    /// Was removed and may not join this call again.
    Removed,
    /// Was turned away by the provider, before joining. May join once the provider admits them.
    TurnedAway,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_and_the_database_spell_states_alike() {
        for status in [
            SessionStatus::Creating,
            SessionStatus::Active,
            SessionStatus::Ending,
            SessionStatus::Ended,
            SessionStatus::Failed,
        ] {
            assert_eq!(serde_json::to_value(status).ok(), Some(status.as_str().into()));
        }
        for role in [Role::Provider, Role::Patient, Role::Observer] {
            assert_eq!(serde_json::to_value(role).ok(), Some(role.as_str().into()));
        }
        for kind in [ObserverKind::Interpreter, ObserverKind::Family, ObserverKind::Student] {
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.as_str().into()));
        }
    }
}
