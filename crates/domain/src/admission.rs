//! The waiting room, and the provider's decisions about a participant: admission, capabilities, removal.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::call::{Member, ParticipantView, Session, View};
use crate::capabilities::{Capabilities, CapabilityChange};
use crate::error::{Error, reason};
use crate::id::UserId;
use crate::state::{ParticipantStatus, Role};

/// Whether participants wait until the provider admits them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitingRoom {
    /// Everyone but the provider waits.
    On,
    /// Nobody waits.
    #[default]
    Off,
}

/// A text that is neither `on` nor `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be on or off")]
pub struct NotOnOrOff;

impl FromStr for WaitingRoom {
    type Err = NotOnOrOff;
    fn from_str(text: &str) -> Result<Self, NotOnOrOff> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(NotOnOrOff),
        }
    }
}

/// The decision on a user who joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionState {
    /// Take a place in the call.
    Admitted,
    /// Wait from now on.
    MustWait,
    /// Wait as before, since the given time.
    Waiting(OffsetDateTime),
}

/// Whether a user with such a part in the session, or none, may take a place or must wait.
///
/// # Errors
/// 403 for participants who were removed or turned away.
pub fn admission_state(
    role: Role,
    part: Option<&ParticipantView>,
    room: WaitingRoom,
) -> Result<AdmissionState, Error> {
    not_excluded(part)?;
    if role == Role::Provider
        || room == WaitingRoom::Off
        || part.is_some_and(|participant| participant.admitted)
    {
        return Ok(AdmissionState::Admitted);
    }
    Ok(match part {
        Some(participant) if participant.status == ParticipantStatus::Waiting => {
            participant.waiting_since.map_or(AdmissionState::MustWait, AdmissionState::Waiting)
        }
        _ => AdmissionState::MustWait,
    })
}

/// Whether a user with such a part in the session, or none, may come into it at all.
///
/// # Errors
/// 403 for participants who were removed or turned away.
pub fn not_excluded(part: Option<&ParticipantView>) -> Result<(), Error> {
    match part.map(|participant| participant.status) {
        Some(ParticipantStatus::Removed) => Err(Error::Forbidden(reason::REMOVED_FROM_CALL)),
        Some(ParticipantStatus::TurnedAway) => Err(Error::Forbidden(reason::TURNED_AWAY)),
        Some(
            ParticipantStatus::Invited
            | ParticipantStatus::Waiting
            | ParticipantStatus::Joined
            | ParticipantStatus::Left,
        )
        | None => Ok(()),
    }
}

/// Whether a member may see another participant. Only the provider sees who waits or was turned away, and an observer
/// who has not been admitted sees nobody but the provider.
#[must_use]
pub fn can_see(
    viewer: (UserId, Role),
    viewer_admitted: bool,
    other: (UserId, Role, ParticipantStatus),
) -> bool {
    let (user, role) = viewer;
    let (of, of_role, status) = other;
    if role == Role::Provider || user == of {
        return true;
    }
    let at_the_door = matches!(status, ParticipantStatus::Waiting | ParticipantStatus::TurnedAway);
    let outside = role == Role::Observer && !viewer_admitted;
    !at_the_door && (!outside || of_role == Role::Provider)
}

/// A participant about whom the provider decides.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub by: Member<'a>,
    pub session: &'a Session,
    pub user: UserId,
    pub role: Role,
    /// The participant's part in the call; `None` for a patient who has not joined yet.
    pub part: Option<&'a ParticipantView>,
}

/// The participant about whom the provider decides.
///
/// # Errors
/// 403 for everyone but the provider, 404 without an active call and for users without a part in it, 409 for the
/// provider.
pub fn subject(view: &View, user: UserId) -> Result<Subject<'_>, Error> {
    let by = view.member()?;
    match by.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PROVIDER_ONLY)),
    }
    let (session, _) = view.active().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let part = view.participant(user);
    let role = match (by.appointment.role_of(user), part) {
        (Some(role), _) => role,
        (None, Some(participant)) => participant.role,
        (None, None) => return Err(Error::NotFound(reason::PARTICIPANT_NOT_FOUND)),
    };
    // A former provider of the appointment is treated like any other participant.
    if by.appointment.role_of(user) == Some(Role::Provider) {
        return Err(Error::conflict(reason::NOT_FOR_PROVIDER));
    }
    Ok(Subject { by, session, user, role, part })
}

