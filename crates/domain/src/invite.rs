//! Decides a provider's request to invite users into a call.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::call::{Appointment, Meeting, Session, View};
use crate::capabilities::{Capabilities, CapabilityChange};
use crate::error::{Error, ItemReason, reason};
use crate::id::{ChimeAttendeeId, UserId};
use crate::state::{ObserverKind, ParticipantStatus, Role};

/// Users per request: the maximum of one `BatchCreateAttendee` request (Chime's quota page).
pub const MAX_USERS: usize = 10;

/// An invited user, as stored.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    pub user_id: UserId,
    /// Whether the user exists.
    pub known: bool,
    /// The role in the session, if the user has a part in it.
    pub role: Option<Role>,
    /// The status in the session, if the user has a part in it.
    pub status: Option<ParticipantStatus>,
    /// The attendee's id, if the user has one.
    pub attendee_id: Option<ChimeAttendeeId>,
    /// Whether the user was admitted already; such a user has a place, or gets one by joining.
    #[serde(default)]
    pub admitted: bool,
    /// The kind of observer in the session.
    #[serde(default)]
    pub observer_kind: Option<ObserverKind>,
    /// The capabilities in the session.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
}

/// The terms of an invitation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The kind of the invited observers.
    pub observer_kind: Option<ObserverKind>,
    /// A change of every invited user's default capabilities.
    pub capabilities: CapabilityChange,
}

/// The place that an invitation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub role: Role,
    pub observer_kind: Option<ObserverKind>,
    pub capabilities: Capabilities,
}

/// The decision about one invited user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invite {
    /// The user has a place, which is returned unchanged.
    Has(Role, ParticipantStatus, Option<ChimeAttendeeId>),
    /// The user needs an attendee, and then this place.
    Attend(Offer),
    /// The user cannot be invited.
    Refuse(ItemReason),
}

/// The requested users without duplicates.
///
/// # Errors
/// 422 for none and for more than the limit.
pub fn users(requested: &[UserId]) -> Result<Vec<UserId>, Error> {
    let users: BTreeSet<_> = requested.iter().copied().collect();
    if users.is_empty() || users.len() > MAX_USERS {
        return Err(Error::invalid("userIds", format!("must be 1 to {MAX_USERS} ids of users")));
    }
    Ok(users.into_iter().collect())
}

/// The session to invite into.
///
/// # Errors
/// 403 for everyone but the provider; 404 without an active call.
pub fn may_invite(view: &View) -> Result<(&Appointment, &Session, &Meeting), Error> {
    let member = view.member()?;
    match member.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PROVIDER_ONLY)),
    }
    let (session, call) = view.active().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    Ok((member.appointment, session, &call.meeting))
}

/// Decides about one invited user. The appointment's provider and patient keep their roles; everyone else becomes an
/// observer. A removed user stays removed, and a user who has a place keeps it unchanged, whatever the terms.
///
/// # Errors
/// 422 for capabilities that Chime does not accept.
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
            // Capabilities of a waiting user stay, unless the invitation changes the role or kind.
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
    use crate::call::tests::{appointment, user};

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

    fn decided(guest: &Guest, terms: Terms) -> Result<Invite, &'static str> {
        decide(guest, &appointment(), terms).map_err(|error| error.code())
    }

    fn offer(role: Role, observer_kind: Option<ObserverKind>) -> Invite {
        Invite::Attend(Offer { role, observer_kind, capabilities: Capabilities::of(role, observer_kind) })
    }

    #[test]
    fn users_other_than_provider_and_patient_become_observers() {
        let none = Terms::default();
        assert_eq!(decided(&guest(2, None, false), none), Ok(offer(Role::Patient, None)));
        assert_eq!(decided(&guest(3, None, false), none), Ok(offer(Role::Observer, None)));
        let student = Terms { observer_kind: Some(ObserverKind::Student), ..none };
        assert_eq!(
            decided(&guest(3, None, false), student),
            Ok(offer(Role::Observer, student.observer_kind))
        );
        assert_eq!(
            decided(&guest(2, None, false), student),
            Ok(offer(Role::Patient, None)),
            "a patient is no student"
        );
        let unknown = Guest { known: false, ..guest(4, None, false) };
        assert_eq!(decided(&unknown, none), Ok(Invite::Refuse(reason::USER_NOT_FOUND)));
    }

    #[test]
    fn removed_users_stay_removed_and_existing_places_are_kept() {
        let none = Terms::default();
        let removed = guest(3, Some(ParticipantStatus::Removed), true);
        assert_eq!(decided(&removed, none), Ok(Invite::Refuse(reason::REMOVED_FROM_CALL.into())));
        let left = guest(2, Some(ParticipantStatus::Left), true);
        assert!(matches!(
            decided(&left, none),
            Ok(Invite::Has(Role::Patient, ParticipantStatus::Left, Some(_)))
        ));
        let admitted = Guest { admitted: true, ..guest(2, Some(ParticipantStatus::Invited), false) };
        let place = Ok(Invite::Has(Role::Patient, ParticipantStatus::Invited, None));
        assert_eq!(decided(&admitted, none), place, "an admitted user gets an attendee by joining");
        for status in [ParticipantStatus::Waiting, ParticipantStatus::TurnedAway, ParticipantStatus::Left] {
            assert_eq!(
                decided(&guest(2, Some(status), false), none),
                Ok(offer(Role::Patient, None)),
                "{status:?}"
            );
        }
    }

    #[test]
    fn capabilities_of_an_invitation_change_the_defaults() {
        use crate::capabilities::Direction;
        let muted = CapabilityChange { audio: Some(Direction::Receive), ..CapabilityChange::default() };
        let terms = Terms { observer_kind: Some(ObserverKind::Interpreter), capabilities: muted };
        let expected = Capabilities { audio: Direction::Receive, ..Capabilities::TALK };
        let offered = decided(&guest(3, None, false), terms);
        assert!(
            matches!(offered, Ok(Invite::Attend(offer)) if offer.capabilities == expected),
            "{offered:?}"
        );

        let waiting = Guest {
            capabilities: Some(Capabilities::WATCH),
            ..guest(2, Some(ParticipantStatus::Waiting), false)
        };
        let kept = decided(&waiting, Terms::default());
        assert!(
            matches!(kept, Ok(Invite::Attend(offer)) if offer.capabilities == Capabilities::WATCH),
            "{kept:?}"
        );

        let blind = CapabilityChange { video: Some(Direction::None), ..CapabilityChange::default() };
        let refused = Terms { capabilities: blind, ..Terms::default() };
        assert_eq!(decided(&guest(3, None, false), refused), Err("INVALID_FIELD"));
    }

    #[test]
    fn one_to_ten_users_each_once() {
        assert_eq!(users(&[user(2), user(1), user(2)]).ok(), Some(vec![user(1), user(2)]));
        assert!(users(&[]).is_err());
        let eleven: Vec<_> = (1..=11).map(user).collect();
        assert!(users(&eleven).is_err() && users(&eleven[..10]).is_ok());
    }
}
