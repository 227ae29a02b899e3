//! Consent to recording and transcription: each participant's own decision, which can be revoked at any moment.
//!
//! Everyone who holds a join token must have consented, the provider too: a recording contains the provider's voice as
//! much as the patient's, and nobody consents for another person. A participant who has left holds a token that still
//! admits its holder, without a request to us; one who was removed holds it until Chime has deleted the attendee.
//! Participants who were never given a token are asked when they join: while a capture is open, nobody gets a token who
//! has not consented to its purposes. Consent is missing in an empty call, because then no decision applies.

pub use crate::call::{Consent, ConsentPurpose, RequiredConsent};

use crate::call::{ParticipantView, View};
use crate::error::{Error, reason};
use crate::id::{SessionId, UserId};
use crate::state::{ParticipantStatus, SessionStatus};

/// Decisions per participant, purpose and call after which a grant is rejected; a refusal is always accepted. High
/// enough for any real use, low enough that nobody can flood the audit log.
pub const MAX_CONSENT_CHANGES: u32 = 50;

/// Whether a purpose is allowed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentCheck {
    /// Everyone who holds a join token has consented.
    Allowed,
    /// Consent of these users is missing, in the order of `participants`. Empty when nobody is in the call.
    Missing(Vec<UserId>),
}

/// Whether the stop of a capture is to be requested before the caller may join: the caller has refused a purpose, and no stop
/// was requested yet.
#[must_use]
pub fn stops_capture(required: &[RequiredConsent], user: UserId, consents: &[Consent]) -> bool {
    required.iter().any(|required| {
        !required.stopping && latest_decision(required.purpose, user, consents) == Some(false)
    })
}

/// Whether a call may be recorded or transcribed now, and if not, whose consent is missing. `consents` is ordered by
/// time; the latest decision of each participant counts.
#[must_use]
pub fn check(kind: ConsentPurpose, participants: &[ParticipantView], consents: &[Consent]) -> ConsentCheck {
    let is_present = |participant: &ParticipantView| {
        participant.status == ParticipantStatus::Joined || participant.connected
    };
    if !participants.iter().any(is_present) {
        return ConsentCheck::Missing(Vec::new());
    }
    let missing: Vec<_> = participants
        .iter()
        .filter(|participant| participant.holds_token || is_present(participant))
        .map(|participant| participant.user_id)
        .filter(|user| latest_decision(kind, *user, consents) != Some(true))
        .collect();
    if missing.is_empty() { ConsentCheck::Allowed } else { ConsentCheck::Missing(missing) }
}

/// A user's latest decision on a purpose.
#[must_use]
pub fn latest_decision(kind: ConsentPurpose, user: UserId, consents: &[Consent]) -> Option<bool> {
    let own = |consent: &&Consent| consent.user_id == user && consent.kind == kind;
    consents.iter().rev().find(own).map(|consent| consent.granted)
}

fn change_count(kind: ConsentPurpose, user: UserId, consents: &[Consent]) -> u32 {
    let own = |consent: &&Consent| consent.user_id == user && consent.kind == kind;
    consents.iter().rev().find(own).map_or(0, |consent| consent.changes)
}

/// The decisions in a request. A purpose that is not named keeps its decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsentDecision {
    pub recording: Option<bool>,
    pub transcription: Option<bool>,
}

impl ConsentDecision {
    /// The decisions, one for each named purpose.
    ///
    /// # Errors
    /// 422 where the request names no purpose.
    pub fn decisions(self) -> Result<Vec<(ConsentPurpose, bool)>, Error> {
        let named = [
            (ConsentPurpose::Recording, self.recording),
            (ConsentPurpose::Transcription, self.transcription),
        ];
        let decisions: Vec<_> =
            named.into_iter().filter_map(|(kind, granted)| Some((kind, granted?))).collect();
        if decisions.is_empty() {
            return Err(Error::invalid("recording", "or transcription is required"));
        }
        Ok(decisions)
    }
}

/// The consents that a request changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentChange {
    pub session: SessionId,
    /// Decisions that differ from the stored ones and are accepted.
    pub new: Vec<(ConsentPurpose, bool)>,
    /// Whether a grant was rejected because of [`MAX_CONSENT_CHANGES`]. Other decisions of the same request are still
    /// accepted.
    pub limit_reached: bool,
}

