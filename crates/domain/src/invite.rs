//! What a provider's request to invite people into a call comes to.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::call::{Appointment, Session, View};
use crate::error::{Error, Reason, reason};
use crate::id::{ChimeAttendeeId, UserId};
use crate::state::{ParticipantStatus, Role, SessionStatus};

/// As many as Chime takes at once by its quota page.
pub const MOST: usize = 10;

/// Someone to be invited, as the database knows them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    /// Who.
    pub user_id: UserId,
    /// Whether there is such a user.
    pub known: bool,
    /// As what they have a part in the session, if they have.
    pub role: Option<Role>,
    /// Where they stand in it.
    pub status: Option<ParticipantStatus>,
    /// Their attendee's id, if they have one.
    pub attendee_id: Option<ChimeAttendeeId>,
}

/// What is to be done about one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invite {
    /// Has a place: answer it.
    Has(Role, ParticipantStatus, ChimeAttendeeId),
    /// Needs an attendee, and then a place in this role.
    Attend(Role),
    /// Cannot be invited.
    Refuse(Reason),
}

/// The users, each once.
///
/// # Errors
/// 422 for none and for more than [`MOST`].
pub fn users(asked: &[UserId]) -> Result<Vec<UserId>, Error> {
    let users: BTreeSet<_> = asked.iter().copied().collect();
    if users.is_empty() || users.len() > MOST {
        return Err(Error::invalid("userIds", format!("must be 1 to {MOST} ids of users")));
    }
    Ok(users.into_iter().collect())
}

/// The session to invite into.
///
/// # Errors
/// 403 for everyone but the provider; 404 where no call is on.
pub fn may_invite(view: &View) -> Result<(&Appointment, &Session), Error> {
    let member = view.member()?;
    match member.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PROVIDER_ONLY)),
    }
    let session = view.session.as_ref().filter(|session| session.status == SessionStatus::Active);
    Ok((member.appointment, session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?))
}

/// Decides about one guest. The appointment's own people keep their role; everyone else comes as an observer. Who was
/// removed stays removed.
#[must_use]
pub fn decide(guest: &Guest, appointment: &Appointment) -> Invite {
    let role = appointment.role_of(guest.user_id).unwrap_or(Role::Observer);
    match (guest.known, guest.status, guest.attendee_id) {
        (false, _, _) => Invite::Refuse(reason::USER_NOT_FOUND),
        (true, Some(ParticipantStatus::Removed), _) => Invite::Refuse(reason::REMOVED_FROM_CALL),
        (true, Some(status), Some(attendee)) => Invite::Has(guest.role.unwrap_or(role), status, attendee),
        (true, _, _) => Invite::Attend(role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u8) -> UserId {
        format!("7d9f1c5e-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
    }

    fn appointment() -> Appointment {
        Appointment {
            id: "7d9f1c5e-0000-4000-8000-0000000000a1".parse().expect("a UUID"),
            provider_user_id: Some(user(1)),
            patient_user_id: Some(user(2)),
            status: "scheduled".to_owned(),
            video_enabled: true,
            provider_name: None,
            scheduled_start: None,
        }
    }

    fn guest(n: u8, status: Option<ParticipantStatus>, attendee: bool) -> Guest {
        let attendee_id = attendee.then(|| "7d9f1c5e-0000-4000-8000-0000000000ee".parse().expect("a UUID"));
        Guest { user_id: user(n), known: true, role: None, status, attendee_id }
    }

    #[test]
    fn who_is_no_one_s_provider_or_patient_comes_as_an_observer() {
        let appointment = appointment();
        assert_eq!(decide(&guest(2, None, false), &appointment), Invite::Attend(Role::Patient));
        assert_eq!(decide(&guest(3, None, false), &appointment), Invite::Attend(Role::Observer));
        let unknown = Guest { known: false, ..guest(4, None, false) };
        assert_eq!(decide(&unknown, &appointment), Invite::Refuse(reason::USER_NOT_FOUND));
    }

    #[test]
    fn the_removed_stay_removed_and_who_has_a_place_keeps_it() {
        let appointment = appointment();
        let removed = guest(3, Some(ParticipantStatus::Removed), true);
        assert_eq!(decide(&removed, &appointment), Invite::Refuse(reason::REMOVED_FROM_CALL));
        let left = guest(2, Some(ParticipantStatus::Left), true);
        assert!(matches!(
            decide(&left, &appointment),
            Invite::Has(Role::Patient, ParticipantStatus::Left, _)
        ));
        let waiting = guest(2, Some(ParticipantStatus::Waiting), false);
        assert_eq!(decide(&waiting, &appointment), Invite::Attend(Role::Patient));
    }

    #[test]
    fn one_to_ten_users_each_once() {
        assert_eq!(users(&[user(2), user(1), user(2)]).ok(), Some(vec![user(1), user(2)]));
        assert!(users(&[]).is_err());
        let eleven: Vec<_> = (1..=11).map(user).collect();
        assert!(users(&eleven).is_err() && users(&eleven[..10]).is_ok());
    }
}
