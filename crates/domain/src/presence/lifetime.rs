//! The time of an event, as far as it can be believed.
//!
//! An event carries Chime's time, and nothing guarantees it: one that lies ahead would hide every later departure, one in the
//! past would make durations of years. What is certain is the meeting's lifetime and when the event was received.

use std::cmp::Ordering;

use super::ChimeEvent;

/// The bounds of a meeting's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// When the session became active, in milliseconds since 1970: no join token was handed out before.
    pub began_ms: i64,
}

/// An event with the time that counts.
#[derive(Clone, Copy, Debug)]
pub struct TimedEvent<'a> {
    pub event: &'a ChimeEvent,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

impl Lifetime {
    /// An event's time within the lifetime: not before it began, and not after the event was received.
    #[must_use]
    pub fn clamp<'a>(&self, event: &'a ChimeEvent, received_ms: i64) -> TimedEvent<'a> {
        TimedEvent { event, at_ms: event.at_ms.min(received_ms).max(self.began_ms) }
    }
}

impl<'a> TimedEvent<'a> {
    /// An event whose own time counts.
    #[must_use]
    pub const fn unclamped(event: &'a ChimeEvent) -> Self {
        Self { event, at_ms: event.at_ms }
    }

    /// A total order, so that the same set of events always folds to the same result. Events that were clamped to the same time
    /// are in the order of the times they claim. Within one millisecond arrivals come before departures, and the end comes last
    /// ([`super::ChimeEventKind`] is in that order).
    pub(super) fn in_order(&self, other: &Self) -> Ordering {
        let key = |timed: &Self| (timed.at_ms, timed.event.at_ms, timed.event.kind);
        let (one, two) = (self.event, other.event);
        key(self).cmp(&key(other)).then_with(|| {
            (&one.attendee_id, &one.external_user_id, &one.id).cmp(&(
                &two.attendee_id,
                &two.external_user_id,
                &two.id,
            ))
        })
    }
}