/// The session and the decisions to store.
///
/// # Errors
/// 403 for strangers and for participants who were removed or turned away; 404 without an active call.
pub fn decide(view: &View, decisions: &[(ConsentPurpose, bool)]) -> Result<ConsentChange, Error> {
    let member = view.member()?;
    let on = |status| matches!(status, SessionStatus::Creating | SessionStatus::Active);
    let session = view.session.as_ref().filter(|session| on(session.status()));
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
    let (rejected, new): (Vec<_>, Vec<_>) = decisions.iter().copied().filter(is_new).partition(too_many);
    Ok(ConsentChange { session: session.id, new, limit_reached: !rejected.is_empty() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::tests::user;
    use crate::capabilities::Capabilities;
    use crate::state::Role;

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
            has_account: true,
            attendee_id: None,
            holds_token: status == Joined,
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
    fn everyone_in_the_call_including_the_provider_must_have_consented() {
        let participants = [participant(1, Joined), participant(2, Joined)];
        let checked = |consents: &[Consent]| check(ConsentPurpose::Recording, &participants, consents);
        assert_eq!(checked(&[]), ConsentCheck::Missing(vec![user(1), user(2)]));
        assert_eq!(checked(&[yes(2)]), ConsentCheck::Missing(vec![user(1)]));
        assert_eq!(checked(&[yes(2), yes(1)]), ConsentCheck::Allowed);
        assert_eq!(
            checked(&[yes(2), yes(1), no(2)]),
            ConsentCheck::Missing(vec![user(2)]),
            "the latest decision counts"
        );
        assert_eq!(checked(&[no(2), yes(1), yes(2)]), ConsentCheck::Allowed);
        let other = Consent { kind: ConsentPurpose::Transcription, ..yes(2) };
        assert_eq!(
            checked(&[other, yes(1)]),
            ConsentCheck::Missing(vec![user(2)]),
            "purposes are independent"
        );
    }

    #[test]
    fn participants_without_a_join_token_need_not_have_consented() {
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
    fn everyone_who_holds_a_join_token_must_have_consented_whatever_the_status_is() {
        for status in [Invited, Waiting, Joined, Left, Removed, TurnedAway] {
            let holder = ParticipantView { holds_token: true, ..participant(2, status) };
            let participants = [participant(1, Joined), holder];
            let checked = |consents: &[Consent]| check(ConsentPurpose::Recording, &participants, consents);
            assert_eq!(checked(&[yes(1)]), ConsentCheck::Missing(vec![user(2)]), "{status:?}");
            assert_eq!(checked(&[yes(1), yes(2)]), ConsentCheck::Allowed, "{status:?}");
        }
        let all_left = [1, 2].map(|n| ParticipantView { holds_token: true, ..participant(n, Left) });
        assert_eq!(
            check(ConsentPurpose::Recording, &all_left, &[yes(1), yes(2)]),
            ConsentCheck::Missing(Vec::new()),
            "nobody is in the call"
        );
    }

    #[test]
    fn a_refusal_stops_a_capture_and_a_missing_decision_does_not() {
        let required = |stopping| [RequiredConsent { purpose: ConsentPurpose::Recording, stopping }];
        assert!(stops_capture(&required(false), user(1), &[no(1)]));
        assert!(stops_capture(&required(false), user(1), &[yes(1), no(1)]), "the latest decision counts");
        assert!(!stops_capture(&required(true), user(1), &[no(1)]), "it was requested");
        assert!(!stops_capture(&required(false), user(1), &[]));
        assert!(!stops_capture(&required(false), user(1), &[no(2)]), "another's decision");
        let other = Consent { kind: ConsentPurpose::Transcription, ..no(1) };
        assert!(!stops_capture(&required(false), user(1), &[other]), "another purpose");
        assert!(!stops_capture(&[], user(1), &[no(1)]), "nothing is captured");
    }

    #[test]
    fn at_least_one_decision_is_required() {
        assert!(ConsentDecision::default().decisions().is_err());
        let both = ConsentDecision { recording: Some(true), transcription: Some(false) };
        assert_eq!(
            both.decisions().ok(),
            Some(vec![(ConsentPurpose::Recording, true), (ConsentPurpose::Transcription, false)])
        );
    }

    fn any_participant() -> impl Strategy<Value = ParticipantView> {
        let statuses = vec![Invited, Waiting, Joined, Left, Removed, TurnedAway];
        (1..6_u8, prop::sample::select(statuses), any::<bool>(), any::<bool>()).prop_map(
            |(n, status, holds_token, connected)| ParticipantView {
                connected,
                holds_token,
                ..participant(n, status)
            },
        )
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
        fn it_is_allowed_only_if_the_latest_decision_of_each_participant_is_a_grant(
            mut participants in prop::collection::vec(any_participant(), 0..5),
            consents in prop::collection::vec(any_decision(), 0..20),
        ) {
            participants.sort_by_key(|participant| participant.user_id);
            participants.dedup_by_key(|participant| participant.user_id);
            // A slow reference: applies one decision after the other.
            let mut last = std::collections::BTreeMap::new();
            for consent in &consents {
                last.insert((consent.user_id, consent.kind), consent.granted);
            }
            for kind in [ConsentPurpose::Recording, ConsentPurpose::Transcription] {
                let present = participants.iter().any(|it| it.status == Joined || it.connected);
                let missing: Vec<_> = participants
                    .iter()
                    .filter(|it| present && (it.status == Joined || it.connected || it.holds_token))
                    .map(|it| it.user_id)
                    .filter(|user| last.get(&(*user, kind)) != Some(&true))
                    .collect();
                let expected = if present && missing.is_empty() {
                    ConsentCheck::Allowed
                } else {
                    ConsentCheck::Missing(missing)
                };
                prop_assert_eq!(check(kind, &participants, &consents), expected);
            }
        }
    }
}
