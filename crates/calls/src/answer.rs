//! The answers to start and join.

use api::attendees::WaitingResponse;
use api::call::JoinInfo;
use domain::Error;
use domain::call::{Attendee, Member, Session};
use domain::state::ParticipantStatus;
use time::OffsetDateTime;

/// Everything that a client needs to connect.
pub(crate) fn join_info(
    session: &Session,
    member: &Member<'_>,
    attendee: &Attendee,
) -> Result<JoinInfo, Error> {
    Ok(JoinInfo {
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

/// The answer to a caller who waits since then.
pub(crate) fn waiting(session: &Session, member: &Member<'_>, since: OffsetDateTime) -> WaitingResponse {
    let appointment_id = member.appointment.id;
    WaitingResponse {
        appointment_id,
        session_id: session.id,
        call_status: session.status,
        role: member.role,
        status: ParticipantStatus::Waiting,
        waiting_since: since.into(),
        poll: format!("/appointments/{appointment_id}/call"),
        message: "The provider sees that you are here and will let you in.",
    }
}
