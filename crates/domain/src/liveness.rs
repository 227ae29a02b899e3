//! Whether a call that the database calls active can be believed without asking Chime.

use time::{Duration, OffsetDateTime};

use crate::call::Session;

/// Chime ends a meeting five minutes after the last person left it, and five minutes after its start if nobody came
/// (Chime SDK developer guide, "Meeting lifecycle"). One minute is kept for clocks and delays.
pub const BELIEVED: Duration = Duration::minutes(4);

/// How long an answer of Chime's is believed.
pub const CHECKED: Duration = Duration::seconds(10);

/// Whether the session's meeting is known to live. `false` means "ask", not "dead".
#[must_use]
pub fn known(session: &Session, now: OffsetDateTime) -> bool {
    let within = |since: Option<OffsetDateTime>, span| since.is_some_and(|since| now - since < span);
    within(session.activated_at, BELIEVED)
        || within(session.last_left_at, BELIEVED)
        || within(session.checked_at, CHECKED)
}
