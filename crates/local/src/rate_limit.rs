//! Rate limits as AWS documents them: a burst at once, and so many requests a second in the long run.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The slowest rate; governor has none of zero. A burst is used up long before a day ends.
const MIN_PER_SECOND: f64 = 1.0 / 86_400.0;

/// A limit, by real time: advancing the cloud's clock admits no request. A burst of zero, for which there is no limiter,
/// admits none at all.
pub(crate) struct RateLimit<C: Clock = MonotonicClock>(Option<Limiter<C>>);

impl RateLimit {
    pub(crate) fn new(per_second: f64, burst: u32) -> Self {
        Self::with_clock(per_second, burst, MonotonicClock)
    }
}

impl<C: Clock> RateLimit<C> {
    fn with_clock(per_second: f64, burst: u32, clock: C) -> Self {
        let quota = || {
            let period = Duration::try_from_secs_f64(per_second.max(MIN_PER_SECOND).recip()).ok()?;
            Some(Quota::with_period(period)?.allow_burst(NonZeroU32::new(burst)?))
        };
        Self(quota().map(|quota| Limiter::direct_with_clock(quota, clock)))
    }

    /// Whether a request may pass now; it counts if so.
    pub(crate) fn admits(&self) -> bool {
        self.0.as_ref().is_some_and(|limiter| limiter.check().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_and_never_more_than_the_burst() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::with_clock(10.0, 20, clock.clone());
        let admitted = || (0..100).filter(|_| limit.admits()).count();
        assert_eq!(admitted(), 20);
        clock.advance(Duration::from_millis(99));
        assert_eq!(admitted(), 0);
        clock.advance(Duration::from_millis(901));
        assert_eq!(admitted(), 10);
        clock.advance(Duration::from_mins(1));
        assert_eq!(admitted(), 20);
    }

    #[test]
    fn a_rate_of_zero_admits_the_burst_and_a_burst_of_zero_nothing() {
        let limit = RateLimit::new(0.0, 2);
        assert_eq!([limit.admits(), limit.admits(), limit.admits()], [true, true, false]);
        assert!(!RateLimit::new(5.0, 0).admits());
    }
}
