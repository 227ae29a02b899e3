//! States that end by themselves, so that a participant who vanished neither stays in a call nor keeps a join token that works.

use time::{Duration, OffsetDateTime};

/// A waiting participant whose client has sent no request for this long has left. The page asks for the status every few seconds.
pub const MAX_WAITING_UNSEEN: Duration = Duration::seconds(90);

/// A participant who joined and has not connected after this long has left, unless the client sent a request within
/// [`MAX_WAITING_UNSEEN`]: Chime's event may be lost, and a client that asks is alive.
pub const MAX_UNCONNECTED: Duration = Duration::minutes(2);

/// A call that every participant has left for this long is ended, as Chime does with a meeting that nobody is connected to.
pub const MAX_EMPTY: Duration = Duration::minutes(5);

/// The time to answer, once a participant who has been alone for long was asked whether the call is to go on.
pub const MAX_UNANSWERED: Duration = Duration::minutes(5);

/// The times before which states have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the last request of a waiting or unconnected participant.
    pub unseen: OffsetDateTime,
    /// For the join of a participant who is not connected.
    pub unconnected: OffsetDateTime,
    /// For the last departure of a call without participants.
    pub empty: OffsetDateTime,
    /// For the beginning of the time in which one participant has been alone; `None`: a call of one is never ended.
    pub alone: Option<OffsetDateTime>,
}

impl Limits {
    /// The limits now. `forgotten_after`: how long a participant is alone before being asked.
    #[must_use]
    pub fn at(now: OffsetDateTime, forgotten_after: Option<Duration>) -> Self {
        Self {
            unseen: now - MAX_WAITING_UNSEEN,
            unconnected: now - MAX_UNCONNECTED,
            empty: now - MAX_EMPTY,
            alone: forgotten_after.map(|after| now - after - MAX_UNANSWERED),
        }
    }
}

/// When a call of one participant ends by itself. `None` until the participant is to be asked.
#[must_use]
pub fn ends_at(
    alone_since: Option<OffsetDateTime>,
    forgotten_after: Option<Duration>,
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let asked_at = alone_since? + forgotten_after?;
    (now >= asked_at).then(|| asked_at + MAX_UNANSWERED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00:00 UTC);

    #[test]
    fn a_call_of_one_is_asked_for_and_ends_five_minutes_later() {
        let alone =
            |minutes| ends_at(Some(NOW - Duration::minutes(minutes)), Some(Duration::minutes(30)), NOW);
        assert_eq!(alone(29), None);
        assert_eq!(alone(30), Some(NOW + Duration::minutes(5)));
        assert_eq!(alone(36), Some(NOW - Duration::minutes(1)), "the next run of the reconciler ends it");
        assert_eq!(ends_at(None, Some(Duration::minutes(30)), NOW), None);
        assert_eq!(ends_at(Some(NOW - Duration::days(1)), None, NOW), None, "switched off");
    }

    #[test]
    fn the_question_comes_before_the_end() {
        let after = Duration::minutes(30);
        let limits = Limits::at(NOW, Some(after));
        let since = limits.alone.expect("it is switched on");
        assert_eq!(ends_at(Some(since), Some(after), NOW), Some(NOW));
        assert_eq!(Limits::at(NOW, None).alone, None);
    }
}
