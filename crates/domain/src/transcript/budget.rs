//! The time that may be transcribed: per call, and per deployment and UTC day.
//!
//! A start reserves the time that the call may take at most; the end returns what it did not use. So calls that start at the same
//! moment never exceed the budget together.

use time::Duration;

/// A start with less than this left is refused: it would end before anybody has spoken.
pub const MIN_SECONDS: i64 = 60;

/// The limits of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one run.
    pub per_call: Duration,
    /// Of all runs that are requested on one UTC day; `None`: as many as there are.
    pub per_day: Option<Duration>,
}

impl Limits {
    /// The seconds that a start gets of a day of which `reserved` seconds are taken. `None`: too few are left, and it gets none.
    /// `medzen.reserve_transcription` decides the same under the day's lock.
    #[must_use]
    pub fn grant(&self, reserved: i64) -> Option<i64> {
        let wanted = self.per_call.whole_seconds();
        let Some(per_day) = self.per_day else { return Some(wanted) };
        let left = per_day.whole_seconds() - reserved;
        (left >= MIN_SECONDS.min(wanted)).then(|| wanted.min(left))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_start_gets_what_is_left_and_none_below_a_minute() {
        let limits = Limits { per_call: Duration::hours(1), per_day: Some(Duration::hours(2)) };
        assert_eq!(limits.grant(0), Some(3600));
        assert_eq!(limits.grant(5400), Some(1800));
        assert_eq!(limits.grant(7140), Some(60));
        assert_eq!(limits.grant(7141), None);
        assert_eq!(Limits { per_day: None, ..limits }.grant(1_000_000), Some(3600));
    }

    proptest! {
        #[test]
        fn reservations_never_exceed_the_day(per_call in 1_i64..20_000, per_day in 1_i64..100_000, starts in 1_usize..50) {
            let limits = Limits {
                per_call: Duration::seconds(per_call),
                per_day: Some(Duration::seconds(per_day)),
            };
            let mut reserved = 0;
            for _ in 0..starts {
                reserved += limits.grant(reserved).unwrap_or(0);
                prop_assert!(reserved <= per_day);
            }
        }
    }
}
