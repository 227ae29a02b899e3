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
