//! Waits between logins, across the requests of an environment.
//!
//! A password that is rejected, or a secret that cannot be used, fails for every request until an operator corrects it. Without
//! a wait each request would log in and read the secret: 20 environments made 87 logins a second, for which poolers ban a
//! client and PostgreSQL's limit of connections is used up. Once begun, the waits last until a login succeeds.

use std::time::{Duration, SystemTime};

/// The first wait. Doubled with each failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait: so long after the correction every environment works again.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// When to log in again. Wall time, because the monotonic clock stops while an environment is frozen.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
    not_before: Option<SystemTime>,
}

impl BackOff {
    /// How long no login is to be tried; none when one may be.
    pub(crate) fn remaining(&self, now: SystemTime) -> Option<Duration> {
        let remaining = self.not_before?.duration_since(now).ok()?;
        // A clock that was set back must not lock the environment out.
        (!remaining.is_zero() && remaining <= MAX_WAIT).then_some(remaining)
    }

    /// Whether no login has succeeded since one failed.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Counts a failure. The wait is half of the full one and a random part (`jitter`, 0 to 1) of the other half, so that
    /// environments that failed together do not return together.
    pub(crate) fn fail(&mut self, now: SystemTime, jitter: f64) -> Duration {
        let full = FIRST_WAIT.saturating_mul(1 << self.failures.min(5)).min(MAX_WAIT);
        let wait = full / 2 + (full / 2).mul_f64(jitter.clamp(0.0, 1.0));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + wait);
        wait
    }

    /// Ends the waits.
    pub(crate) fn succeed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit_with_jitter_and_end_with_a_success() {
        let now = SystemTime::UNIX_EPOCH;
        let mut back_off = BackOff::default();
        assert_eq!(back_off.remaining(now), None);
        let waits: Vec<_> = (0..7).map(|_| back_off.fail(now, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(back_off.fail(now, 0.0), MAX_WAIT / 2);
        assert_eq!(back_off.remaining(now), Some(MAX_WAIT / 2));
        assert_eq!(back_off.remaining(now + MAX_WAIT / 2), None);
        back_off.succeed();
        assert!(!back_off.is_failing() && back_off.remaining(now).is_none());
        assert_eq!(back_off.fail(now, 0.0), FIRST_WAIT / 2, "it begins anew");
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let mut back_off = BackOff::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(2);
        back_off.fail(now, 0.5);
        assert_eq!(back_off.remaining(now - Duration::from_hours(1)), None);
    }

    /// Ten minutes of 20 environments with 20 requests a second each, by a clock of its own: 240,000 requests.
    #[test]
    fn twenty_environments_log_in_less_than_twice_a_second() {
        let began = SystemTime::UNIX_EPOCH;
        let mut random = fastrand::Rng::with_seed(7);
        let mut environments: Vec<BackOff> = (0..20).map(|_| BackOff::default()).collect();
        let mut per_second = vec![0_u32; 600];
        for tick in 0..12_000_u64 {
            let now = began + Duration::from_millis(50 * tick);
            for back_off in &mut environments {
                if back_off.remaining(now).is_none() {
                    back_off.fail(now, random.f64());
                    per_second[usize::try_from(tick / 20).unwrap_or_default()] += 1;
                }
            }
        }
        let total: u32 = per_second.iter().sum();
        assert!(total < 2 * 600, "{total} logins in 600 s");
        let steady = &per_second[60..];
        assert!(steady.iter().sum::<u32>() < 540, "one login a second at most, of all together");
        assert!(steady.iter().all(|logins| *logins <= 8), "jitter spreads them: {steady:?}");
    }
}
