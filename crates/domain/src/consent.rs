//! Consent to being recorded and transcribed: each person's own word, that can be taken back at any moment.
//!
//! Everyone who can be heard must have consented, the provider too: a recording holds their voice as much as the patient's,
//! and no role's consent stands for another's. Who has not come, waits, has left, was removed or turned away cannot be
//! heard and is not asked, once their connection has ended too. Who comes later and has not consented makes it missing again; so does everyone's leaving, for
//! nobody is there then whose word would count.

use serde::{Deserialize, Serialize};

use crate::call::{Party, View};
use crate::error::{Error, reason};
use crate::id::{SessionId, UserId};
use crate::state::{ParticipantStatus, SessionStatus};

/// What is consented to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sound and picture are kept.
    Recording,
    /// What is said is written down.
    Transcription,
}

impl Kind {
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
    pub kind: Kind,
    /// Yes, or no (any more).
    pub granted: bool,
    /// How many words of theirs on this there are by now.
    pub words: u32,
}

/// How many words on a kind a person may say in a call before yes is no more taken: enough for anybody who means them, and too
/// few to fill an audit.
pub const WORDS: u32 = 50;

/// Whether it may be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum May {
    /// Everyone who is in the call has consented.
    Allowed,
    /// These have not, in the order of `people`. Nobody at all: nobody is in the call.
    Missing(Vec<UserId>),
}

/// Whether a call may be recorded or transcribed now, and if not, whose consent is missing. `consents` in the order in
/// which they were given: the last word of a person on a kind counts.
#[must_use]
pub fn may(kind: Kind, people: &[Party], consents: &[Consent]) -> May {
    let is_heard = |party: &&Party| party.status == ParticipantStatus::Joined || party.connected;
    let mut heard = people.iter().filter(is_heard).peekable();
    if heard.peek().is_none() {
        return May::Missing(Vec::new());
    }
    let missing: Vec<_> =
        heard.map(|party| party.user_id).filter(|user| word(kind, *user, consents) != Some(true)).collect();
    if missing.is_empty() { May::Allowed } else { May::Missing(missing) }
}

/// Someone's last word.
#[must_use]
pub fn word(kind: Kind, user: UserId, consents: &[Consent]) -> Option<bool> {
    let own = |consent: &&Consent| consent.user_id == user && consent.kind == kind;
    consents.iter().rev().find(own).map(|consent| consent.granted)
}

fn said(kind: Kind, user: UserId, consents: &[Consent]) -> u32 {
    let own = |consent: &&Consent| consent.user_id == user && consent.kind == kind;
    consents.iter().rev().find(own).map_or(0, |consent| consent.words)
}

/// What someone says. What is not named stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// On being recorded.
    pub recording: Option<bool>,
    /// On being transcribed.
    pub transcription: Option<bool>,
}

impl Words {
    /// The words, one for each kind that is named.
    ///
    /// # Errors
    /// 422 where none is.
    pub fn each(self) -> Result<Vec<(Kind, bool)>, Error> {
        let named = [(Kind::Recording, self.recording), (Kind::Transcription, self.transcription)];
        let words: Vec<_> = named.into_iter().filter_map(|(kind, word)| Some((kind, word?))).collect();
        if words.is_empty() {
            return Err(Error::invalid("recording", "or transcription is required"));
        }
        Ok(words)
    }
}

/// What is to be done with someone's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The session that they are about.
    pub session: SessionId,
    /// Those that are new and are taken.
    pub new: Vec<(Kind, bool)>,
    /// Whether a yes is not: there were [`WORDS`] before it. Whatever else was said with it is taken all the same.
    pub one_too_many: bool,
}

