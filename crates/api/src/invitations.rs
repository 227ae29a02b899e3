//! Invitations: the provider gives users a place in a call.

use domain::Error;
use domain::capabilities::CapabilityChange;
use domain::error::ItemReason;
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::invite::Terms;
use domain::state::{ObserverKind, ParticipantStatus, Role};
use serde::{Deserialize, Serialize};

use crate::attendees::CapabilitiesRequest;
use crate::fields::{Object, optional_member};

/// The invited users and the terms.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InviteRequest {
    /// One to ten users.
    pub user_ids: Vec<UserId>,
    /// The kind of the invited observers.
    #[serde(default, deserialize_with = "optional_member")]
    observer_kind: Option<ObserverKind>,
    /// A change of every invited user's default capabilities.
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

/// The answer to an invitation. It contains no join token: each user gets their own by joining.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InviteResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Users who may join now.
    pub attendees: Vec<InvitedAttendee>,
    /// Users who could not be invited.
    pub errors: Vec<InvitationError>,
}

/// A user who may join.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitedAttendee {
    /// The user id.
    pub user_id: UserId,
    /// The attendee's id; null for a user who was admitted and gets one by joining.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// The role.
    pub role: Role,
    /// The status; `invited` until the user joins.
    pub status: ParticipantStatus,
}

/// A user who could not be invited.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitationError {
    /// The user id.
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
