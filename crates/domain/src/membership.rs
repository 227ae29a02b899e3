//! Memberships that end while a call is in progress, because the host application changed the appointment or an account.
//!
//! The host application notifies nobody, so its views are compared with the participants at each request about the call and in
//! each run of the reconciler. A former participant would otherwise keep the attendee and continue to listen.

use serde::{Deserialize, Serialize};

use crate::call::{Appointment, Meeting, Session, View};
use crate::id::UserId;
use crate::state::{ParticipantStatus, Role};

/// Why a participant's part in a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The appointment names another provider or patient.
    Reassigned,
    /// The host application does not have the account any more.
    AccountDeleted,
    /// The appointment was cancelled, or is not held by video any more, before the provider admitted the participant.
    Cancelled,
}

/// A participant, as far as the rule needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub user_id: UserId,
    pub role: Role,
    pub status: ParticipantStatus,
    /// Whether the host application has the account.
    pub has_account: bool,
    /// Whether an attendee is stored for the participant.
    pub has_attendee: bool,
}

/// A participant whose part in the call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedMembership {
    pub user_id: UserId,
    pub reason: EndReason,
}

/// The change that the host application's changes make necessary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipChange {
    /// The appointment was deleted: nobody is a member any more, so the call ends.
    EndCall,
    /// These participants lose their part, and their attendee.
    End(Vec<EndedMembership>),
}

/// Compares an active call with what the host application says now; `None`: nothing changed. `appointment_deleted` is for an
/// appointment that is missing in a view that has others: an empty view is a fault of the view, and nobody is disconnected
/// for that.
#[must_use]
pub fn compare(
    appointment: Option<&Appointment>,
    appointment_deleted: bool,
    participants: impl IntoIterator<Item = Standing>,
) -> Option<MembershipChange> {
    let Some(appointment) = appointment else {
        return appointment_deleted.then_some(MembershipChange::EndCall);
    };
    let ended: Vec<_> = participants
        .into_iter()
        .filter_map(|standing| {
            let reason = end_reason(appointment, standing)?;
            Some(EndedMembership { user_id: standing.user_id, reason })
        })
        .collect();
    (!ended.is_empty()).then_some(MembershipChange::End(ended))
}

/// Why a participant's part ends; `None`: it does not, or there is nothing left to end.
fn end_reason(appointment: &Appointment, standing: Standing) -> Option<EndReason> {
    let takes_part = match standing.status {
        ParticipantStatus::Invited | ParticipantStatus::Waiting | ParticipantStatus::Joined => true,
        ParticipantStatus::Left => standing.has_attendee,
        ParticipantStatus::Removed | ParticipantStatus::TurnedAway => false,
    };
    if !takes_part {
        return None;
    }
    let is_member = match standing.role {
        // Invited by the provider for this call, whoever the provider is.
        Role::Observer => true,
        Role::Provider | Role::Patient => appointment.role_of(standing.user_id).is_some(),
    };
    if !standing.has_account {
        Some(EndReason::AccountDeleted)
    } else if !is_member {
        Some(EndReason::Reassigned)
    } else if standing.status == ParticipantStatus::Waiting
        && appointment.role_of(standing.user_id) != Some(Role::Provider)
        && appointment.held_by_video().is_err()
    {
        Some(EndReason::Cancelled)
    } else {
        None
    }
}

impl View {
    /// The active session of the call, with what the host application's changes make necessary; `None`: nothing.
    #[must_use]
    pub fn membership_change(&self) -> Option<((&Session, &Meeting), MembershipChange)> {
        let (session, call) = self.active()?;
        let standings = self.participants.iter().map(|participant| Standing {
            user_id: participant.user_id,
            role: participant.role,
            status: participant.status,
            has_account: participant.has_account,
            has_attendee: participant.attendee_id.is_some(),
        });
        let change = compare(self.appointment.as_ref(), self.appointment_deleted, standings)?;
        Some(((session, &call.meeting), change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::tests::{appointment, user};
    use ParticipantStatus::{Invited, Joined, Left, Removed, TurnedAway, Waiting};

    const STATUSES: [ParticipantStatus; 6] = [Invited, Waiting, Joined, Left, Removed, TurnedAway];
    const ROLES: [Role; 3] = [Role::Provider, Role::Patient, Role::Observer];

    /// Every participant there can be: a user who is the provider (1), the patient (2) or neither (3), for each role, status,
    /// account and attendee.
    fn all() -> impl Iterator<Item = Standing> {
        (1..=3).flat_map(|n| {
            ROLES.into_iter().flat_map(move |role| {
                STATUSES.into_iter().flat_map(move |status| {
                    [(true, true), (true, false), (false, true), (false, false)].map(
                        move |(has_account, has_attendee)| Standing {
                            user_id: user(n),
                            role,
                            status,
                            has_account,
                            has_attendee,
                        },
                    )
                })
            })
        })
    }

    fn reason(appointment: &Appointment, standing: Standing) -> Option<EndReason> {
        match compare(Some(appointment), false, [standing]) {
            None => None,
            Some(MembershipChange::End(ended)) => {
                assert_eq!(ended.len(), 1);
                Some(ended[0].reason)
            }
            change @ Some(MembershipChange::EndCall) => unreachable!("the appointment is there: {change:?}"),
        }
    }

    #[test]
    fn a_participant_keeps_a_part_only_as_a_member_with_an_account() {
        for (cancelled, video_enabled) in [(false, true), (true, true), (false, false)] {
            let appointment = Appointment { cancelled, video_enabled, ..appointment() };
            for standing in all() {
                let named = standing.user_id != user(3);
                let active = matches!(standing.status, Invited | Waiting | Joined)
                    || standing.status == Left && standing.has_attendee;
                let withdrawn = cancelled || !video_enabled;
                let expected = match () {
                    () if !active => None,
                    () if !standing.has_account => Some(EndReason::AccountDeleted),
                    () if standing.role != Role::Observer && !named => Some(EndReason::Reassigned),
                    () if standing.status == Waiting && withdrawn && standing.user_id != user(1) => {
                        Some(EndReason::Cancelled)
                    }
                    () => None,
                };
                assert_eq!(reason(&appointment, standing), expected, "{standing:?} cancelled {cancelled}");
            }
        }
    }

    #[test]
    fn once_a_membership_has_ended_nothing_is_left_to_end() {
        let appointment = Appointment { cancelled: true, ..appointment() };
        for standing in all().filter(|standing| reason(&appointment, *standing).is_some()) {
            let after = Standing { status: Left, has_attendee: false, ..standing };
            assert_eq!(reason(&appointment, after), None, "{standing:?}");
        }
    }

    #[test]
    fn a_cancelled_call_continues_for_everyone_who_is_in_it() {
        let appointment = Appointment { cancelled: true, ..appointment() };
        for status in [Invited, Joined, Left] {
            for (n, role) in [(1, Role::Provider), (2, Role::Patient), (3, Role::Observer)] {
                let standing =
                    Standing { user_id: user(n), role, status, has_account: true, has_attendee: true };
                assert_eq!(reason(&appointment, standing), None, "{standing:?}");
            }
        }
    }

    #[test]
    fn a_deleted_appointment_ends_the_call_and_an_empty_view_does_not() {
        assert_eq!(compare(None, true, all()), Some(MembershipChange::EndCall));
        assert_eq!(compare(None, false, all()), None);
        assert_eq!(compare(Some(&appointment()), false, []), None);
    }
}
