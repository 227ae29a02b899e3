//! Those in a call: join, leave, roster, change, remove.

use domain::admission::ParticipantChange;
use domain::capabilities::{Capabilities, CapabilityChange, Direction};
use domain::id::{AppointmentId, ChimeAttendeeId, SessionId, UserId};
use domain::state::{ObserverKind, ParticipantStatus, Role, SessionStatus};
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::call::JoinInfo;
use crate::fields::{Object, null_as_default, optional_member};

/// Names the participant that a direct invocation is about. Not `userId`: that names the actor.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ParticipantSelector {
    /// Their user id.
    pub participant_id: UserId,
}

/// The body of a join. All of it is optional.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JoinRequest {
    /// The client could not connect with what it was given: ask Chime before answering.
    #[serde(default, deserialize_with = "null_as_default")]
    pub checked: bool,
}

/// The answer to join.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum JoinResponse {
    /// The caller may connect.
    Joined(JoinInfo),
    /// The caller waits until the provider admits them.
    Waiting(WaitingResponse),
}

/// How often a client that waits may poll, in seconds.
pub const POLL_SECONDS: u32 = 3;

/// The answer to the join of someone who waits to be admitted. No meeting, attendee or token is in it.
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
    /// The path to poll. When the caller was admitted, they join again.
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
    /// Everyone with a part in it whom the caller may see.
    pub attendees: Vec<RosterAttendee>,
}

/// One person of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RosterAttendee {
    /// Their user id.
    pub user_id: UserId,
    /// Their name.
    pub display_name: Option<String>,
    /// Their role.
    pub role: Role,
    /// Their status.
    pub status: ParticipantStatus,
    /// Their attendee's id, by which a video tile is theirs. Never the join token.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Whether they are in the call now.
    pub present: bool,
    /// When they last joined.
    pub joined_at: Option<Timestamp>,
    /// When they last left.
    pub left_at: Option<Timestamp>,
    /// How long they have been in the call, in seconds.
    pub duration_seconds: i64,
    /// How many connections of theirs Chime has reported.
    pub connections: i32,
    /// How many of them were lost.
    pub drops: i32,
    /// What they may send and receive.
    pub capabilities: Capabilities,
    /// Whether they were admitted to this session.
    pub admitted: bool,
    /// Since when they wait, if they do.
    pub waiting_since: Option<Timestamp>,
    /// The kind of observer, where the invitation named one.
    pub observer_kind: Option<ObserverKind>,
}

/// What someone is to send and receive from now on; what is absent stays. At least one is required.
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

/// What is to be changed of someone's part in the call. At least one is required.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ChangeRequest {
    /// True admits someone who waits; false turns them away.
    admitted: Option<bool>,
    /// What they may send and receive.
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
    /// The call that they cannot join any more.
    pub session_id: SessionId,
    /// Their user id.
    pub user_id: UserId,
    /// Always `removed`.
    pub status: ParticipantStatus,
    /// A sentence for people.
    pub message: &'static str,
}
