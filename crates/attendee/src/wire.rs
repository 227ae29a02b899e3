//! JSON in.

use domain::id::AppointmentId;
use serde::Deserialize;

/// What a direct invocation wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Join,
    Leave,
    Roster,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ActionBody {
    #[serde(deserialize_with = "runtime::word")]
    pub(crate) action: Action,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RosterBody {
    pub(crate) appointment_id: AppointmentId,
}
