//! Consent to being recorded and transcribed: each person's own word, that can be taken back at any moment.
//!
//! Everyone who can be heard must have consented, the provider too: a recording holds their voice as much as the patient's,
//! and no role's consent stands for another's. Who has not come, waits, has left, was removed or turned away cannot be
//! heard and is not asked, once their connection has ended too. Who comes later and has not consented makes it missing again; so does everyone's leaving, for
//! nobody is there then whose word would count.

use serde::{Deserialize, Serialize};

use crate::call::{ParticipantView, View};
use crate::error::{Error, reason};
use crate::id::{SessionId, UserId};
use crate::state::{ParticipantStatus, SessionStatus};

/// What is consented to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPurpose {
    /// Sound and picture are kept.
    Recording,
    /// What is said is written down.
    Transcription,
}

impl ConsentPurpose {
    /// As the database and the wire spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Transcription => "transcription",
        }
    }
}

/// One word of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// Whose.
    pub user_id: UserId,
    /// On what.
    pub kind: ConsentPurpose,
    /// Yes, or no (any more).
    pub granted: bool,
    /// How many words of theirs on this there are by now.
    pub changes: u32,
}

/// How many words on a kind a person may say in a call before yes is no more taken: enough for anybody who means them, and too
/// few to fill an audit.
pub const MAX_CONSENT_CHANGES: u32 = 50;

/// Whether it may be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentCheck {
    /// Everyone who is in the call has consented.
    Allowed,
    /// These have not, in the order of `participants`. Nobody at all: nobody is in the call.
    Missing(Vec<UserId>),
}

/// Whether a call may be recorded or transcribed now, and if not, whose consent is missing. `consents` in the order in
/// which they were given: the last word of a person on a kind counts.
#[must_use]
pub fn check(kind: ConsentPurpose, participants: &[ParticipantView], consents: &[Consent]) -> ConsentCheck {
    let is_heard = |participant: &&ParticipantView| {
        participant.status == ParticipantStatus::Joined || participant.connected
    };
    let mut heard = participants.iter().filter(is_heard).peekable();
    if heard.peek().is_none() {
        return ConsentCheck::Missing(Vec::new());
    }
    let missing: Vec<_> = heard
        .map(|participant| participant.user_id)
        .filter(|user| latest_decision(kind, *user, consents) != Some(true))
        .collect();
    if missing.is_empty() { ConsentCheck::Allowed } else { ConsentCheck::Missing(missing) }
}

/// Someone's last word.
#[must_use]
pub fn latest_decision(kind: ConsentPurpose, user: UserId, consents: &[Consent]) -> Option<bool> {
    let own = |consent: &&Consent| consent.user_id == user && consent.kind == kind;
    consents.iter().rev().find(own).map(|consent| consent.granted)
}

fn change_count(kind: ConsentPurpose, user: UserId, consents: &[Consent]) -> u32 {
    let own = |consent: &&Consent| consent.user_id == user && consent.kind == kind;
    consents.iter().rev().find(own).map_or(0, |consent| consent.changes)
}

/// What someone says. What is not named stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsentDecision {
    /// On being recorded.
    pub recording: Option<bool>,
    /// On being transcribed.
    pub transcription: Option<bool>,
}

impl ConsentDecision {
    /// The words, one for each kind that is named.
    ///
    /// # Errors
    /// 422 where none is.
    pub fn decisions(self) -> Result<Vec<(ConsentPurpose, bool)>, Error> {
        let named = [
            (ConsentPurpose::Recording, self.recording),
            (ConsentPurpose::Transcription, self.transcription),
        ];
        let words: Vec<_> = named.into_iter().filter_map(|(kind, word)| Some((kind, word?))).collect();
        if words.is_empty() {
            return Err(Error::invalid("recording", "or transcription is required"));
        }
        Ok(words)
    }
}

/// What is to be done with someone's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentChange {
    /// The session that they are about.
    pub session: SessionId,
    /// Those that are new and are taken.
    pub new: Vec<(ConsentPurpose, bool)>,
    /// Whether a yes is not: there were [`MAX_CONSENT_CHANGES`] before it. Whatever else was said with it is taken all the same.
    pub limit_reached: bool,
}