/// In which session the caller may say whether they consent, and which of their words are new.
///
/// # Errors
/// 403 for strangers, the removed and who was turned away; 404 where no call is on.
pub fn decide(view: &View, words: &[(Kind, bool)]) -> Result<Taken, Error> {
    let member = view.member()?;
    let on = |status| matches!(status, SessionStatus::Creating | SessionStatus::Active);
    let session = view.session.as_ref().filter(|session| on(session.status));
    let session = session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    match view.party(member.user).map(|party| party.status) {
        Some(ParticipantStatus::Removed) => return Err(Error::Forbidden(reason::REMOVED_FROM_CALL)),
        Some(ParticipantStatus::TurnedAway) => return Err(Error::Forbidden(reason::TURNED_AWAY)),
        _ => {}
    }
    let is_new = |(kind, granted): &(Kind, bool)| word(*kind, member.user, &view.consents) != Some(*granted);
    let too_many =
        |(kind, granted): &(Kind, bool)| *granted && said(*kind, member.user, &view.consents) >= WORDS;
    let (refused, new): (Vec<_>, Vec<_>) = words.iter().copied().filter(is_new).partition(too_many);
    Ok(Taken { session: session.id, new, one_too_many: !refused.is_empty() })
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

    fn party(n: u8, status: ParticipantStatus) -> Party {
        Party {
            connected: false,
            user_id: user(n),
            display_name: None,
            role: if n == 1 { Role::Provider } else { Role::Observer },
            observer_kind: None,
            status,
            admitted: true,
            came: true,
            waiting_since: None,
            capabilities: Capabilities::ALL,
        }
    }

    fn yes(n: u8) -> Consent {
        Consent { user_id: user(n), kind: Kind::Recording, granted: true, words: 1 }
    }

    fn no(n: u8) -> Consent {
        Consent { granted: false, ..yes(n) }
    }

    use ParticipantStatus::{Failed, Invited, Joined, Left, Removed, TurnedAway, Waiting};

    #[test]
    fn everyone_in_the_call_must_have_consented_the_provider_too() {
        let people = [party(1, Joined), party(2, Joined)];
        let told = |consents: &[Consent]| may(Kind::Recording, &people, consents);
        assert_eq!(told(&[]), May::Missing(vec![user(1), user(2)]));
        assert_eq!(told(&[yes(2)]), May::Missing(vec![user(1)]));
        assert_eq!(told(&[yes(2), yes(1)]), May::Allowed);
        assert_eq!(told(&[yes(2), yes(1), no(2)]), May::Missing(vec![user(2)]), "the newest word counts");
        assert_eq!(told(&[no(2), yes(1), yes(2)]), May::Allowed);
        let other = Consent { kind: Kind::Transcription, ..yes(2) };
        assert_eq!(told(&[other, yes(1)]), May::Missing(vec![user(2)]), "one kind is not the other");
    }

    #[test]
    fn who_cannot_be_heard_is_not_asked_and_who_comes_later_is() {
        for status in [Invited, Waiting, Left, Removed, TurnedAway, Failed] {
            let people = [party(1, Joined), party(2, status)];
            assert_eq!(may(Kind::Recording, &people, &[yes(1)]), May::Allowed, "{status:?}");
        }
        let later = [party(1, Joined), party(2, Joined), party(3, Joined)];
        assert_eq!(may(Kind::Recording, &later, &[yes(1), yes(2)]), May::Missing(vec![user(3)]));
        let nobody = [party(1, Left), party(2, Waiting)];
        assert_eq!(may(Kind::Recording, &nobody, &[yes(1), yes(2)]), May::Missing(Vec::new()));
    }

    #[test]
    fn at_least_one_word_is_needed() {
        assert!(Words::default().each().is_err());
        let both = Words { recording: Some(true), transcription: Some(false) };
        assert_eq!(both.each().ok(), Some(vec![(Kind::Recording, true), (Kind::Transcription, false)]));
    }

    fn anyone() -> impl Strategy<Value = Party> {
        let statuses = vec![Invited, Waiting, Joined, Left, Removed, TurnedAway, Failed];
        (1..6_u8, prop::sample::select(statuses)).prop_map(|(n, status)| party(n, status))
    }

    fn word_of_anyone() -> impl Strategy<Value = Consent> {
        let kinds = prop::sample::select(vec![Kind::Recording, Kind::Transcription]);
        (1..6_u8, kinds, any::<bool>()).prop_map(|(n, kind, granted)| Consent {
            user_id: user(n),
            kind,
            granted,
            words: 1,
        })
    }

    proptest! {
        #[test]
        fn it_is_allowed_only_if_each_one_s_last_word_is_yes(
            mut people in prop::collection::vec(anyone(), 0..5),
            consents in prop::collection::vec(word_of_anyone(), 0..20),
        ) {
            people.sort_by_key(|party| party.user_id);
            people.dedup_by_key(|party| party.user_id);
            // Slowly: the history is told one word after the other.
            let mut last = std::collections::BTreeMap::new();
            for consent in &consents {
                last.insert((consent.user_id, consent.kind), consent.granted);
            }
            for kind in [Kind::Recording, Kind::Transcription] {
                let heard: Vec<_> = people.iter().filter(|it| it.status == Joined).collect();
                let missing: Vec<_> = heard
                    .iter()
                    .map(|it| it.user_id)
                    .filter(|user| last.get(&(*user, kind)) != Some(&true))
                    .collect();
                let expected = if !heard.is_empty() && missing.is_empty() {
                    May::Allowed
                } else {
                    May::Missing(missing)
                };
                prop_assert_eq!(may(kind, &people, &consents), expected);
            }
        }
    }
}
