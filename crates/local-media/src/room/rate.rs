//! How many data messages a member may send.

const NS_PER_SECOND: i64 = 1_000_000_000;

/// A token bucket, the algorithm of Chime's limits (<https://github.com/aws/amazon-chime-sdk-js/issues/754>). It holds time instead of
/// tokens, so that it counts in integers. All members are nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    interval: i64,
    capacity: i64,
    credit: i64,
    /// Since 1970.
    updated: i64,
}

impl TokenBucket {
    /// A full one: `burst` messages at once, then `per_second`.
    pub(super) const fn new(per_second: i64, burst: i64) -> Self {
        let interval = NS_PER_SECOND / per_second;
        let capacity = interval * burst;
        Self { interval, capacity, credit: capacity, updated: 0 }
    }

    /// Takes the token of one message; false: there is none. A clock that is set back adds nothing.
    pub(super) fn take(&mut self, now_ns: i64) -> bool {
        let passed_ns = now_ns.saturating_sub(self.updated).max(0);
        self.updated = now_ns;
        self.credit = self.credit.saturating_add(passed_ns).min(self.capacity);
        let granted = self.credit >= self.interval;
        if granted {
            self.credit -= self.interval;
        }
        granted
    }
}