/// In which session the caller may say whether they consent, and which of their words are new.
///
/// # Errors
/// 403 for strangers, the removed and who was turned away; 404 where no call is on.
pub fn decide(view: &View, words: &[(ConsentPurpose, bool)]) -> Result<ConsentChange, Error> {
    let member = view.member()?;
    let on = |status| matches!(status, SessionStatus::Creating | SessionStatus::Active);
    let session = view.session.as_ref().filter(|session| on(session.status));
    let session = session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    match view.participant(member.user).map(|participant| participant.status) {
        Some(ParticipantStatus::Removed) => return Err(Error::Forbidden(reason::REMOVED_FROM_CALL)),
        Some(ParticipantStatus::TurnedAway) => return Err(Error::Forbidden(reason::TURNED_AWAY)),
        _ => {}
    }
    let is_new = |(kind, granted): &(ConsentPurpose, bool)| {
        latest_decision(*kind, member.user, &view.consents) != Some(*granted)
    };
    let too_many = |(kind, granted): &(ConsentPurpose, bool)| {
        *granted && change_count(*kind, member.user, &view.consents) >= MAX_CONSENT_CHANGES
    };
    let (refused, new): (Vec<_>, Vec<_>) = words.iter().copied().filter(is_new).partition(too_many);
    Ok(ConsentChange { session: session.id, new, limit_reached: !refused.is_empty() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capabilities::Capabilities;
    use crate::state::Role;

    fn user(n: u8) -> UserId {
        format!("7d9f1c5e-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
    }

    fn participant(n: u8, status: ParticipantStatus) -> ParticipantView {
        ParticipantView {
            connected: false,
            user_id: user(n),
            display_name: None,
            role: if n == 1 { Role::Provider } else { Role::Observer },
            observer_kind: None,
            status,
            admitted: true,
            has_joined: true,
            waiting_since: None,
            capabilities: Capabilities::ALL,
        }
    }

    fn yes(n: u8) -> Consent {
        Consent { user_id: user(n), kind: ConsentPurpose::Recording, granted: true, changes: 1 }
    }

    fn no(n: u8) -> Consent {
        Consent { granted: false, ..yes(n) }
    }

    use ParticipantStatus::{Invited, Joined, Left, Removed, TurnedAway, Waiting};

    #[test]
    fn everyone_in_the_call_must_have_consented_the_provider_too() {
        let participants = [participant(1, Joined), participant(2, Joined)];
        let told = |consents: &[Consent]| check(ConsentPurpose::Recording, &participants, consents);
        assert_eq!(told(&[]), ConsentCheck::Missing(vec![user(1), user(2)]));
        assert_eq!(told(&[yes(2)]), ConsentCheck::Missing(vec![user(1)]));
        assert_eq!(told(&[yes(2), yes(1)]), ConsentCheck::Allowed);
        assert_eq!(
            told(&[yes(2), yes(1), no(2)]),
            ConsentCheck::Missing(vec![user(2)]),
            "the newest word counts"
        );
        assert_eq!(told(&[no(2), yes(1), yes(2)]), ConsentCheck::Allowed);
        let other = Consent { kind: ConsentPurpose::Transcription, ..yes(2) };
        assert_eq!(told(&[other, yes(1)]), ConsentCheck::Missing(vec![user(2)]), "one kind is not the other");
    }

    #[test]
    fn who_cannot_be_heard_is_not_asked_and_who_comes_later_is() {
        for status in [Invited, Waiting, Left, Removed, TurnedAway] {
            let participants = [participant(1, Joined), participant(2, status)];
            assert_eq!(
                check(ConsentPurpose::Recording, &participants, &[yes(1)]),
                ConsentCheck::Allowed,
                "{status:?}"
            );
        }
        let later = [participant(1, Joined), participant(2, Joined), participant(3, Joined)];
        assert_eq!(
            check(ConsentPurpose::Recording, &later, &[yes(1), yes(2)]),
            ConsentCheck::Missing(vec![user(3)])
        );
        let nobody = [participant(1, Left), participant(2, Waiting)];
        assert_eq!(
            check(ConsentPurpose::Recording, &nobody, &[yes(1), yes(2)]),
            ConsentCheck::Missing(Vec::new())
        );
    }

    #[test]
    fn at_least_one_word_is_needed() {
        assert!(ConsentDecision::default().decisions().is_err());
        let both = ConsentDecision { recording: Some(true), transcription: Some(false) };
        assert_eq!(
            both.decisions().ok(),
            Some(vec![(ConsentPurpose::Recording, true), (ConsentPurpose::Transcription, false)])
        );
    }

    fn any_participant() -> impl Strategy<Value = ParticipantView> {
        let statuses = vec![Invited, Waiting, Joined, Left, Removed, TurnedAway];
        (1..6_u8, prop::sample::select(statuses)).prop_map(|(n, status)| participant(n, status))
    }

    fn any_decision() -> impl Strategy<Value = Consent> {
        let kinds = prop::sample::select(vec![ConsentPurpose::Recording, ConsentPurpose::Transcription]);
        (1..6_u8, kinds, any::<bool>()).prop_map(|(n, kind, granted)| Consent {
            user_id: user(n),
            kind,
            granted,
            changes: 1,
        })
    }

    proptest! {
        #[test]
        fn it_is_allowed_only_if_each_one_s_last_word_is_yes(
            mut participants in prop::collection::vec(any_participant(), 0..5),
            consents in prop::collection::vec(any_decision(), 0..20),
        ) {
            participants.sort_by_key(|participant| participant.user_id);
            participants.dedup_by_key(|participant| participant.user_id);
            // Slowly: the history is told one word after the other.
            let mut last = std::collections::BTreeMap::new();
            for consent in &consents {
                last.insert((consent.user_id, consent.kind), consent.granted);
            }
            for kind in [ConsentPurpose::Recording, ConsentPurpose::Transcription] {
                let heard: Vec<_> = participants.iter().filter(|it| it.status == Joined).collect();
                let missing: Vec<_> = heard
                    .iter()
                    .map(|it| it.user_id)
                    .filter(|user| last.get(&(*user, kind)) != Some(&true))
                    .collect();
                let expected = if !heard.is_empty() && missing.is_empty() {
                    ConsentCheck::Allowed
                } else {
                    ConsentCheck::Missing(missing)
                };
                prop_assert_eq!(check(kind, &participants, &consents), expected);
            }
        }
    }
}
