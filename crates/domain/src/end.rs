//! What a provider's request to end a call comes to.

use crate::call::{Session, View};
use crate::error::{Error, reason};
use crate::state::{Role, SessionStatus};

/// What is to be done.
#[derive(Debug)]
pub enum End<'a> {
    /// Tell the database that it ends, then Chime, then the database that it has ended.
    Begin(&'a Session),
    /// Somebody began and did not finish, or is about to: finish it.
    Finish(&'a Session),
    /// Its meeting is not known yet: close the session; who makes the meeting deletes it on seeing that.
    Abandon(&'a Session),
    /// Over already: answer so.
    Already(&'a Session),
}

/// Decides an end. It may be repeated: ending twice is no error.
///
/// # Errors
/// 403 for everyone but the provider; 404 only where there never was a call.
pub fn decide(view: &View) -> Result<End<'_>, Error> {
    match view.member()?.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PATIENT_CANNOT_END)),
    }
    let session = view.session.as_ref().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    Ok(match session.status {
        SessionStatus::Creating => End::Abandon(session),
        SessionStatus::Active => End::Begin(session),
        SessionStatus::Ending => End::Finish(session),
        SessionStatus::Ended | SessionStatus::Failed => End::Already(session),
    })
}