impl Subject<'_> {
    fn status(&self) -> Option<ParticipantStatus> {
        self.part.map(|participant| participant.status)
    }

    /// Whether removing the participant changes anything.
    #[must_use]
    pub fn remove(&self) -> bool {
        self.status() != Some(ParticipantStatus::Removed)
    }

    fn capabilities(&self) -> Capabilities {
        self.part.map_or(Capabilities::of(self.role, None), |participant| participant.capabilities)
    }
}

/// The provider's request about a participant's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParticipantChange {
    /// Whether the participant is admitted; `None` leaves it as it is.
    pub admitted: Option<bool>,
    /// The requested change of capabilities.
    pub capabilities: Option<CapabilityChange>,
}

/// The next step of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Store the capabilities. This comes before admission, so that the participant joins with them.
    Allow(CapabilityChange),
    Admit,
    TurnAway,
    /// Nothing is left to do.
    Nothing,
}

impl ParticipantChange {
    /// The change, if it contains one.
    ///
    /// # Errors
    /// 422 for an empty change.
    pub fn checked(self) -> Result<Self, Error> {
        if self == Self::default() {
            return Err(Error::invalid("admitted", "or capabilities is required"));
        }
        self.capabilities.map(CapabilityChange::checked).transpose()?;
        Ok(self)
    }

