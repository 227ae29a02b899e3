//! A place in a call: what a client needs to connect.

use domain::Error;
use domain::call::{Attendee, Member, Session};
use domain::id::{AppointmentId, ChimeAttendeeId, ChimeMeetingId, SessionId};
use domain::state::Role;
use serde::Serialize;
use serde_json::Value;

/// The answer to start and join. Bears the join token: for its owner only, and not `Debug`.
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
