//! A place in a call: what a client needs to connect.

use domain::Error;
use domain::call::{Attendee, Member, Session};
use domain::id::{AppointmentId, ChimeAttendeeId, ChimeMeetingId, SessionId};
use domain::state::{ParticipantStatus, Role, SessionStatus};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

/// The answer to join.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// The caller may connect.
    Place(Place),
    /// The caller is to wait until the provider lets them in.
    Waiting(Waiting),
}

/// How often who waits may ask whether they may come in.
pub const POLL_SECONDS: u32 = 3;

/// Someone waits. No meeting, attendee or token is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Always `active`: before, nobody waits, and afterwards nobody does any more.
    pub call_status: SessionStatus,
    /// As what the caller comes.
    pub role: Role,
    /// Always `waiting`.
    pub status: ParticipantStatus,
    /// Since when.
    #[serde(serialize_with = "domain::stamp::serialize")]
    pub waiting_since: OffsetDateTime,
    /// Where to ask whether they were admitted; then they join again.
    pub poll: String,
    /// For people.
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

/// The answer to start, and to join where the caller may connect. Bears the join token: for its owner only, and not `Debug`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Chime's id of it.
    pub meeting_id: ChimeMeetingId,
    /// As what the caller takes part.
    pub role: Role,
    /// Chime's `Meeting`, as it came.
    pub meeting: Value,
    /// Chime's `Attendee`, as it came, with the join token.
    pub attendee: Value,
    /// The attendee's id, as the existing app calls it.
    pub attendee_token: ChimeAttendeeId,
    /// Whether recording was asked for.
    pub recording_enabled: bool,
    /// Whether transcription was asked for.
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
