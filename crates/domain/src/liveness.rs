//! Whether a session that is active in the database can be assumed live without asking Chime.

use time::{Duration, OffsetDateTime};

use crate::call::ActiveCall;

/// Chime ends a meeting five minutes after the last participant disconnected, or after its start if nobody joined
/// (Chime SDK developer guide, "Meeting lifecycle"). One minute is kept for clocks and delays. The time counts from
/// the disconnection that Chime reported: a leave request proves nothing, because the connection may have been lost
/// long before.
pub const ASSUMED_LIVE_FOR: Duration = Duration::minutes(4);

/// How long a response of Chime is assumed to hold.
pub const VERIFIED_FOR: Duration = Duration::seconds(10);

/// Whether the session's meeting is known to be live. `false` means "ask Chime", not "ended".
#[must_use]
pub fn is_assumed_live(call: &ActiveCall, now: OffsetDateTime) -> bool {
    let within = |since: Option<OffsetDateTime>, span| since.is_some_and(|since| now - since < span);
    !call.end_reported
        && (call.connected_count > 0
            || within(Some(call.activated_at), ASSUMED_LIVE_FOR)
            || within(call.last_left_at, ASSUMED_LIVE_FOR)
            || verified_recently(call, now))
}

/// Whether Chime must be asked before the stored meeting is returned.
#[must_use]
pub fn must_verify(call: &ActiveCall, checked: bool, now: OffsetDateTime) -> bool {
    !is_assumed_live(call, now) || checked && !verified_recently(call, now)
}

/// Whether Chime was asked within [`VERIFIED_FOR`]. Then it is not asked again, even if a client requests it: all
/// calls share one quota.
#[must_use]
pub fn verified_recently(call: &ActiveCall, now: OffsetDateTime) -> bool {
    call.checked_at.is_some_and(|checked| now - checked < VERIFIED_FOR)
}
