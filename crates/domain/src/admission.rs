//! The waiting room, and what else the provider decides about a person's place: who is let in, with what, and who must go.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::call::{Member, ParticipantView, Session, View};
use crate::capabilities::{Capabilities, CapabilityChange};
use crate::error::{Error, reason};
use crate::id::UserId;
use crate::state::{ParticipantStatus, Role, SessionStatus};

/// Whether those who come wait until the provider lets them in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitingRoom {
    /// They do, but for the provider.
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

/// What someone who comes meets at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionState {
    /// They may have a place.
    Admitted,
    /// They are to wait from now on.
    MustWait,
    /// They wait already, since then.
    Waiting(OffsetDateTime),
}

/// The door, for someone with such a part in the session, or none.
///
/// # Errors
/// 403 for the removed and for who was turned away.
pub fn admission_state(
    role: Role,
    part: Option<&ParticipantView>,
    room: WaitingRoom,
) -> Result<AdmissionState, Error> {
    match part.map(|participant| participant.status) {
        Some(ParticipantStatus::Removed) => return Err(Error::Forbidden(reason::REMOVED_FROM_CALL)),
        Some(ParticipantStatus::TurnedAway) => return Err(Error::Forbidden(reason::TURNED_AWAY)),
        Some(
            ParticipantStatus::Invited
            | ParticipantStatus::Waiting
            | ParticipantStatus::Joined
            | ParticipantStatus::Left,
        )
        | None => {}
    }
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

/// Whether someone sees another's part in the call. Who waits or was turned away is for the provider to know; and an
/// observer who has not been admitted sees nobody but the provider.
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

/// A person about whom the provider decides.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The provider.
    pub by: Member<'a>,
    /// The call.
    pub session: &'a Session,
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// Their part in it; none of a patient who has not come.
    pub part: Option<&'a ParticipantView>,
}

/// Whom the provider means.
///
/// # Errors
/// 403 for everyone but the provider, 404 where no call is on and for participants without a part in it, 409 for the provider.
pub fn subject(view: &View, user: UserId) -> Result<Subject<'_>, Error> {
    let by = view.member()?;
    match by.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PROVIDER_ONLY)),
    }
    let session = view.session.as_ref().filter(|session| session.status == SessionStatus::Active);
    let session = session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let part = view.participant(user);
    let role = match (by.appointment.role_of(user), part) {
        (Some(role), _) => role,
        (None, Some(participant)) => participant.role,
        (None, None) => return Err(Error::NotFound(reason::PARTICIPANT_NOT_FOUND)),
    };
    // Who was the appointment's provider once, and is not any more, is someone like others.
    if by.appointment.role_of(user) == Some(Role::Provider) {
        return Err(Error::conflict(reason::NOT_FOR_PROVIDER));
    }
    Ok(Subject { by, session, user, role, part })
}

impl Subject<'_> {
    fn status(&self) -> Option<ParticipantStatus> {
        self.part.map(|participant| participant.status)
    }

    /// Whether removing them changes anything.
    #[must_use]
    pub fn remove(&self) -> bool {
        self.status() != Some(ParticipantStatus::Removed)
    }

    fn capabilities(&self) -> Capabilities {
        self.part.map_or(Capabilities::of(self.role, None), |participant| participant.capabilities)
    }
}

/// What the provider wants of someone's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParticipantChange {
    /// Whether they are let in.
    pub admitted: Option<bool>,
    /// What they may send and receive.
    pub capabilities: Option<CapabilityChange>,
}

/// What is to be done next for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Change what they may send and receive. This comes first, so that whoever is let in comes with it.
    Allow(CapabilityChange),
    /// Let them in.
    Admit,
    /// Turn them away.
    TurnAway,
    /// It is so.
    Nothing,
}

impl ParticipantChange {
    /// The change, if there is one.
    ///
    /// # Errors
    /// 422 where nothing is to be changed.
    pub fn checked(self) -> Result<Self, Error> {
        if self == Self::default() {
            return Err(Error::invalid("admitted", "or capabilities is required"));
        }
        self.capabilities.map(CapabilityChange::checked).transpose()?;
        Ok(self)
    }

    /// What is to be done next. All of the change can be carried out, or none of it is.
    ///
    /// # Errors
    /// 409 for the removed, and for turning away who has been in the call: they can only be removed. 422 for capabilities
    /// that Chime does not take.
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
mod tests {
    use super::*;

    const SINCE: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00:00 UTC);

