//! The API's rate limit: a bucket of requests that fills again with time.

use std::time::Instant;

/// How often an account may call in one region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests that come back each second.
    pub per_second: f64,
    /// Requests that may come at once.
    pub burst: u32,
}

#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn full(rate: Rate, now: Instant) -> Self {
        Self { rate, left: f64::from(rate.burst), at: now }
    }

    /// Takes one request out; false if there is none left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let back = now.saturating_duration_since(self.at).as_secs_f64() * self.rate.per_second;
        self.left = (self.left + back).min(f64::from(self.rate.burst));
        self.at = now;
        let has = self.left >= 1.0;
        if has {
            self.left -= 1.0;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn twenty_at_once_then_ten_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Rate { per_second: 10.0, burst: 20 }, start);
        let taken = |bucket: &mut Bucket, at| (0..100).filter(|_| bucket.take(at)).count();
        assert_eq!(taken(&mut bucket, start), 20);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(99)), 0);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(1)), 10);
        assert_eq!(taken(&mut bucket, start + Duration::from_mins(1)), 20, "never more than the burst");
    }
}
