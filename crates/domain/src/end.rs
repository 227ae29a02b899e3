//! Decides a provider's request to end a call.

use crate::call::{ActiveCall, ClosedCall, Session, SessionState, View};
use crate::error::{Error, reason};
use crate::id::ChimeMeetingId;
use crate::state::Role;

/// The next step of the request.
#[derive(Debug)]
pub enum End<'a> {
    /// Set the session to `ending`, delete the meeting at Chime, then set the session to `ended`.
    Begin(&'a Session, ChimeMeetingId),
    /// Another request began the end and did not finish it: finish it.
    Finish(&'a Session, ChimeMeetingId),
    /// The meeting is not known yet: close the session. The request that creates the meeting deletes it when it sees
    /// that.
    Abandon(&'a Session),
    /// The session has ended already.
    Already(&'a Session, ClosedCall),
}

/// Decides an end. Repeating it is not an error.
///
/// # Errors
/// 403 for everyone but the provider; 404 only where there never was a call.
pub fn decide(view: &View) -> Result<End<'_>, Error> {
    match view.member()?.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PATIENT_CANNOT_END)),
    }
    let session = view.session.as_ref().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    Ok(match &session.state {
        SessionState::Creating(_) => End::Abandon(session),
        SessionState::Active(ActiveCall { meeting, .. }) => End::Begin(session, meeting.id),
        SessionState::Ending { meeting_id } => End::Finish(session, *meeting_id),
        SessionState::Ended(closed) | SessionState::Failed(closed) => End::Already(session, *closed),
    })
}
