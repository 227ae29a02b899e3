//! The waiting room, and what else the provider decides about a person's place: who is let in, with what, and who must go.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::call::{Member, Party, Session, View};
use crate::capabilities::{Capabilities, Wish};
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
pub struct NotASwitch;

impl FromStr for WaitingRoom {
    type Err = NotASwitch;
    fn from_str(text: &str) -> Result<Self, NotASwitch> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(NotASwitch),
        }
    }
}

/// What someone who comes meets at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// They may have a place.
    Open,
    /// They are to wait from now on.
    Closed,
    /// They wait already, since then.
    Waiting(OffsetDateTime),
}

/// The door, for someone with such a part in the session, or none.
///
/// # Errors
/// 403 for the removed and for who was turned away.
pub fn door(role: Role, part: Option<&Party>, room: WaitingRoom) -> Result<Door, Error> {
    match part.map(|party| party.status) {
        Some(ParticipantStatus::Removed) => return Err(Error::Forbidden(reason::REMOVED_FROM_CALL)),
        Some(ParticipantStatus::TurnedAway) => return Err(Error::Forbidden(reason::TURNED_AWAY)),
        Some(
            ParticipantStatus::Invited
            | ParticipantStatus::Waiting
            | ParticipantStatus::Joined
            | ParticipantStatus::Left
            | ParticipantStatus::Failed,
        )
        | None => {}
    }
    if role == Role::Provider || room == WaitingRoom::Off || part.is_some_and(|party| party.admitted) {
        return Ok(Door::Open);
    }
    Ok(match part {
        Some(party) if party.status == ParticipantStatus::Waiting => {
            party.waiting_since.map_or(Door::Closed, Door::Waiting)
        }
        _ => Door::Closed,
    })
}

/// Whether someone sees another's part in the call. Who waits or was turned away is for the provider to know; and an
/// observer who has not been admitted sees nobody but the provider.
#[must_use]
pub fn sees(viewer: (UserId, Role), viewer_admitted: bool, other: (UserId, Role, ParticipantStatus)) -> bool {
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
    pub part: Option<&'a Party>,
}

/// Whom the provider means.
///
/// # Errors
/// 403 for everyone but the provider, 404 where no call is on and for people without a part in it, 409 for the provider.
pub fn subject(view: &View, user: UserId) -> Result<Subject<'_>, Error> {
    let by = view.member()?;
    match by.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PROVIDER_ONLY)),
    }
    let session = view.session.as_ref().filter(|session| session.status == SessionStatus::Active);
    let session = session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let part = view.party(user);
    let role = match (by.appointment.role_of(user), part) {
        (Some(role), _) => role,
        (None, Some(party)) => party.role,
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
        self.part.map(|party| party.status)
    }

    /// Whether removing them changes anything.
    #[must_use]
    pub fn remove(&self) -> bool {
        self.status() != Some(ParticipantStatus::Removed)
    }

    fn capabilities(&self) -> Capabilities {
        self.part.map_or(Capabilities::of(self.role, None), |party| party.capabilities)
    }
}

/// What the provider wants of someone's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Whether they are let in.
    pub admitted: Option<bool>,
    /// What they may send and receive.
    pub capabilities: Option<Wish>,
}

/// What is to be done next for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Change what they may send and receive. This comes first, so that whoever is let in comes with it.
    Allow(Wish),
    /// Let them in.
    Admit,
    /// Turn them away.
    TurnAway,
    /// It is so.
    Nothing,
}

impl Change {
    /// The change, if there is one.
    ///
    /// # Errors
    /// 422 where nothing is to be changed.
    pub fn checked(self) -> Result<Self, Error> {
        if self == Self::default() {
            return Err(Error::invalid("admitted", "or capabilities is required"));
        }
        self.capabilities.map(Wish::checked).transpose()?;
        Ok(self)
    }

