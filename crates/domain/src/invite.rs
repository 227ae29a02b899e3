//! What a provider's request to invite people into a call comes to.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::call::{Appointment, Session, View};
use crate::capabilities::{Capabilities, CapabilityChange};
use crate::error::{Error, ItemReason, reason};
use crate::id::{ChimeAttendeeId, UserId};
use crate::state::{ObserverKind, ParticipantStatus, Role, SessionStatus};

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
    /// Whether they were admitted already; then they have a place, or get one by joining.
    #[serde(default)]
    pub admitted: bool,
    /// As what kind of observer they have a part in the session.
    #[serde(default)]
    pub observer_kind: Option<ObserverKind>,
    /// What they may send and receive in it.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
}

/// What the invited come as, and with what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What observers among them come as.
    pub observer_kind: Option<ObserverKind>,
    /// What all of them may send and receive, where it is to differ from what they would have.
    pub capabilities: CapabilityChange,
}

/// A place that is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// As what.
    pub role: Role,
    /// As what kind of observer.
    pub observer_kind: Option<ObserverKind>,
    /// What they may send and receive.
    pub capabilities: Capabilities,
}

/// What is to be done about one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invite {
    /// Has a place: answer it.
    Has(Role, ParticipantStatus, Option<ChimeAttendeeId>),
    /// Needs an attendee, and then this place.
    Attend(Offer),
    /// Cannot be invited.
    Refuse(ItemReason),
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
/// removed stays removed, and who has a place keeps it as it is, whatever the terms.
///
/// # Errors
/// 422 for capabilities that Chime does not take.
pub fn decide(guest: &Guest, appointment: &Appointment, terms: Terms) -> Result<Invite, Error> {
    let role = appointment.role_of(guest.user_id).unwrap_or(Role::Observer);
    Ok(match (guest.known, guest.status) {
        (false, _) => Invite::Refuse(reason::USER_NOT_FOUND),
        (true, Some(ParticipantStatus::Removed)) => Invite::Refuse(reason::REMOVED_FROM_CALL.into()),
        (true, Some(status)) if guest.admitted || guest.attendee_id.is_some() => {
            Invite::Has(guest.role.unwrap_or(role), status, guest.attendee_id)
        }
        (true, _) => {
            let kind = terms.observer_kind.or(guest.observer_kind).filter(|_| role == Role::Observer);
            // What was set for someone who waits stays, unless the invitation makes something else of them.
            let changed = kind != guest.observer_kind;
            let so_far = guest.capabilities.filter(|_| !changed).unwrap_or(Capabilities::of(role, kind));
            Invite::Attend(Offer {
                role,
                observer_kind: kind,
                capabilities: so_far.with(terms.capabilities)?,
            })
        }
    })
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
        Guest {
            user_id: user(n),
            known: true,
            role: None,
            status,
            attendee_id,
            admitted: false,
            observer_kind: None,
            capabilities: None,
        }
    }

    fn told(guest: &Guest, terms: Terms) -> Result<Invite, &'static str> {
        decide(guest, &appointment(), terms).map_err(|error| error.code())
    }

    fn offer(role: Role, observer_kind: Option<ObserverKind>) -> Invite {
        Invite::Attend(Offer { role, observer_kind, capabilities: Capabilities::of(role, observer_kind) })
    }

    #[test]
    fn who_is_no_one_s_provider_or_patient_comes_as_an_observer() {
        let none = Terms::default();
        assert_eq!(told(&guest(2, None, false), none), Ok(offer(Role::Patient, None)));
        assert_eq!(told(&guest(3, None, false), none), Ok(offer(Role::Observer, None)));
        let student = Terms { observer_kind: Some(ObserverKind::Student), ..none };
        assert_eq!(told(&guest(3, None, false), student), Ok(offer(Role::Observer, student.observer_kind)));
        assert_eq!(
            told(&guest(2, None, false), student),
            Ok(offer(Role::Patient, None)),
            "a patient is no student"
        );
        let unknown = Guest { known: false, ..guest(4, None, false) };
        assert_eq!(told(&unknown, none), Ok(Invite::Refuse(reason::USER_NOT_FOUND)));
    }

    #[test]
    fn the_removed_stay_removed_and_who_has_a_place_keeps_it() {
        let none = Terms::default();
        let removed = guest(3, Some(ParticipantStatus::Removed), true);
        assert_eq!(told(&removed, none), Ok(Invite::Refuse(reason::REMOVED_FROM_CALL.into())));
        let left = guest(2, Some(ParticipantStatus::Left), true);
        assert!(matches!(
            told(&left, none),
            Ok(Invite::Has(Role::Patient, ParticipantStatus::Left, Some(_)))
        ));
        let admitted = Guest { admitted: true, ..guest(2, Some(ParticipantStatus::Invited), false) };
        let place = Ok(Invite::Has(Role::Patient, ParticipantStatus::Invited, None));
        assert_eq!(told(&admitted, none), place, "who was admitted gets an attendee by joining");
        for status in [ParticipantStatus::Waiting, ParticipantStatus::TurnedAway, ParticipantStatus::Left] {
            assert_eq!(
                told(&guest(2, Some(status), false), none),
                Ok(offer(Role::Patient, None)),
                "{status:?}"
            );
        }
    }

    #[test]
    fn capabilities_of_an_invitation_are_laid_over_what_the_invited_would_have() {
        use crate::capabilities::Direction;
        let muted = CapabilityChange { audio: Some(Direction::Receive), ..CapabilityChange::default() };
        let terms = Terms { observer_kind: Some(ObserverKind::Interpreter), capabilities: muted };
        let expected = Capabilities { audio: Direction::Receive, ..Capabilities::TALK };
        let offered = told(&guest(3, None, false), terms);
        assert!(
            matches!(offered, Ok(Invite::Attend(offer)) if offer.capabilities == expected),
            "{offered:?}"
        );

        let waiting = Guest {
            capabilities: Some(Capabilities::WATCH),
            ..guest(2, Some(ParticipantStatus::Waiting), false)
        };
        let kept = told(&waiting, Terms::default());
        assert!(
            matches!(kept, Ok(Invite::Attend(offer)) if offer.capabilities == Capabilities::WATCH),
            "{kept:?}"
        );

        let blind = CapabilityChange { video: Some(Direction::None), ..CapabilityChange::default() };
        let refused = Terms { capabilities: blind, ..Terms::default() };
        assert_eq!(told(&guest(3, None, false), refused), Err("INVALID_FIELD"));
    }

    #[test]
    fn one_to_ten_users_each_once() {
        assert_eq!(users(&[user(2), user(1), user(2)]).ok(), Some(vec![user(1), user(2)]));
        assert!(users(&[]).is_err());
        let eleven: Vec<_> = (1..=11).map(user).collect();
        assert!(users(&eleven).is_err() && users(&eleven[..10]).is_ok());
    }
}