    /// The next step. A change is carried out as a whole or not at all.
    ///
    /// # Errors
    /// 409 for removed participants, and for turning away a participant who has joined: they can only be removed. 422
    /// for capabilities that Chime does not accept.
    pub fn next(self, subject: &Subject<'_>) -> Result<NextStep, Error> {
        if subject.status() == Some(ParticipantStatus::Removed) {
            return Err(Error::conflict(reason::ALREADY_REMOVED));
        }
        if self.admitted == Some(false) && subject.part.is_some_and(|participant| participant.has_joined) {
            return Err(Error::conflict(reason::ALREADY_JOINED));
        }
        let change = self.capabilities.unwrap_or_default();
        let allowed = subject.capabilities().with(change)?;
        let admitted = subject.part.is_some_and(|participant| participant.admitted);
        Ok(match self.admitted {
            _ if allowed != subject.capabilities() => NextStep::Allow(change),
            Some(true) if !admitted => NextStep::Admit,
            Some(false) if subject.status() != Some(ParticipantStatus::TurnedAway) => NextStep::TurnAway,
            Some(_) | None => NextStep::Nothing,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::call::tests::{appointment, session, user};
    use crate::state::SessionStatus;

    const SINCE: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00:00 UTC);

    /// Patient 2 with such a part in a session.
    pub(crate) fn participant(status: ParticipantStatus, admitted: bool) -> ParticipantView {
        ParticipantView {
            connected: false,
            user_id: user(2),
            display_name: None,
            role: Role::Patient,
            observer_kind: None,
            status,
            admitted,
            has_joined: status == ParticipantStatus::Joined,
            has_account: true,
            attendee_id: None,
            holds_token: false,
            waiting_since: Some(SINCE),
            capabilities: Capabilities::ALL,
        }
    }

    fn admission_of(
        role: Role,
        part: Option<&ParticipantView>,
        room: WaitingRoom,
    ) -> Result<AdmissionState, &'static str> {
        admission_state(role, part, room).map_err(|error| error.code())
    }

    use ParticipantStatus::{Invited, Joined, Left, Removed, TurnedAway, Waiting};
    use WaitingRoom::{Off, On};

    #[test]
    fn everyone_but_the_provider_waits_until_they_are_admitted() {
        for role in [Role::Patient, Role::Observer] {
            assert_eq!(admission_of(role, None, On), Ok(AdmissionState::MustWait));
            for status in [Invited, Left, Joined] {
                assert_eq!(
                    admission_of(role, Some(&participant(status, false)), On),
                    Ok(AdmissionState::MustWait),
                    "{status:?}"
                );
                assert_eq!(
                    admission_of(role, Some(&participant(status, true)), On),
                    Ok(AdmissionState::Admitted),
                    "{status:?}"
                );
                assert_eq!(
                    admission_of(role, Some(&participant(status, false)), Off),
                    Ok(AdmissionState::Admitted),
                    "{status:?}"
                );
            }
            assert_eq!(
                admission_of(role, Some(&participant(Waiting, false)), On),
                Ok(AdmissionState::Waiting(SINCE))
            );
            assert_eq!(
                admission_of(role, Some(&participant(Waiting, false)), Off),
                Ok(AdmissionState::Admitted),
                "the room was closed meanwhile"
            );
            assert_eq!(admission_of(role, None, Off), Ok(AdmissionState::Admitted));
        }
        for part in [None, Some(participant(Left, false)), Some(participant(Waiting, false))] {
            assert_eq!(admission_of(Role::Provider, part.as_ref(), On), Ok(AdmissionState::Admitted));
        }
    }

    #[test]
    fn removed_and_turned_away_participants_cannot_join_with_or_without_a_waiting_room() {
        for room in [On, Off] {
            for admitted in [true, false] {
                let admission =
                    |status| admission_of(Role::Patient, Some(&participant(status, admitted)), room);
                assert_eq!(admission(Removed), Err("REMOVED_FROM_CALL"));
                assert_eq!(admission(TurnedAway), Err("TURNED_AWAY"));
            }
        }
    }

    #[test]
    fn a_waiting_participant_is_seen_by_the_provider_and_by_themselves() {
        let (provider, patient, observer) =
            ((user(1), Role::Provider), (user(2), Role::Patient), (user(3), Role::Observer));
        let one = |of: (UserId, Role), status| (of.0, of.1, status);
        for status in [Waiting, TurnedAway] {
            assert!(
                can_see(provider, true, one(observer, status))
                    && can_see(observer, false, one(observer, status))
            );
            assert!(
                !can_see(patient, true, one(observer, status))
                    && !can_see(observer, true, one(patient, status))
            );
        }
        assert!(
            can_see(patient, false, one(observer, Joined)),
            "a patient sees the participants of the consultation"
        );
        assert!(
            can_see(observer, true, one(patient, Joined)) && !can_see(observer, false, one(patient, Joined))
        );
        assert!(
            can_see(observer, false, one(provider, Joined)),
            "an observer sees the provider who admits them"
        );
    }

    fn next(part: Option<&ParticipantView>, change: ParticipantChange) -> Result<NextStep, &'static str> {
        let session = session(SessionStatus::Active, SINCE);
        let appointment = appointment();
        let by = Member { user: user(1), role: Role::Provider, appointment: &appointment };
        let subject = Subject { by, session: &session, user: user(2), role: Role::Patient, part };
        change.next(&subject).map_err(|error| error.code())
    }

    fn admitted(admitted: bool) -> ParticipantChange {
        ParticipantChange { admitted: Some(admitted), capabilities: None }
    }

    fn muted() -> CapabilityChange {
        CapabilityChange {
            audio: Some(crate::capabilities::Direction::Receive),
            ..CapabilityChange::default()
        }
    }

