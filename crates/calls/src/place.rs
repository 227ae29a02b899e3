//! A place in a call: everything that a client needs to connect.

use domain::Error;
use domain::call::{Attendee, Member, Session};
use domain::id::{AppointmentId, ChimeAttendeeId, ChimeMeetingId, SessionId};
use domain::state::{ParticipantStatus, Role, SessionStatus};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// The caller may connect.
    Place(Place),
    /// The caller is to wait until the provider lets them in.
    Waiting(Waiting),
}

/// How often a waiting client may poll.
pub const POLL_SECONDS: u32 = 3;

/// The answer to a join that must wait. It contains no meeting, attendee or token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    pub appointment_id: AppointmentId,
    pub session_id: SessionId,
    /// Always `active`: nobody waits before or afterwards.
    pub call_status: SessionStatus,
    pub role: Role,
    pub status: ParticipantStatus,
    #[serde(serialize_with = "domain::stamp::serialize")]
    pub waiting_since: OffsetDateTime,
    /// The path to poll; once admitted, the client joins again.
    pub poll: String,
    pub message: &'static str,
}

impl Waiting {
    pub(crate) fn new(session: &Session, member: &Member<'_>, since: OffsetDateTime) -> Self {
        let appointment_id = member.appointment.id;
        Self {
            appointment_id,
            session_id: session.id,
            call_status: session.status,
            role: member.role,
            status: ParticipantStatus::Waiting,
            waiting_since: since,
            poll: format!("/appointments/{appointment_id}/call"),
            message: "The provider sees that you are here and will let you in.",
        }
    }
}

/// The answer to start, and to join where the caller may connect. It contains the join token: for its owner only, and
/// not `Debug`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    pub appointment_id: AppointmentId,
    pub session_id: SessionId,
    pub meeting_id: ChimeMeetingId,
    pub role: Role,
    /// Chime's `Meeting`, unchanged.
    pub meeting: Value,
    /// Chime's `Attendee`, unchanged, with the join token.
    pub attendee: Value,
    /// The attendee's id, as the existing app calls it.
    pub attendee_token: ChimeAttendeeId,
    /// Whether recording was requested.
    pub recording_enabled: bool,
    /// Whether transcription was requested.
    pub transcription_enabled: bool,
}

impl Place {
    pub(crate) fn new(session: &Session, member: &Member<'_>, attendee: &Attendee) -> Result<Self, Error> {
        Ok(Self {
            appointment_id: member.appointment.id,
            session_id: session.id,
            meeting_id: crate::meeting_id(session)?,
            role: member.role,
            meeting: session
                .meeting
                .clone()
                .ok_or_else(|| Error::internal("an active session without a meeting"))?,
            attendee_token: attendee.id()?,
            attendee: attendee.expose().clone(),
            recording_enabled: session.recording_enabled,
            transcription_enabled: session.transcription_enabled,
        })
    }
}
