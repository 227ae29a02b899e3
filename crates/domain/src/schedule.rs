//! When an appointment's call may be entered: it is held by video, not cancelled, and within the join window.

use std::collections::BTreeSet;
use std::str::FromStr;

use time::{Duration, OffsetDateTime};

use crate::admission;
use crate::call::{Appointment, ParticipantView};
use crate::error::{Error, reason};
use crate::state::{ParticipantStatus, Role};

/// The host application's appointment statuses that mean "cancelled". They are compared without case and surrounding spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelledStatuses(Vec<String>);

/// A list without a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be statuses, separated by commas")]
pub struct NoStatus;

impl FromStr for CancelledStatuses {
    type Err = NoStatus;
    fn from_str(text: &str) -> Result<Self, NoStatus> {
        let statuses: Vec<_> = text
            .split(',')
            .map(|status| status.trim().to_owned())
            .filter(|status| !status.is_empty())
            .collect();
        if statuses.is_empty() { Err(NoStatus) } else { Ok(Self(statuses)) }
    }
}

impl CancelledStatuses {
    /// The texts that `lower()` of the database makes of them. In a database with the locale `C` it changes ASCII letters only,
    /// so the statuses are there with their other letters in either case too.
    #[must_use]
    pub fn in_lower_case(&self) -> Vec<String> {
        let forms = |status: &String| {
            [status.to_lowercase(), status.to_uppercase().to_ascii_lowercase(), status.to_ascii_lowercase()]
        };
        let all: BTreeSet<String> = self.0.iter().flat_map(forms).collect();
        all.into_iter().collect()
    }
}

/// A limit of the join window as a setting: `off`, or minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minutes(pub Option<Duration>);

/// A text that is neither `off` nor minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be off or a number of minutes")]
pub struct NotMinutes;

impl FromStr for Minutes {
    type Err = NotMinutes;
    fn from_str(text: &str) -> Result<Self, NotMinutes> {
        if text == "off" {
            return Ok(Self(None));
        }
        let minutes: u16 = text.parse().map_err(|_| NotMinutes)?;
        Ok(Self(Some(Duration::minutes(minutes.into()))))
    }
}

/// How long before an appointment's scheduled start and after its scheduled end a call may be entered. `None` is no limit, as
/// is an appointment without that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinWindow {
    pub before: Option<Duration>,
    pub after: Option<Duration>,
}

impl JoinWindow {
    /// The first moment at which the call may be entered, if there is one.
    #[must_use]
    pub fn opens_at(&self, appointment: &Appointment) -> Option<OffsetDateTime> {
        appointment.scheduled_start?.checked_sub(self.before?)
    }

    /// The last moment at which the call may be entered, if there is one.
    #[must_use]
    pub fn closes_at(&self, appointment: &Appointment) -> Option<OffsetDateTime> {
        appointment.scheduled_end?.checked_add(self.after?)
    }

    /// Whether a call may be entered now.
    ///
    /// # Errors
    /// 409 before and after the window.
    pub fn check(&self, appointment: &Appointment, now: OffsetDateTime) -> Result<(), Error> {
        if self.opens_at(appointment).is_some_and(|opens| now < opens) {
            return Err(Error::conflict(reason::JOIN_WINDOW_NOT_OPEN));
        }
        if self.closes_at(appointment).is_some_and(|closes| now > closes) {
            return Err(Error::conflict(reason::JOIN_WINDOW_CLOSED));
        }
        Ok(())
    }
}

/// Whether a call of the appointment may be started. `start_call.sql` inserts a session on the same conditions.
///
/// # Errors
/// 409 for an appointment that is cancelled or not held by video, and outside the join window.
pub fn may_start(appointment: &Appointment, window: JoinWindow, now: OffsetDateTime) -> Result<(), Error> {
    appointment.held_by_video()?;
    window.check(appointment, now)
}

/// Whether a member may enter a call that is in progress. The provider may, and so may everyone who has been admitted: nobody
/// is locked out of a call that continues. A participant who waits came within the window.
///
/// # Errors
/// As [`may_start`].
pub fn may_enter(
    appointment: &Appointment,
    role: Role,
    part: Option<&ParticipantView>,
    window: JoinWindow,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if role == Role::Provider || part.is_some_and(|participant| participant.admitted) {
        return Ok(());
    }
    appointment.held_by_video()?;
    if part.is_some_and(|participant| participant.status == ParticipantStatus::Waiting) {
        return Ok(());
    }
    window.check(appointment, now)
}

