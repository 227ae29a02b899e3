//! What a member's request to leave a call comes to.

use crate::call::{Session, View};
use crate::error::{Error, reason};
use crate::state::ParticipantStatus;

/// What is to be done.
#[derive(Debug)]
pub enum Leave<'a> {
    /// Is in the call: note that they left.
    Store(&'a Session),
    /// Has left before, or the call is over: nothing changes. `can_rejoin` tells whether it still goes on.
    Nothing {
        /// Whether they may come again.
        can_rejoin: bool,
    },
}

/// Decides a leave. It may be repeated: leaving twice is no error.
///
/// # Errors
/// 403 for strangers, 404 where there never was a call or the caller was never in it.
pub fn decide(view: &View) -> Result<Leave<'_>, Error> {
    // Who has a part in the call may say so after its end too, when an observer is no member any more.
    if view.me.is_none() {
        view.member()?;
    }
    let session = view.session.as_ref().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let me = view.me.as_ref().ok_or(Error::NotFound(reason::NOT_IN_CALL))?;
    let on = session.status == crate::state::SessionStatus::Active;
    Ok(match me.status {
        ParticipantStatus::Joined | ParticipantStatus::Waiting if on => Leave::Store(session),
        ParticipantStatus::Removed | ParticipantStatus::TurnedAway => Leave::Nothing { can_rejoin: false },
        ParticipantStatus::Invited
        | ParticipantStatus::Joined
        | ParticipantStatus::Waiting
        | ParticipantStatus::Left => Leave::Nothing { can_rejoin: on },
    })
}
