//! Legal holds.

use domain::hold::HoldReason;
use domain::id::AppointmentId;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The body of a hold.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct HoldRequest {
    /// A case number or a code, and no names: 1 to 200 ASCII letters, digits, single spaces and `-._/:#`.
    pub reason: HoldReason,
}

/// The legal hold on what is kept of an appointment: recordings, transcripts and audit entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HoldResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// Whether a hold stands: then nothing that is kept of the appointment is deleted.
    pub on_hold: bool,
    /// The reason of the newest hold; null where there has been none, like the fields that follow.
    pub reason: Option<HoldReason>,
    /// When it was placed.
    pub placed_at: Option<Timestamp>,
    /// By whom: the auditor's user id, or `sub:` with the SHA-256 of the subject for one without an account.
    pub placed_by: Option<String>,
    /// When it was lifted; null while it stands.
    pub lifted_at: Option<Timestamp>,
    /// By whom it was lifted.
    pub lifted_by: Option<String>,
    /// How far it, or its end, is applied to the files of recordings.
    pub files: HoldProgress,
    /// How far it, or its end, is applied to the expiry of the audit entries.
    pub audit_entries: HoldProgress,
    /// Recordings that are kept.
    pub recordings: u64,
    /// Recordings whose deletion was requested before the hold: their files may be gone, or be deleted when the hold is lifted.
    pub deleted_recordings: u64,
}

/// How far a hold, or its end, is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HoldProgress {
    /// Whether it is on all of them, or on none any more.
    pub applied: bool,
    /// When it last was.
    pub applied_at: Option<Timestamp>,
    /// How many it was applied to: versions of files, or entries.
    pub count: u64,
}
