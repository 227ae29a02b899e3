//! A participant's row after the events were applied: the later of Chime's events and the participant's own requests
//! decides.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Interval, Person};
use crate::state::ParticipantStatus;

/// A participant's attendance as stored in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attendance {
    pub status: ParticipantStatus,
    /// When the participant last joined by request, or connected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub joined_at: Option<OffsetDateTime>,
    /// When the participant last left by request, or lost the last connection.
    #[serde(with = "time::serde::rfc3339::option")]
    pub left_at: Option<OffsetDateTime>,
    /// Time in the call up to `left_at`, in seconds.
    pub duration_seconds: i32,
}

/// The attendance after Chime's events. `call_ended`: when the call ended, if it did.
///
/// The duration is Chime's as soon as Chime reported one connection. The status follows the later source: a
/// participant who just asked to rejoin has not left because the old connection times out only now, and a participant
/// who asked to leave has not returned because the connection outlived the request.
#[must_use]
pub fn apply_presence(row: &Attendance, person: &Person, call_ended: Option<OffsetDateTime>) -> Attendance {
    let Some((last_event_ms, last_event)) = person.last_event_ms.and_then(|ms| Some((ms, at(ms)?))) else {
        return *row;
    };
    let person = &with_requested_start(row, person);
    // A connection that ended in the millisecond in which it began has no interval, but the participant was
    // connected.
    let moment = Interval { from_ms: last_event_ms, to_ms: Some(last_event_ms) };
    let last = person.intervals.last().unwrap_or(&moment);
    if !follows_presence(row.status) {
        return *row;
    }
    let own_time = if row.status == ParticipantStatus::Joined { row.joined_at } else { row.left_at };
    let is_own = |time: &OffsetDateTime| !person.event_times_ms.contains(&ms(*time));
    let own_is_later = call_ended.is_none() && own_time.filter(is_own).is_some_and(|own| own > last_event);
    let (from, until) = (at(last.from_ms), last.to_ms.and_then(at));
    let status = match row.status {
        // Stays removed, whatever the connection does.
        ParticipantStatus::Removed => ParticipantStatus::Removed,
        status if own_is_later => status,
        _ if until.is_none() => ParticipantStatus::Joined,
        _ => ParticipantStatus::Left,
    };
    let here = status == ParticipantStatus::Joined;
    let before = person.intervals.iter().rev().find_map(|interval| interval.to_ms).and_then(at);
    let last_left = row.left_at.filter(is_own).max(before);
    let (joined_at, left_at) = match until {
        // The participant left by request and returned while the connection lasted: that request is the time of
        // joining.
        None if own_is_later && here => (row.joined_at, last_left),
        None => (from, last_left),
        Some(_) if own_is_later => (row.joined_at, row.left_at),
        Some(_) => (from, until),
    };
    // The current stay is not counted yet: the row holds the time in the call up to the last join.
    let counted_until = match (until, left_at) {
        (Some(_), _) => i64::MAX,
        (None, Some(left)) if !here => ms(left).max(last.from_ms),
        (None, _) => joined_at.map_or(last.from_ms, ms).max(last.from_ms),
    };
    let seconds = person.connected_ms(counted_until) / 1000;
    Attendance { status, joined_at, left_at, duration_seconds: i32::try_from(seconds).unwrap_or(i32::MAX) }
}

/// The presence with the connection of which only the end is known, where no event reports any arrival: it began when the
/// participant joined by request. Once an arrival is known, the row has its time instead of the request's.
fn with_requested_start<'a>(row: &Attendance, person: &'a Person) -> Cow<'a, Person> {
    let (Some(to_ms), Some(from_ms)) = (person.departed_alone_ms, row.joined_at.map(ms)) else {
        return Cow::Borrowed(person);
    };
    if person.connections > 0 || person.event_times_ms.contains(&from_ms) || from_ms >= to_ms {
        return Cow::Borrowed(person);
    }
    let mut person = person.clone();
    person.intervals.push(Interval { from_ms, to_ms: Some(to_ms) });
    Cow::Owned(person)
}

/// The attendance once the call has ended: nobody is in it, and nobody waits; and nobody was in it for longer than it lasted.
pub(super) fn close(
    row: &Attendance,
    activated_at: OffsetDateTime,
    call_ended: OffsetDateTime,
) -> Attendance {
    let longest = i32::try_from((call_ended - activated_at).whole_seconds().max(0)).unwrap_or(i32::MAX);
    let closed = leave_at(row, call_ended);
    Attendance { duration_seconds: closed.duration_seconds.min(longest), ..closed }
}

fn leave_at(row: &Attendance, call_ended: OffsetDateTime) -> Attendance {
    let stayed = match row.status {
        ParticipantStatus::Joined => {
            row.joined_at.map_or(0, |joined| (call_ended - joined).whole_seconds().max(0))
        }
        ParticipantStatus::Waiting => 0,
        ParticipantStatus::Invited
        | ParticipantStatus::Left
        | ParticipantStatus::Removed
        | ParticipantStatus::TurnedAway => return *row,
    };
    let duration = i64::from(row.duration_seconds) + stayed;
    Attendance {
        status: ParticipantStatus::Left,
        joined_at: row.joined_at,
        left_at: Some(call_ended),
        duration_seconds: i32::try_from(duration).unwrap_or(i32::MAX),
    }
}

/// Whether the status follows connections. A participant who was never admitted cannot have one.
const fn follows_presence(status: ParticipantStatus) -> bool {
    match status {
        ParticipantStatus::Joined | ParticipantStatus::Left | ParticipantStatus::Removed => true,
        ParticipantStatus::Invited | ParticipantStatus::Waiting | ParticipantStatus::TurnedAway => false,
    }
}

pub(super) fn at(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

pub(super) fn ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
