//! What a member's request to join a call comes to.

use std::time::Duration;

use time::OffsetDateTime;

use crate::admission::{self, AdmissionState, WaitingRoom};
use crate::call::{Attendee, Session, Target, View};
use crate::error::{Error, reason};
use crate::liveness;
use crate::state::{ParticipantStatus, SessionStatus};

/// How often someone may come within a minute: more than any network makes them, and too few to fill an audit.
pub const MAX_JOINS_PER_MINUTE: u32 = 30;

const JOIN_RATE_WINDOW: Duration = Duration::from_mins(1);

/// What is to be done.
#[derive(Debug)]
pub enum Join<'a> {
    /// In the call already: answer what is stored.
    Resume(&'a Session, &'a Attendee),
    /// Was in the call and left: note the return, answer what is stored.
    Return(&'a Session, &'a Attendee),
    /// Has an attendee, but whether the meeting still lives must be asked first.
    Check(&'a Session, &'a Attendee),
    /// Needs an attendee. Making it tells whether the meeting lives.
    CreateAttendee(&'a Session),
    /// Is to wait until the provider lets them in: note it.
    Wait(&'a Session),
    /// Waits already, since then: answer that.
    Waiting(&'a Session, OffsetDateTime),
}

/// Decides a join. `checked`: the client found the stored meeting dead and wants it asked for.
///
/// # Errors
/// 403 for strangers, the removed and who was turned away; 404 where no call is on; 409 while it is being started; 410 for a call that is over;
/// 429 for who has come [`MAX_JOINS_PER_MINUTE`] times within a minute, unless they are in it or wait already.
pub fn decide(
    view: &View,
    target: Target,
    checked: bool,
    room: WaitingRoom,
    now: OffsetDateTime,
) -> Result<Join<'_>, Error> {
    let member = view.member()?;
    let session = view.session.as_ref().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    match session.status {
        SessionStatus::Active => {}
        SessionStatus::Creating => {
            return Err(Error::Conflict {
                reason: reason::CALL_NOT_READY,
                retry_after: Some(Duration::from_secs(1)),
            });
        }
        SessionStatus::Ending | SessionStatus::Ended | SessionStatus::Failed => {
            return Err(match target {
                Target::Appointment(_) => Error::NotFound(reason::NO_ACTIVE_CALL),
                Target::Meeting(_) => Error::Gone(reason::MEETING_EXPIRED),
            });
        }
    }
    match admission::admission_state(member.role, view.participant(member.user), room)? {
        AdmissionState::Admitted => {}
        AdmissionState::MustWait => return check_join_rate(view, now).map(|()| Join::Wait(session)),
        AdmissionState::Waiting(since) => return Ok(Join::Waiting(session, since)),
    }
    let status = view.me.as_ref().map(|me| me.status);
    if status != Some(ParticipantStatus::Joined) {
        check_join_rate(view, now)?;
    }
    Ok(match (view.attendee(), status) {
        (None, _) => Join::CreateAttendee(session),
        (Some(attendee), _) if liveness::must_verify(session, checked, now) => Join::Check(session, attendee),
        (Some(attendee), Some(ParticipantStatus::Joined)) => Join::Resume(session, attendee),
        (Some(attendee), _) => Join::Return(session, attendee),
    })
}

fn check_join_rate(view: &View, now: OffsetDateTime) -> Result<(), Error> {
    let Some(me) = view.me.as_ref().filter(|me| me.join_count >= MAX_JOINS_PER_MINUTE) else { return Ok(()) };
    let over = me.join_count_since.map_or(now, |since| since + JOIN_RATE_WINDOW);
    match Duration::try_from(over - now) {
        Ok(retry_after) if !retry_after.is_zero() => {
            Err(Error::TooMany { reason: reason::JOIN_RATE_LIMITED, retry_after })
        }
        _ => Ok(()),
    }
}