    /// What is to be done next. All of the change can be carried out, or none of it is.
    ///
    /// # Errors
    /// 409 for the removed, and for turning away who has been in the call: they can only be removed. 422 for capabilities
    /// that Chime does not take.
    pub fn next(self, subject: &Subject<'_>) -> Result<Next, Error> {
        if subject.status() == Some(ParticipantStatus::Removed) {
            return Err(Error::conflict(reason::ALREADY_REMOVED));
        }
        if self.admitted == Some(false) && subject.part.is_some_and(|party| party.came) {
            return Err(Error::conflict(reason::ALREADY_JOINED));
        }
        let wish = self.capabilities.unwrap_or_default();
        let allowed = subject.capabilities().with(wish)?;
        let admitted = subject.part.is_some_and(|party| party.admitted);
        Ok(match self.admitted {
            _ if allowed != subject.capabilities() => Next::Allow(wish),
            Some(true) if !admitted => Next::Admit,
            Some(false) if subject.status() != Some(ParticipantStatus::TurnedAway) => Next::TurnAway,
            Some(_) | None => Next::Nothing,
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

    fn party(status: ParticipantStatus, admitted: bool) -> Party {
        Party {
            connected: false,
            user_id: user(2),
            display_name: None,
            role: Role::Patient,
            observer_kind: None,
            status,
            admitted,
            came: status == ParticipantStatus::Joined,
            waiting_since: Some(SINCE),
            capabilities: Capabilities::ALL,
        }
    }

    fn met(role: Role, part: Option<&Party>, room: WaitingRoom) -> Result<Door, &'static str> {
        door(role, part, room).map_err(|error| error.code())
    }

    use ParticipantStatus::{Failed, Invited, Joined, Left, Removed, TurnedAway, Waiting};
    use WaitingRoom::{Off, On};

    #[test]
    fn everyone_but_the_provider_waits_until_they_are_admitted() {
        for role in [Role::Patient, Role::Observer] {
            assert_eq!(met(role, None, On), Ok(Door::Closed));
            for status in [Invited, Left, Failed, Joined] {
                assert_eq!(met(role, Some(&party(status, false)), On), Ok(Door::Closed), "{status:?}");
                assert_eq!(met(role, Some(&party(status, true)), On), Ok(Door::Open), "{status:?}");
                assert_eq!(met(role, Some(&party(status, false)), Off), Ok(Door::Open), "{status:?}");
            }
            assert_eq!(met(role, Some(&party(Waiting, false)), On), Ok(Door::Waiting(SINCE)));
            assert_eq!(
                met(role, Some(&party(Waiting, false)), Off),
                Ok(Door::Open),
                "the room was closed meanwhile"
            );
            assert_eq!(met(role, None, Off), Ok(Door::Open));
        }
        for part in [None, Some(party(Left, false)), Some(party(Waiting, false))] {
            assert_eq!(met(Role::Provider, part.as_ref(), On), Ok(Door::Open));
        }
    }

    #[test]
    fn the_removed_and_the_turned_away_stay_outside_with_and_without_a_waiting_room() {
        for room in [On, Off] {
            for admitted in [true, false] {
                let told = |status| met(Role::Patient, Some(&party(status, admitted)), room);
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
                sees(provider, true, one(observer, status)) && sees(observer, false, one(observer, status))
            );
            assert!(
                !sees(patient, true, one(observer, status)) && !sees(observer, true, one(patient, status))
            );
        }
        assert!(sees(patient, false, one(observer, Joined)), "a patient sees who is in their consultation");
        assert!(sees(observer, true, one(patient, Joined)) && !sees(observer, false, one(patient, Joined)));
        assert!(sees(observer, false, one(provider, Joined)), "who is to let them in");
    }

    fn next(part: Option<&Party>, change: Change) -> Result<Next, &'static str> {
        let session = session();
        let appointment = appointment();
        let by = Member { user: user(1), role: Role::Provider, appointment: &appointment };
        let subject = Subject { by, session: &session, user: user(2), role: Role::Patient, part };
        change.next(&subject).map_err(|error| error.code())
    }

    fn admitted(admitted: bool) -> Change {
        Change { admitted: Some(admitted), capabilities: None }
    }

    fn muted() -> Wish {
        Wish { audio: Some(crate::capabilities::Direction::Receive), ..Wish::default() }
    }

    #[test]
    fn who_has_not_been_in_the_call_is_let_in_or_turned_away() {
        for part in [None, Some(party(Waiting, false)), Some(party(Invited, false)), Some(party(Left, false))]
        {
            assert_eq!(next(part.as_ref(), admitted(true)), Ok(Next::Admit), "{part:?}");
            assert_eq!(next(part.as_ref(), admitted(false)), Ok(Next::TurnAway), "{part:?}");
        }
        assert_eq!(next(Some(&party(TurnedAway, false)), admitted(true)), Ok(Next::Admit));
        assert_eq!(next(Some(&party(TurnedAway, false)), admitted(false)), Ok(Next::Nothing));
        assert_eq!(next(Some(&party(Invited, true)), admitted(true)), Ok(Next::Nothing));
        assert_eq!(next(Some(&party(Invited, true)), admitted(false)), Ok(Next::TurnAway));
        assert_eq!(next(Some(&party(Joined, true)), admitted(false)), Err("ALREADY_JOINED"));
        let left = Party { came: true, ..party(Left, true) };
        assert_eq!(next(Some(&left), admitted(false)), Err("ALREADY_JOINED"));
        for change in
            [admitted(true), admitted(false), Change { capabilities: Some(muted()), admitted: None }]
        {
            assert_eq!(next(Some(&party(Removed, false)), change), Err("ALREADY_REMOVED"));
        }
    }

    #[test]
    fn capabilities_come_before_the_door_and_what_cannot_be_done_whole_is_not_begun() {
        let both = Change { admitted: Some(true), capabilities: Some(muted()) };
        let mut waiting = party(Waiting, false);
        assert_eq!(next(Some(&waiting), both), Ok(Next::Allow(muted())));
        waiting.capabilities = Capabilities::ALL.with(muted()).expect("Chime takes it");
        assert_eq!(next(Some(&waiting), both), Ok(Next::Admit));
        waiting.admitted = true;
        assert_eq!(next(Some(&waiting), both), Ok(Next::Nothing));

        let away = Change { admitted: Some(false), capabilities: Some(muted()) };
        assert_eq!(next(Some(&party(Joined, true)), away), Err("ALREADY_JOINED"));
        let blind = Wish { video: Some(crate::capabilities::Direction::None), ..Wish::default() };
        let cannot = Change { admitted: Some(true), capabilities: Some(blind) };
        assert_eq!(next(Some(&party(Waiting, false)), cannot), Err("INVALID_FIELD"));
        assert!(Change::default().checked().is_err() && both.checked().is_ok());
        let empty = Change { admitted: Some(true), capabilities: Some(Wish::default()) };
        assert!(empty.checked().is_err());
    }

    fn view(caller: u8, part: Option<Party>) -> View {
        View {
            caller: Some(crate::call::Person { id: user(caller) }),
            appointment: Some(appointment()),
            session: Some(session()),
            me: None,
            people: part.into_iter().collect(),
            consents: Vec::new(),
        }
    }

    #[test]
    fn the_provider_decides_about_everyone_with_a_part_and_the_patient_but_not_about_themselves() {
        let told =
            |view: &View, of: u8| subject(view, user(of)).map(|it| it.role).map_err(|error| error.code());
        let observer = Party { user_id: user(3), role: Role::Observer, ..party(Joined, true) };
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
            "durationSeconds": null, "connected": 0, "emptiedAt": null, "present": [],
        }))
        .expect("a session")
    }

    #[test]
    fn on_and_off_are_the_only_words() {
        assert_eq!(("on".parse(), "off".parse()), (Ok(On), Ok(Off)));
        for text in ["", "On", "true", " on"] {
            assert_eq!(text.parse::<WaitingRoom>(), Err(NotASwitch), "{text}");
        }
    }
}
