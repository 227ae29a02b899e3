//! Decides a member's request to join a call.

use std::time::Duration;

use time::OffsetDateTime;

use crate::admission::{self, AdmissionState, WaitingRoom};
use crate::call::{Attendee, Session, Target, View};
use crate::error::{Error, reason};
use crate::liveness;
use crate::state::{ParticipantStatus, SessionStatus};

/// More joins within a minute than any unstable network causes, and too few to flood the audit log.
pub const MAX_JOINS_PER_MINUTE: u32 = 30;

const JOIN_RATE_WINDOW: Duration = Duration::from_mins(1);

/// What the request has to do.
#[derive(Debug)]
pub enum Join<'a> {
    /// The member is in the call: return the stored place.
    Resume(&'a Session, &'a Attendee),
    /// The member left the call: store the return, then return the stored place.
    Return(&'a Session, &'a Attendee),
    /// The member has an attendee, but Chime must first be asked whether the meeting is live.
    Check(&'a Session, &'a Attendee),
    /// The member needs an attendee. Creating it shows whether the meeting is live.
    CreateAttendee(&'a Session),
    /// The member must wait until the provider admits them: store that.
    Wait(&'a Session),
    /// The member waits already, since the given time.
    Waiting(&'a Session, OffsetDateTime),
}

/// Decides a join. `checked`: the client could not connect to the stored meeting and requests a check.
///
/// # Errors
/// 403 for strangers and for participants who were removed or turned away; 404 without an active call; 409 while it
/// is being started; 410 for a call that has ended; 429 after [`MAX_JOINS_PER_MINUTE`] joins within a minute, unless
/// the member is in the call or waits already.
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
    let window_end = me.join_count_since.map_or(now, |since| since + JOIN_RATE_WINDOW);
    match Duration::try_from(window_end - now) {
        Ok(retry_after) if !retry_after.is_zero() => {
            Err(Error::TooMany { reason: reason::JOIN_RATE_LIMITED, retry_after })
        }
        _ => Ok(()),
    }
}
