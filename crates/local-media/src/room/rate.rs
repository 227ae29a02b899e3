//! How many data messages a member may send.

const NS_PER_SECOND: i64 = 1_000_000_000;

/// A token bucket, the algorithm of Chime's limits (<https://github.com/aws/amazon-chime-sdk-js/issues/754>). It holds time instead of
/// tokens, so that it counts in integers.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    interval_ns: i64,
    capacity_ns: i64,
    credit_ns: i64,
    /// Nanoseconds since 1970.
    updated_ns: i64,
}

impl TokenBucket {
    /// A full one: `burst` messages at once, then `per_second`.
    pub(super) const fn new(per_second: i64, burst: i64) -> Self {
        let interval_ns = NS_PER_SECOND / per_second;
        let capacity_ns = interval_ns * burst;
        Self { interval_ns, capacity_ns, credit_ns: capacity_ns, updated_ns: 0 }
    }

    /// Takes the token of one message; false: there is none. A clock that is set back adds nothing.
    pub(super) fn take(&mut self, now_ns: i64) -> bool {
        let passed_ns = now_ns.saturating_sub(self.updated_ns).max(0);
        self.updated_ns = now_ns;
        self.credit_ns = self.credit_ns.saturating_add(passed_ns).min(self.capacity_ns);
        let granted = self.credit_ns >= self.interval_ns;
        if granted {
            self.credit_ns -= self.interval_ns;
        }
        granted
    }
}
