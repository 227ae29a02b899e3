//! The answers to start and join.

use api::attendees::WaitingResponse;
use api::call::JoinInfo;
use api::consent::{ConsentRequired, ConsentRequiredResponse};
use domain::Error;
use domain::call::{Attendee, Meeting, Member, Session};
use domain::consent::RequiredConsent;
use domain::state::ParticipantStatus;
use time::OffsetDateTime;

/// Everything that a client needs to connect.
pub(crate) fn join_info(
    session: &Session,
    meeting: &Meeting,
    member: &Member<'_>,
    attendee: &Attendee,
) -> Result<JoinInfo, Error> {
    Ok(JoinInfo {
        appointment_id: member.appointment.id,
        session_id: session.id,
        meeting_id: meeting.id,
        role: member.role,
        meeting: meeting.json.clone(),
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
        call_status: session.status(),
        role: member.role,
        status: ParticipantStatus::Waiting,
        waiting_since: since.into(),
        poll: format!("/appointments/{appointment_id}/call"),
        message: "The provider sees that you are here and will let you in.",
    }
}

/// The answer to a caller who gets no token without these consents.
pub(crate) fn consent_required(
    session: &Session,
    member: &Member<'_>,
    required: &[RequiredConsent],
) -> ConsentRequiredResponse {
    let appointment_id = member.appointment.id;
    ConsentRequiredResponse {
        appointment_id,
        session_id: session.id,
        call_status: session.status(),
        role: member.role,
        status: ConsentRequired::ConsentRequired,
        purposes: required.iter().map(|required| required.purpose).collect(),
        stopping: required
            .iter()
            .filter(|required| required.stopping)
            .map(|required| required.purpose)
            .collect(),
        poll: format!("/appointments/{appointment_id}/call"),
        message: "This call is being recorded or transcribed. You can enter once you have agreed or it has stopped.",
    }
}
