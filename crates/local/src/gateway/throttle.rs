//! Throttling of a stage: a token bucket.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Lets `burst` requests through at once and `rate` a second in the long run.
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub(super) fn new(rate: f64, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self { rate, burst, level: Mutex::new((burst, Instant::now())) }
    }

    /// Takes a token, if there is one. Real time counts: a moved clock lets nobody through.
    pub(super) fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(level.1).as_secs_f64() * self.rate;
        let tokens = (level.0 + gained).min(self.burst);
        let granted = tokens >= 1.0;
        *level = (if granted { tokens - 1.0 } else { tokens }, now.max(level.1));
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use std::time::{Duration, Instant};

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let bucket = Bucket::new(2.0, 3);
        let start = Instant::now();
        let taken = |ms| bucket.take_at(start + Duration::from_millis(ms));
        assert_eq!([taken(0), taken(0), taken(0), taken(0)], [true, true, true, false]);
        assert_eq!([taken(500), taken(500)], [true, false], "two a second");
        let later: Vec<bool> = (0..5).map(|_| taken(60_000)).collect();
        assert_eq!(later, [true, true, true, false, false], "never more than the burst");
    }
}