/// Why a member could not enter the appointment's call now, whether or not it has begun.
///
/// # Errors
/// 403 for participants who were removed or turned away, 409 as [`may_enter`].
pub fn may_join(
    appointment: &Appointment,
    role: Role,
    part: Option<&ParticipantView>,
    window: JoinWindow,
    now: OffsetDateTime,
) -> Result<(), Error> {
    admission::not_excluded(part)?;
    may_enter(appointment, role, part, window, now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::admission::tests::participant;
    use crate::call::tests::appointment;
    use ParticipantStatus::{Invited, Joined, Left, Waiting};

    const START: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
    const END: OffsetDateTime = datetime!(2026-11-20 12:30:00 UTC);

    fn scheduled() -> Appointment {
        Appointment { scheduled_start: Some(START), scheduled_end: Some(END), ..appointment() }
    }

    fn minutes(before: Option<i64>, after: Option<i64>) -> JoinWindow {
        JoinWindow { before: before.map(Duration::minutes), after: after.map(Duration::minutes) }
    }

    fn code(outcome: Result<(), Error>) -> &'static str {
        outcome.map_or_else(|error| error.code(), |()| "allowed")
    }

    #[test]
    fn the_window_includes_its_first_and_its_last_moment() {
        let window = minutes(Some(15), Some(60));
        let at = |now| code(window.check(&scheduled(), now));
        let (opens, closes) = (START - Duration::minutes(15), END + Duration::minutes(60));
        assert_eq!(at(opens - Duration::milliseconds(1)), "JOIN_WINDOW_NOT_OPEN");
        assert_eq!((at(opens), at(closes)), ("allowed", "allowed"));
        assert_eq!(at(closes + Duration::milliseconds(1)), "JOIN_WINDOW_CLOSED");
    }

    #[test]
    fn without_a_limit_or_a_time_a_call_is_always_open() {
        let long_ago = datetime!(2001-01-01 00:00:00 UTC);
        let far_ahead = datetime!(2101-01-01 00:00:00 UTC);
        for now in [long_ago, START, far_ahead] {
            assert_eq!(code(minutes(None, None).check(&scheduled(), now)), "allowed");
            assert_eq!(code(minutes(Some(5), Some(5)).check(&appointment(), now)), "allowed");
        }
        assert_eq!(code(minutes(None, Some(0)).check(&scheduled(), long_ago)), "allowed");
        assert_eq!(code(minutes(Some(0), None).check(&scheduled(), far_ahead)), "allowed");
    }

    #[test]
    fn the_provider_and_the_admitted_enter_a_call_that_continues_and_others_do_not() {
        let window = minutes(Some(15), Some(60));
        let late = END + Duration::hours(2);
        let cancelled = Appointment { cancelled: true, ..scheduled() };
        let in_person = Appointment { video_enabled: false, ..scheduled() };
        for (appointment, refusal) in [
            (&cancelled, "APPOINTMENT_CANCELLED"),
            (&in_person, "VIDEO_NOT_ENABLED"),
            (&scheduled(), "JOIN_WINDOW_CLOSED"),
        ] {
            let enter =
                |role, part: Option<&ParticipantView>| code(may_enter(appointment, role, part, window, late));
            assert_eq!(enter(Role::Provider, None), "allowed");
            for role in [Role::Patient, Role::Observer] {
                assert_eq!(enter(role, None), refusal);
                for status in [Invited, Joined, Left] {
                    assert_eq!(enter(role, Some(&participant(status, true))), "allowed", "{status:?}");
                    assert_eq!(enter(role, Some(&participant(status, false))), refusal, "{status:?}");
                }
                let waits = if refusal == "JOIN_WINDOW_CLOSED" { "allowed" } else { refusal };
                assert_eq!(enter(role, Some(&participant(Waiting, false))), waits);
            }
            assert_eq!(code(may_start(appointment, window, late)), refusal);
        }
        assert_eq!(code(may_start(&scheduled(), window, START)), "allowed");
    }

    #[test]
    fn statuses_are_a_list_and_minutes_a_number() {
        let statuses = |text: &str| text.parse::<CancelledStatuses>().map(|it| it.in_lower_case());
        assert_eq!(statuses(" Cancelled,no_show ,,"), Ok(vec!["cancelled".to_owned(), "no_show".to_owned()]));
        assert_eq!(
            statuses("Annulé"),
            Ok(vec!["annulÉ".to_owned(), "annulé".to_owned()]),
            "as a database with the locale C has it too"
        );
        assert_eq!((statuses(""), statuses(" , ")), (Err(NoStatus), Err(NoStatus)));
        let limit = |text: &str| text.parse::<Minutes>().map(|it| it.0);
        assert_eq!((limit("off"), limit("15")), (Ok(None), Ok(Some(Duration::minutes(15)))));
        for text in ["", "-1", "1.5", "Off", "100000"] {
            assert_eq!(limit(text), Err(NotMinutes), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_wider_window_never_refuses_what_a_narrower_one_allows(
            before in 0..600_i64, after in 0..600_i64, more in 0..600_i64, at in -1200..1200_i64,
        ) {
            let now = START + Duration::minutes(at);
            let narrow = minutes(Some(before), Some(after)).check(&scheduled(), now).is_ok();
            let wide = minutes(Some(before + more), Some(after + more)).check(&scheduled(), now).is_ok();
            prop_assert!(wide || !narrow);
        }
    }
}
