//! Invitations: the provider gives people a part in a call.

use domain::Error;
use domain::capabilities::CapabilityChange;
use domain::error::ItemReason;
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::invite::Terms;
use domain::state::{ObserverKind, ParticipantStatus, Role};
use serde::{Deserialize, Serialize};

use crate::attendees::CapabilitiesRequest;
use crate::fields::{Object, optional_member};

/// Who is invited, on which terms.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InviteRequest {
    /// One to ten users.
    pub user_ids: Vec<UserId>,
    /// What those who are not the appointment's patient observe as.
    #[serde(default, deserialize_with = "optional_member")]
    observer_kind: Option<ObserverKind>,
    /// What they may send and receive, where it differs from their kind's default.
    capabilities: Option<Object<CapabilitiesRequest>>,
}

impl InviteRequest {
    /// The terms of the invitation.
    ///
    /// # Errors
    /// 422 for capabilities without any.
    pub fn terms(&self) -> Result<Terms, Error> {
        let wish = self.capabilities.map(|wish| CapabilityChange::from(wish.0).checked()).transpose()?;
        Ok(Terms { observer_kind: self.observer_kind, capabilities: wish.unwrap_or_default() })
    }
}

/// The answer to an invitation. No join token is in it: each is for its owner, who gets it by joining.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InviteResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Those who may join now.
    pub attendees: Vec<InvitedAttendee>,
    /// Those who may not, and why.
    pub errors: Vec<InvitationError>,
}

/// Someone who may join.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitedAttendee {
    /// Their user id.
    pub user_id: UserId,
    /// Their attendee's id; null for someone who was admitted and gets one by joining.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Their role.
    pub role: Role,
    /// Their status; `invited` until they join.
    pub status: ParticipantStatus,
}

/// Someone who may not join.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitationError {
    /// Their user id.
    pub user_id: UserId,
    /// For programs.
    pub code: &'static str,
    /// A sentence for people.
    pub error: &'static str,
}

impl InvitationError {
    /// Why this user may not join.
    #[must_use]
    pub const fn new(user_id: UserId, reason: ItemReason) -> Self {
        Self { user_id, code: reason.code, error: reason.text }
    }
}
