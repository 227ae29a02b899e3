//! States of a call and of those in it.

use serde::{Deserialize, Serialize};

/// The state of a session. An appointment without a session is "not started"; that is no state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Its meeting is being made; no token has been handed out.
    Creating,
    /// Its meeting is known and may be joined.
    Active,
    /// It is being ended; nobody may join any more.
    Ending,
    /// Over. Final.
    Ended,
    /// Its meeting could not be made. Final.
    Failed,
}

impl SessionStatus {
    /// Whether the session stands in the way of a new one: an appointment has at most one open session.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Creating | Self::Active | Self::Ending => true,
            Self::Ended | Self::Failed => false,
        }
    }

    /// As the database and the wire spell it.
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

/// What someone is in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds the consultation: starts, ends, admits.
    Provider,
    /// Whose consultation it is.
    Patient,
    /// Invited by the provider for one call.
    Observer,
}

impl Role {
    /// As the database and the wire spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Patient => "patient",
            Self::Observer => "observer",
        }
    }
}

/// What an observer comes as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObserverKind {
    /// Says what the others say in another language.
    Interpreter,
    /// Someone of the patient's own, who takes part.
    Family,
    /// Learns by watching.
    Student,
}

impl ObserverKind {
    /// As the database and the wire spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::Family => "family",
            Self::Student => "student",
        }
    }
}

/// Where someone stands in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ParticipantStatus {
    /// May come, has not yet.
    Invited,
    /// Has come and waits to be admitted.
    Waiting,
    /// Has been given an attendee.
    Joined,
    /// Has left and may come again while the call lasts.
    Left,
    /// Was removed and may not come again to this call.
    Removed,
    /// Came or was invited, and the provider said no. May come once the provider says otherwise.
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
