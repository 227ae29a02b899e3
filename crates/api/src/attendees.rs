//! Participants of a call: join, leave, roster, change, remove.

use domain::admission::ParticipantChange;
use domain::capabilities::{Capabilities, CapabilityChange, Direction};
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::state::{ObserverKind, ParticipantStatus, Role, SessionStatus};
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::call::JoinInfo;
use crate::consent::ConsentRequiredResponse;
use crate::fields::{Object, null_as_default, optional_member};

/// Names the participant that a direct invocation is about. Not `userId`: that names the actor.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ParticipantSelector {
    /// The user id.
    pub participant_id: UserId,
}

/// The body of a join. All of it is optional.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JoinRequest {
    /// The client could not connect to the meeting it was given: ask Chime before answering.
    #[serde(default, deserialize_with = "null_as_default")]
    pub checked: bool,
    /// The caller, who is alone in the call, wants it to go on: the answer to `endsAt` of the status.
    #[serde(default, deserialize_with = "null_as_default")]
    pub stay: bool,
}

/// The answer to join.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum JoinResponse {
    /// The caller may connect.
    Joined(JoinInfo),
    /// The caller waits until the provider admits them.
    Waiting(WaitingResponse),
    /// The caller must consent, or refuse, first.
    ConsentRequired(ConsentRequiredResponse),
}

/// How often a client that waits to be admitted, or for its consent, may poll, in seconds.
pub const POLL_SECONDS: u32 = 3;

/// The answer to a join that must wait. It contains no meeting, attendee or token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WaitingResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Always `active`: nobody waits before or afterwards.
    pub call_status: SessionStatus,
    /// The caller's role.
    pub role: Role,
    /// Always `waiting`.
    pub status: ParticipantStatus,
    /// Since when.
    pub waiting_since: Timestamp,
    /// The path to poll; once admitted, the client joins again.
    pub poll: String,
    /// A sentence for people.
    pub message: &'static str,
}

/// The answer to leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LeaveResponse {
    /// A sentence for people.
    pub message: &'static str,
    /// Whether the call goes on and may be joined again.
    pub can_rejoin: bool,
}

/// The answer to roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RosterResponse {
    /// The session: the open one, else the latest.
    pub session_id: SessionId,
    /// All participants that the caller may see.
    pub attendees: Vec<RosterAttendee>,
}

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RosterAttendee {
    /// The user id.
    pub user_id: UserId,
    /// The display name.
    pub display_name: Option<String>,
    /// The role.
    pub role: Role,
    /// The status.
    pub status: ParticipantStatus,
    /// The attendee's id, which maps video tiles to participants. Never the join token.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Whether the participant is in the call now.
    pub present: bool,
    /// When the participant last joined.
    pub joined_at: Option<Timestamp>,
    /// When the participant last left.
    pub left_at: Option<Timestamp>,
    /// Time in the call in seconds.
    pub duration_seconds: i64,
    /// Connections that began, by Chime's events.
    pub connections: i32,
    /// Connections that were lost, by Chime's events.
    pub drops: i32,
    /// The media that the participant may send and receive.
    pub capabilities: Capabilities,
    /// Whether the provider admitted the participant to this session.
    pub admitted: bool,
    /// Since when the participant waits, if so.
    pub waiting_since: Option<Timestamp>,
    /// The kind of observer, where the invitation named one.
    pub observer_kind: Option<ObserverKind>,
}

/// A change of capabilities; an absent medium stays as it is. At least one is required.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CapabilitiesRequest {
    /// Microphone and speaker.
    #[serde(default, deserialize_with = "optional_member")]
    audio: Option<Direction>,
    /// Camera and video tiles.
    #[serde(default, deserialize_with = "optional_member")]
    video: Option<Direction>,
    /// A shared screen. Receiving it requires receiving video.
    #[serde(default, deserialize_with = "optional_member")]
    content: Option<Direction>,
}

impl From<CapabilitiesRequest> for CapabilityChange {
    fn from(request: CapabilitiesRequest) -> Self {
        Self { audio: request.audio, video: request.video, content: request.content }
    }
}

/// A change of a participant's place in the call. At least one field is required.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ChangeRequest {
    /// True admits the participant; false turns them away.
    admitted: Option<bool>,
    /// The media that the participant may send and receive.
    capabilities: Option<Object<CapabilitiesRequest>>,
}

impl From<ChangeRequest> for ParticipantChange {
    fn from(request: ChangeRequest) -> Self {
        Self { admitted: request.admitted, capabilities: request.capabilities.map(|wish| wish.0.into()) }
    }
}

/// The answer to a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RemoveResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call that the participant cannot join any more.
    pub session_id: SessionId,
    /// The user id.
    pub user_id: UserId,
    /// Always `removed`.
    pub status: ParticipantStatus,
    /// A sentence for people.
    pub message: &'static str,
}
