//! Decides a member's request to join a call.

use std::time::Duration;

use time::OffsetDateTime;

use crate::admission::{self, AdmissionState, WaitingRoom};
use crate::call::{ActiveCall, Attendee, Meeting, Session, SessionState, Target, View};
use crate::error::{Error, reason};
use crate::liveness;
use crate::schedule::{self, JoinWindow};
use crate::state::ParticipantStatus;

/// More joins within a minute than any unstable network causes, and too few to flood the audit log.
pub const MAX_JOINS_PER_MINUTE: u32 = 30;

const JOIN_RATE_WINDOW: Duration = Duration::from_mins(1);

/// The step that the request has to take.
#[derive(Debug)]
pub enum Join<'a> {
    /// The member is in the call: return the stored place.
    Resume(&'a Session, &'a Meeting, &'a Attendee),
    /// The member left the call: store the return, then return the stored place.
    Return(&'a Session, &'a Meeting, &'a Attendee),
    /// The member has an attendee, but Chime must first be asked whether the meeting is live.
    Check(&'a Session),
    /// The member needs an attendee. Creating it shows whether the meeting is live.
    CreateAttendee(&'a Session, &'a Meeting),
    /// The member must wait until the provider admits them: store that.
    Wait(&'a Session),
    /// The member waits already, since the given time.
    Waiting(&'a Session, OffsetDateTime),
    /// A capture is open for purposes to which the member has not consented: the member gets no token.
    ConsentRequired(&'a Session),
}

/// The deployment's rules of joins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinRules {
    pub room: WaitingRoom,
    pub window: JoinWindow,
}

/// Decides a join. `checked`: the client could not connect to the stored meeting and requests a check.
///
/// # Errors
/// 403 for strangers and for participants who were removed or turned away; 404 without an active call; 409 while it
/// is being started, and for a member who was not admitted where the appointment is cancelled, not held by video, or outside
/// the join window; 410 for a call that has ended; 429 after [`MAX_JOINS_PER_MINUTE`] joins within a minute, unless
/// the member is in the call or waits already.
pub fn decide(
    view: &View,
    target: Target,
    checked: bool,
    rules: JoinRules,
    now: OffsetDateTime,
) -> Result<Join<'_>, Error> {
    let member = view.member()?;
    let session = view.session.as_ref().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let call = match &session.state {
        SessionState::Active(call) => call,
        SessionState::Creating(_) => {
            return Err(Error::Conflict {
                reason: reason::CALL_NOT_READY,
                retry_after: Some(Duration::from_secs(1)),
            });
        }
        SessionState::Ending { .. } | SessionState::Ended(_) | SessionState::Failed(_) => {
            return Err(match target {
                Target::Appointment(_) => Error::NotFound(reason::NO_ACTIVE_CALL),
                Target::Meeting(_) => Error::Gone(reason::MEETING_EXPIRED),
            });
        }
    };
    let part = view.participant(member.user);
    let admission = admission::admission_state(member.role, part, rules.room)?;
    schedule::may_enter(member.appointment, member.role, part, rules.window, now)?;
    match admission {
        AdmissionState::Admitted => {}
        AdmissionState::MustWait => return check_join_rate(view, now).map(|()| Join::Wait(session)),
        AdmissionState::Waiting(since) => return Ok(Join::Waiting(session, since)),
    }
    if !view.consent_required.is_empty() {
        return Ok(Join::ConsentRequired(session));
    }
    let status = view.me.as_ref().map(|me| me.status);
    if status != Some(ParticipantStatus::Joined) {
        check_join_rate(view, now)?;
    }
    let ActiveCall { meeting, .. } = call;
    Ok(match (view.attendee(), status) {
        (None, _) => Join::CreateAttendee(session, meeting),
        (Some(_), _) if liveness::must_verify(call, checked, now) => Join::Check(session),
        (Some(attendee), Some(ParticipantStatus::Joined)) => Join::Resume(session, meeting, attendee),
        (Some(attendee), _) => Join::Return(session, meeting, attendee),
    })
}

fn check_join_rate(view: &View, now: OffsetDateTime) -> Result<(), Error> {
    let Some(me) = view.me.as_ref().filter(|me| me.join_count >= MAX_JOINS_PER_MINUTE) else { return Ok(()) };
    let window_end = me.join_count_since.map_or(now, |since| since + JOIN_RATE_WINDOW);
    match Duration::try_from(window_end - now) {
        Ok(retry_after) if !retry_after.is_zero() => {
            Err(Error::TooMany { reason: reason::JOIN_RATE_LIMITED, retry_after })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::admission::tests::participant;
    use crate::call::tests::{appointment, session, user};
    use crate::call::{Appointment, OwnParticipation, ParticipantView, UserRef};
    use crate::consent::{ConsentPurpose, RequiredConsent};
    use crate::end;
    use crate::start::{self, Start};
    use crate::state::{Role, SessionStatus};
    use ParticipantStatus::{Invited, Joined, Left, Removed, TurnedAway, Waiting};

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:01:00 UTC);
    const ATTENDEE: &str = "7d9f1c5e-0000-4000-8000-0000000000ee";
    const STATUSES: [ParticipantStatus; 6] = [Invited, Waiting, Joined, Left, Removed, TurnedAway];
    const PHASES: [SessionStatus; 5] = [
        SessionStatus::Creating,
        SessionStatus::Active,
        SessionStatus::Ending,
        SessionStatus::Ended,
        SessionStatus::Failed,
    ];

    fn attendee() -> Attendee {
        Attendee::new(serde_json::json!({ "AttendeeId": ATTENDEE }))
    }

    /// A user's view of a call: the part with its role, status, admission and whether it has an attendee.
    fn view(
        n: u8,
        phase: SessionStatus,
        cancelled: bool,
        part: Option<(Role, ParticipantStatus, bool, bool)>,
    ) -> View {
        let own = part.map(|(role, status, admitted, has_attendee)| ParticipantView {
            user_id: user(n),
            role,
            attendee_id: has_attendee.then(|| ATTENDEE.parse().expect("a UUID")),
            ..participant(status, admitted)
        });
        View {
            caller: Some(UserRef { id: user(n) }),
            appointment: Some(Appointment { cancelled, ..appointment() }),
            session: Some(session(phase, NOW)),
            me: own.as_ref().map(|own| OwnParticipation {
                role: own.role,
                status: own.status,
                attendee: own.attendee_id.map(|_| attendee()),
                join_count: 0,
                join_count_since: None,
            }),
            participants: own.into_iter().collect(),
            ..View::default()
        }
    }

    fn parts(role: Role) -> Vec<Option<(Role, ParticipantStatus, bool, bool)>> {
        let all = STATUSES.into_iter().flat_map(move |status| {
            [(true, true), (true, false), (false, true), (false, false)]
                .map(move |(admitted, attendee)| Some((role, status, admitted, attendee)))
        });
        std::iter::once(None).chain(all).collect()
    }

    fn joined(view: &View, room: WaitingRoom) -> String {
        let rules = JoinRules { room, window: JoinWindow::default() };
        match decide(view, Target::Appointment(appointment().id), false, rules, NOW) {
            Ok(Join::Resume(..)) => "resume".to_owned(),
            Ok(Join::Return(..)) => "return".to_owned(),
            Ok(Join::Check(..)) => "check".to_owned(),
            Ok(Join::CreateAttendee(..)) => "create".to_owned(),
            Ok(Join::Wait(_)) => "wait".to_owned(),
            Ok(Join::Waiting(..)) => "waiting".to_owned(),
            Ok(Join::ConsentRequired(_)) => "consent".to_owned(),
            Err(error) => error.code().to_owned(),
        }
    }

    /// Every membership, status and phase, with and without a waiting room.
    #[test]
    fn a_cancelled_appointment_changes_nothing_for_those_who_are_in_the_call() {
        for phase in PHASES {
            for room in [WaitingRoom::On, WaitingRoom::Off] {
                for (n, role) in [(1, Role::Provider), (2, Role::Patient), (3, Role::Observer)] {
                    for part in parts(role) {
                        let open = joined(&view(n, phase, false, part), room);
                        let cancelled = joined(&view(n, phase, true, part), room);
                        let admitted = part.is_some_and(|(_, _, admitted, _)| admitted);
                        let may_come = ["resume", "return", "create", "wait", "waiting"];
                        let expected = if n == 1 || admitted || !may_come.contains(&open.as_str()) {
                            open.as_str()
                        } else {
                            "APPOINTMENT_CANCELLED"
                        };
                        assert_eq!(cancelled, expected, "user {n} {phase:?} {room:?} {part:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_provider_of_a_cancelled_appointment_rejoins_and_ends_an_active_call_and_starts_none() {
        for part in parts(Role::Provider) {
            let active = view(1, SessionStatus::Active, true, part);
            assert!(
                matches!(
                    start::decide(&active, "r", false, JoinWindow::default(), NOW),
                    Ok(Start::Resume(..) | Start::Return(..) | Start::Join(..))
                ),
                "{part:?}"
            );
            assert!(matches!(end::decide(&active), Ok(end::End::Begin(..))), "{part:?}");
        }
        for phase in [SessionStatus::Creating, SessionStatus::Ended, SessionStatus::Failed] {
            let over = view(1, phase, true, None);
            let error = start::decide(&over, "r", false, JoinWindow::default(), NOW).map(drop);
            assert_eq!(error.map_err(|error| error.code()), Err("APPOINTMENT_CANCELLED"), "{phase:?}");
        }
    }

    #[test]
    fn nobody_gets_a_token_while_consent_is_required() {
        let required = vec![RequiredConsent { purpose: ConsentPurpose::Recording, stopping: false }];
        for room in [WaitingRoom::On, WaitingRoom::Off] {
            for (n, role) in [(1, Role::Provider), (2, Role::Patient), (3, Role::Observer)] {
                for part in parts(role) {
                    let without = view(n, SessionStatus::Active, false, part);
                    let with = View { consent_required: required.clone(), ..without.clone() };
                    let token = ["resume", "return", "create", "check"];
                    let before = joined(&without, room);
                    let expected = if token.contains(&before.as_str()) { "consent" } else { before.as_str() };
                    assert_eq!(joined(&with, room), expected, "user {n} {room:?} {part:?}");
                    if n == 1 {
                        let started = start::decide(&with, "r", true, JoinWindow::default(), NOW);
                        assert!(matches!(started, Ok(Start::ConsentRequired(_))), "{part:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn former_members_are_refused_whatever_part_they_had() {
        for phase in PHASES {
            for role in [Role::Provider, Role::Patient] {
                for part in parts(role) {
                    let former = view(3, phase, false, part);
                    assert_eq!(joined(&former, WaitingRoom::Off), "NOT_A_MEMBER", "{phase:?} {part:?}");
                    assert!(end::decide(&former).is_err());
                }
            }
        }
    }
}
