//! Chime's request rate within a run.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A run begins nothing new after this, so that it ends, responses awaited and written, before the function's 20 s are over:
/// 12 s, 3 s for a request to Chime, 2.5 s for the last statement.
const BEGIN_UNTIL: Duration = Duration::from_secs(12);

/// From Chime's response to the next `GetMeeting`, so that any second has two at most. A run verifies some twenty meetings: a
/// hundred calls are verified every five minutes, more of them less often.
pub(super) const VERIFY_PAUSE: Duration = Duration::from_millis(500);

/// The same for requests that change something: of the ten a second that Chime allows an account, callers keep half.
pub(super) const CHANGE_PAUSE: Duration = Duration::from_millis(200);

/// A request that takes longer continues beside the next one: a region that does not answer must not delay the others.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(1);

/// Keeps the distance between requests, by the real clock: Chime counts by it, whatever time a test has moved to.
pub(super) struct Pace {
    next: Instant,
    ends: Instant,
}

impl Pace {
    /// The previous run may have sent a request just now, in another environment.
    pub(super) fn begin(began: Instant) -> Self {
        Self { next: began + VERIFY_PAUSE, ends: began + BEGIN_UNTIL }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now().max(self.next) >= self.ends
    }

    pub(super) async fn wait(&self) {
        sleep_until(self.next).await;
    }

    pub(super) fn pause(&mut self, pause: Duration) {
        self.next = Instant::now() + pause;
    }
}
