//! Whether a call that the database calls active can be believed without asking Chime.

use time::{Duration, OffsetDateTime};

use crate::call::Session;

/// Chime ends a meeting that nobody is in after five minutes, counted from its start if nobody joined (Chime SDK developer
/// guide, "Meeting lifecycle"). One minute is kept for clocks and delays. It counts from when Chime saw the last one go; that
/// someone told us that they leave proves nothing, for they may have been cut off long before.
pub const ASSUMED_LIVE_FOR: Duration = Duration::minutes(4);

/// How long an answer of Chime's is believed.
pub const VERIFIED_FOR: Duration = Duration::seconds(10);

/// Whether the session's meeting is known to live. `false` means "ask", not "dead".
#[must_use]
pub fn is_assumed_live(session: &Session, now: OffsetDateTime) -> bool {
    let within = |since: Option<OffsetDateTime>, span| since.is_some_and(|since| now - since < span);
    session.connected_count > 0
        || within(session.activated_at, ASSUMED_LIVE_FOR)
        || within(session.last_left_at, ASSUMED_LIVE_FOR)
        || verified_recently(session, now)
}

/// Whether Chime must be asked before the stored meeting is answered.
#[must_use]
pub fn must_verify(session: &Session, checked: bool, now: OffsetDateTime) -> bool {
    !is_assumed_live(session, now) || checked && !verified_recently(session, now)
}

/// Whether Chime was asked a moment ago. Then it is not asked again, even if a client wants it: its quota is for all.
#[must_use]
pub fn verified_recently(session: &Session, now: OffsetDateTime) -> bool {
    session.checked_at.is_some_and(|checked| now - checked < VERIFIED_FOR)
}