    fn user(n: u8) -> UserId {
        format!("7d9f1c5e-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
    }

    fn participant(status: ParticipantStatus, admitted: bool) -> ParticipantView {
        ParticipantView {
            connected: false,
            user_id: user(2),
            display_name: None,
            role: Role::Patient,
            observer_kind: None,
            status,
            admitted,
            has_joined: status == ParticipantStatus::Joined,
            waiting_since: Some(SINCE),
            capabilities: Capabilities::ALL,
        }
    }

    fn met(
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
            assert_eq!(met(role, None, On), Ok(AdmissionState::MustWait));
            for status in [Invited, Left, Joined] {
                assert_eq!(
                    met(role, Some(&participant(status, false)), On),
                    Ok(AdmissionState::MustWait),
                    "{status:?}"
                );
                assert_eq!(
                    met(role, Some(&participant(status, true)), On),
                    Ok(AdmissionState::Admitted),
                    "{status:?}"
                );
                assert_eq!(
                    met(role, Some(&participant(status, false)), Off),
                    Ok(AdmissionState::Admitted),
                    "{status:?}"
                );
            }
            assert_eq!(met(role, Some(&participant(Waiting, false)), On), Ok(AdmissionState::Waiting(SINCE)));
            assert_eq!(
                met(role, Some(&participant(Waiting, false)), Off),
                Ok(AdmissionState::Admitted),
                "the room was closed meanwhile"
            );
            assert_eq!(met(role, None, Off), Ok(AdmissionState::Admitted));
        }
        for part in [None, Some(participant(Left, false)), Some(participant(Waiting, false))] {
            assert_eq!(met(Role::Provider, part.as_ref(), On), Ok(AdmissionState::Admitted));
        }
    }

    #[test]
    fn the_removed_and_the_turned_away_stay_outside_with_and_without_a_waiting_room() {
        for room in [On, Off] {
            for admitted in [true, false] {
                let told = |status| met(Role::Patient, Some(&participant(status, admitted)), room);
                assert_eq!(told(Removed), Err("REMOVED_FROM_CALL"));
                assert_eq!(told(TurnedAway), Err("TURNED_AWAY"));
            }
        }
    }

    #[test]
    fn who_waits_is_seen_by_the_provider_and_by_themselves() {
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
            "a patient sees who is in their consultation"
        );
        assert!(
            can_see(observer, true, one(patient, Joined)) && !can_see(observer, false, one(patient, Joined))
        );
        assert!(can_see(observer, false, one(provider, Joined)), "who is to let them in");
    }

    fn next(part: Option<&ParticipantView>, change: ParticipantChange) -> Result<NextStep, &'static str> {
        let session = session();
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
    fn who_has_not_been_in_the_call_is_let_in_or_turned_away() {
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
    fn capabilities_come_before_the_door_and_what_cannot_be_done_whole_is_not_begun() {
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
            session: Some(session()),
            me: None,
            participants: part.into_iter().collect(),
            consents: Vec::new(),
        }
    }

    #[test]
    fn the_provider_decides_about_everyone_with_a_part_and_the_patient_but_not_about_themselves() {
        let told =
            |view: &View, of: u8| subject(view, user(of)).map(|it| it.role).map_err(|error| error.code());
        let observer =
            ParticipantView { user_id: user(3), role: Role::Observer, ..participant(Joined, true) };
        let seen = view(1, Some(observer.clone()));
        assert_eq!(told(&seen, 3), Ok(Role::Observer));
        assert_eq!(told(&seen, 2), Ok(Role::Patient), "who has not come yet");
        assert_eq!(told(&seen, 4), Err("PARTICIPANT_NOT_FOUND"));
        assert_eq!(told(&seen, 1), Err("NOT_FOR_PROVIDER"));
        for other in [2, 4] {
            let refused = told(&view(other, Some(observer.clone())), 3);
            assert!(matches!(refused, Err("PROVIDER_ONLY" | "NOT_A_MEMBER")), "{refused:?}");
        }
        let over = View { session: None, ..view(1, None) };
        assert_eq!(told(&over, 2), Err("NO_ACTIVE_CALL"));
    }

    fn appointment() -> crate::call::Appointment {
        serde_json::from_value(serde_json::json!({
            "id": "7d9f1c5e-0000-4000-8000-0000000000a1", "providerUserId": user(1), "patientUserId": user(2),
            "status": "scheduled", "videoEnabled": true, "providerName": null,
        }))
        .expect("an appointment")
    }

    fn session() -> Session {
        serde_json::from_value(serde_json::json!({
            "id": "7d9f1c5e-0000-4000-8000-0000000000b1", "status": "active", "attempt": 1, "attemptBy": null,
            "controlRegion": "us-east-1", "mediaRegion": "us-east-1", "meetingId": null, "meeting": null,
            "recordingEnabled": false, "transcriptionEnabled": false, "transcriptionLanguage": null,
            "createdAt": "2026-11-20T12:00:00Z", "activatedAt": null, "checkedAt": null, "endedAt": null,
            "durationSeconds": null, "connectedCount": 0, "lastLeftAt": null, "present": [],
        }))
        .expect("a session")
    }

    #[test]
    fn on_and_off_are_the_only_words() {
        assert_eq!(("on".parse(), "off".parse()), (Ok(On), Ok(Off)));
        for text in ["", "On", "true", " on"] {
            assert_eq!(text.parse::<WaitingRoom>(), Err(NotOnOrOff), "{text}");
        }
    }
}