    #[test]
    fn a_participant_who_has_not_joined_is_admitted_or_turned_away() {
        for part in [
            None,
            Some(participant(Waiting, false)),
            Some(participant(Invited, false)),
            Some(participant(Left, false)),
        ] {
            assert_eq!(next(part.as_ref(), admitted(true)), Ok(NextStep::Admit), "{part:?}");
            assert_eq!(next(part.as_ref(), admitted(false)), Ok(NextStep::TurnAway), "{part:?}");
        }
        assert_eq!(next(Some(&participant(TurnedAway, false)), admitted(true)), Ok(NextStep::Admit));
        assert_eq!(next(Some(&participant(TurnedAway, false)), admitted(false)), Ok(NextStep::Nothing));
        assert_eq!(next(Some(&participant(Invited, true)), admitted(true)), Ok(NextStep::Nothing));
        assert_eq!(next(Some(&participant(Invited, true)), admitted(false)), Ok(NextStep::TurnAway));
        assert_eq!(next(Some(&participant(Joined, true)), admitted(false)), Err("ALREADY_JOINED"));
        let left = ParticipantView { has_joined: true, ..participant(Left, true) };
        assert_eq!(next(Some(&left), admitted(false)), Err("ALREADY_JOINED"));
        for change in [
            admitted(true),
            admitted(false),
            ParticipantChange { capabilities: Some(muted()), admitted: None },
        ] {
            assert_eq!(next(Some(&participant(Removed, false)), change), Err("ALREADY_REMOVED"));
        }
    }

    #[test]
    fn capabilities_are_set_before_admission_and_an_impossible_change_is_not_begun() {
        let both = ParticipantChange { admitted: Some(true), capabilities: Some(muted()) };
        let mut waiting = participant(Waiting, false);
        assert_eq!(next(Some(&waiting), both), Ok(NextStep::Allow(muted())));
        waiting.capabilities = Capabilities::ALL.with(muted()).expect("Chime takes it");
        assert_eq!(next(Some(&waiting), both), Ok(NextStep::Admit));
        waiting.admitted = true;
        assert_eq!(next(Some(&waiting), both), Ok(NextStep::Nothing));

        let away = ParticipantChange { admitted: Some(false), capabilities: Some(muted()) };
        assert_eq!(next(Some(&participant(Joined, true)), away), Err("ALREADY_JOINED"));
        let blind = CapabilityChange {
            video: Some(crate::capabilities::Direction::None),
            ..CapabilityChange::default()
        };
        let cannot = ParticipantChange { admitted: Some(true), capabilities: Some(blind) };
        assert_eq!(next(Some(&participant(Waiting, false)), cannot), Err("INVALID_FIELD"));
        assert!(ParticipantChange::default().checked().is_err() && both.checked().is_ok());
        let empty =
            ParticipantChange { admitted: Some(true), capabilities: Some(CapabilityChange::default()) };
        assert!(empty.checked().is_err());
    }

    fn view(caller: u8, part: Option<ParticipantView>) -> View {
        View {
            caller: Some(crate::call::UserRef { id: user(caller) }),
            appointment: Some(appointment()),
            session: Some(session(SessionStatus::Active, SINCE)),
            participants: part.into_iter().collect(),
            ..View::default()
        }
    }

    #[test]
    fn the_provider_decides_about_participants_and_the_patient_but_not_about_themselves() {
        let subject_role =
            |view: &View, of: u8| subject(view, user(of)).map(|it| it.role).map_err(|error| error.code());
        let observer =
            ParticipantView { user_id: user(3), role: Role::Observer, ..participant(Joined, true) };
        let seen = view(1, Some(observer.clone()));
        assert_eq!(subject_role(&seen, 3), Ok(Role::Observer));
        assert_eq!(subject_role(&seen, 2), Ok(Role::Patient), "a patient who has not joined yet");
        assert_eq!(subject_role(&seen, 4), Err("PARTICIPANT_NOT_FOUND"));
        assert_eq!(subject_role(&seen, 1), Err("NOT_FOR_PROVIDER"));
        for other in [2, 4] {
            let refused = subject_role(&view(other, Some(observer.clone())), 3);
            assert!(matches!(refused, Err("PROVIDER_ONLY" | "NOT_A_MEMBER")), "{refused:?}");
        }
        let without_session = View { session: None, ..view(1, None) };
        assert_eq!(subject_role(&without_session, 2), Err("NO_ACTIVE_CALL"));
    }

    #[test]
    fn only_on_and_off_are_valid() {
        assert_eq!(("on".parse(), "off".parse()), (Ok(On), Ok(Off)));
        for text in ["", "On", "true", " on"] {
            assert_eq!(text.parse::<WaitingRoom>(), Err(NotOnOrOff), "{text}");
        }
    }
}
