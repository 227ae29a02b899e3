//! Decides a member's request to leave a call.

use crate::call::{Session, View};
use crate::error::{Error, reason};
use crate::state::ParticipantStatus;

/// The next step of the request.
#[derive(Debug)]
pub enum Leave<'a> {
    /// The member is in the call: store that they left.
    Store(&'a Session),
    /// The member has left before, or the call has ended: nothing changes.
    Nothing {
        /// Whether the member may join again.
        can_rejoin: bool,
    },
}

/// Decides a leave. Repeating it is not an error.
///
/// # Errors
/// 403 for strangers, 404 where there never was a call or the caller was never in it.
pub fn decide(view: &View) -> Result<Leave<'_>, Error> {
    // A participant may leave after the end too, when an observer is no member any more.
    if view.me.is_none() {
        view.member()?;
    }
    let session = view.session.as_ref().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let me = view.me.as_ref().ok_or(Error::NotFound(reason::NOT_IN_CALL))?;
    let on = session.active().is_some();
    Ok(match me.status {
        ParticipantStatus::Joined | ParticipantStatus::Waiting if on => Leave::Store(session),
        ParticipantStatus::Removed | ParticipantStatus::TurnedAway => Leave::Nothing { can_rejoin: false },
        ParticipantStatus::Invited
        | ParticipantStatus::Joined
        | ParticipantStatus::Waiting
        | ParticipantStatus::Left => Leave::Nothing { can_rejoin: on },
    })
}
