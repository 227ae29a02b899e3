//! Decides a provider's request to start a call.

use time::{Duration, OffsetDateTime};

use crate::call::{ActiveCall, Attempt, Attendee, Meeting, Member, Session, SessionState, View};
use crate::error::{Error, reason};
use crate::id::ChimeMeetingId;
use crate::liveness;
use crate::schedule::{self, JoinWindow};
use crate::state::{ParticipantStatus, Role};

/// The step that the request has to take.
#[derive(Debug)]
pub enum Start<'a> {
    /// This request inserted the session or took over its attempt: create the meeting.
    Create(&'a Session, &'a Attempt),
    /// Another request creates the meeting: read again, and take over when its attempt does not progress.
    Wait(&'a Session, &'a Attempt),
    /// No request finished creating the meeting, and the token is too old to reuse: fail the session and insert
    /// another.
    Expired(&'a Session, &'a Attempt),
    /// The call is active and the provider is in it: return the stored place.
    Resume(&'a Session, &'a Meeting, &'a Attendee),
    /// The call is active and the provider had left it: store the return, then return the stored place.
    Return(&'a Session, &'a Meeting, &'a Attendee),
    /// The call is active in the database, but Chime must be asked before the stored place is returned.
    Check(&'a Session),
    /// The call is active and the provider has no place in it yet: join it.
    Join(&'a Session, &'a Meeting),
    /// The previous call is `ending`: finish that, then start again.
    FinishEnd(&'a Session, ChimeMeetingId),
    /// A capture is open for purposes to which the provider has not consented: the provider gets no token.
    ConsentRequired(&'a Session),
}

/// How long a token is reused. Chime does not document how long it remembers one, and a meeting that nobody can join
/// ends after five minutes: later than this, a new session is safer than the old token.
pub const TOKEN_LIFE: Duration = Duration::seconds(30);

/// Decides a start. `request` is this request's id; `checked`: the client could not connect to the stored meeting and
/// requests a check. A call that is active continues, whatever became of the appointment.
///
/// # Errors
/// 403 for everyone but the provider; 409 for a call that is not active where the appointment is cancelled or not held by
/// video, and outside the join window.
pub fn decide<'a>(
    view: &'a View,
    request: &str,
    checked: bool,
    window: JoinWindow,
    now: OffsetDateTime,
) -> Result<Start<'a>, Error> {
    let member = may_start(view)?;
    let Some(session) = &view.session else {
        return Err(why_not_opened(&member, window, now));
    };
    Ok(match &session.state {
        SessionState::Creating(attempt) if attempt.by.as_deref() == Some(request) => {
            Start::Create(session, attempt)
        }
        SessionState::Creating(attempt) if now - session.created_at > TOKEN_LIFE => {
            Start::Expired(session, attempt)
        }
        SessionState::Creating(attempt) => {
            schedule::may_start(member.appointment, window, now)?;
            Start::Wait(session, attempt)
        }
        SessionState::Ending { meeting_id } => Start::FinishEnd(session, *meeting_id),
        SessionState::Active(_) if !view.consent_required.is_empty() => Start::ConsentRequired(session),
        SessionState::Active(call) if liveness::must_verify(call, checked, now) => Start::Check(session),
        SessionState::Active(ActiveCall { meeting, .. }) => {
            match (view.attendee(), view.me.as_ref().map(|me| me.status)) {
                (Some(attendee), Some(ParticipantStatus::Joined)) => {
                    Start::Resume(session, meeting, attendee)
                }
                (Some(attendee), _) => Start::Return(session, meeting, attendee),
                (None, _) => Start::Join(session, meeting),
            }
        }
        SessionState::Ended(_) | SessionState::Failed(_) => {
            return Err(why_not_opened(&member, window, now));
        }
    })
}

/// The caller as a member, if they may start the appointment's call.
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

fn why_not_opened(member: &Member<'_>, window: JoinWindow, now: OffsetDateTime) -> Error {
    match schedule::may_start(member.appointment, window, now) {
        Err(conflict) => conflict,
        Ok(()) => Error::internal("the provider's start opened no session"),
    }
}
