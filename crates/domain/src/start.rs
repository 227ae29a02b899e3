//! What a provider's request to start a call comes to.

use time::{Duration, OffsetDateTime};

use crate::call::{Attendee, Member, Session, View};
use crate::error::{Error, reason};
use crate::liveness;
use crate::state::{ParticipantStatus, Role, SessionStatus};

/// What is to be done.
#[derive(Debug)]
pub enum Start<'a> {
    /// This request opened the session, or took it over: make the meeting.
    Create(&'a Session),
    /// Another request makes the meeting: look again, and take over when it does not move.
    Wait(&'a Session),
    /// Nobody finished making the meeting, and its token is too old to be used again: fail the session, open another.
    Expired(&'a Session),
    /// The call is on and the caller is in it: answer what is stored.
    Resume(&'a Session, &'a Attendee),
    /// The call is on and the caller had left it: note the return, answer what is stored.
    Return(&'a Session, &'a Attendee),
    /// The call is on by our account; ask Chime before answering what is stored.
    Check(&'a Session),
    /// The call is on and the caller has no place in it yet: join it.
    Join(&'a Session),
    /// The previous call is still being ended: finish that, then start again.
    FinishEnd(&'a Session),
}

/// How long a token is used again. Chime does not say how long it remembers one, and a meeting that nobody could join
/// is over after five minutes: later than this, a new session is safer than the old token.
pub const TOKEN_LIFE: Duration = Duration::seconds(30);

/// Decides a start. `request` is this request's id; `checked`: the client found the stored meeting dead and wants it asked
/// for.
///
/// # Errors
/// 403 for everyone but the provider; 409 where the appointment is not one to be held by video.
pub fn decide<'a>(
    view: &'a View,
    request: &str,
    checked: bool,
    now: OffsetDateTime,
) -> Result<Start<'a>, Error> {
    let member = may_start(view)?;
    let Some(session) = view.session.as_ref().filter(|session| session.status.is_open()) else {
        return Err(why_not_opened(&member));
    };
    Ok(match session.status {
        SessionStatus::Creating if session.attempt_by.as_deref() == Some(request) => Start::Create(session),
        SessionStatus::Creating if now - session.created_at > TOKEN_LIFE => Start::Expired(session),
        SessionStatus::Creating => Start::Wait(session),
        SessionStatus::Ending => Start::FinishEnd(session),
        SessionStatus::Active => match (view.attendee(), view.me.as_ref().map(|me| me.status)) {
            _ if liveness::must_verify(session, checked, now) => Start::Check(session),
            (Some(attendee), Some(ParticipantStatus::Joined)) => Start::Resume(session, attendee),
            (Some(attendee), _) => Start::Return(session, attendee),
            (None, _) => Start::Join(session),
        },
        SessionStatus::Ended | SessionStatus::Failed => return Err(why_not_opened(&member)),
    })
}

/// The caller, if they may start this appointment's call.
///
/// # Errors
/// 403 for everyone but the provider.
pub fn may_start(view: &View) -> Result<Member<'_>, Error> {
    let member = view.member()?;
    match member.role {
        Role::Provider => Ok(member),
        Role::Patient | Role::Observer => Err(Error::Forbidden(reason::PATIENT_CANNOT_CREATE)),
    }
}

fn why_not_opened(member: &Member<'_>) -> Error {
    match member.appointment.held_by_video() {
        Err(conflict) => conflict,
        Ok(()) => Error::internal("the provider's start opened no session"),
    }
}
