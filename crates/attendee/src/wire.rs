//! JSON in.

use domain::id::{AppointmentId, UserId};
use serde::Deserialize;

/// What a direct invocation wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Join,
    Leave,
    Roster,
    Change,
    Remove,
    Consent,
    Quality,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ActionBody {
    #[serde(deserialize_with = "runtime::word")]
    pub(crate) action: Action,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppointmentBody {
    pub(crate) appointment_id: AppointmentId,
}

/// About whom something is decided. Not `userId`: that names the actor of a direct invocation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParticipantBody {
    pub(crate) appointment_id: AppointmentId,
    pub(crate) participant_id: UserId,
}
