//! What a participant's row says after the events were read: the later word counts, Chime's or the person's own.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Interval, Person};
use crate::state::ParticipantStatus;

/// How someone stands in a call, by their row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attendance {
    /// Where they stand.
    pub status: ParticipantStatus,
    /// When they last came: asked to join, or connected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub joined_at: Option<OffsetDateTime>,
    /// When they last left: said so, or lost their last connection.
    #[serde(with = "time::serde::rfc3339::option")]
    pub left_at: Option<OffsetDateTime>,
    /// How long they had been in the call when they last left, in seconds.
    pub duration_seconds: i32,
}

/// How someone stands by their row and by Chime's events. `over`: when the call ended, if it did.
///
/// Chime knows when somebody was connected, so the duration is Chime's as soon as it told of one connection. Where they stand
/// now is by the later word: who asked to come back a moment ago is not gone because their old connection is given up only
/// now, and who said that they leave is not here again because the connection outlived the word.
#[must_use]
pub fn apply_presence(row: &Attendance, person: &Person, over: Option<OffsetDateTime>) -> Attendance {
    let Some((last_event_ms, heard)) = person.last_event_ms.and_then(|heard| Some((heard, at(heard)?)))
    else {
        return *row;
    };
    // A connection that ended in the millisecond in which it began is in no interval, and yet somebody came and went.
    let moment = Interval { from_ms: last_event_ms, to_ms: Some(last_event_ms) };
    let last = person.intervals.last().unwrap_or(&moment);
    if !follows_presence(row.status) {
        return *row;
    }
    let own_word = if row.status == ParticipantStatus::Joined { row.joined_at } else { row.left_at };
    let is_own = |word: &OffsetDateTime| !person.event_times_ms.contains(&ms(*word));
    let own_is_later = over.is_none() && own_word.filter(is_own).is_some_and(|own| own > heard);
    let (from, until) = (at(last.from_ms), last.to_ms.and_then(at));
    let status = match row.status {
        // Whatever their connection did since.
        ParticipantStatus::Removed => ParticipantStatus::Removed,
        status if own_is_later => status,
        _ if until.is_none() => ParticipantStatus::Joined,
        _ => ParticipantStatus::Left,
    };
    let here = status == ParticipantStatus::Joined;
    let before = person.intervals.iter().rev().find_map(|interval| interval.to_ms).and_then(at);
    let last_left = row.left_at.filter(is_own).max(before);
    let (joined_at, left_at) = match until {
        // Who left by their own word and came back while the connection lasted came back then.
        None if own_is_later && here => (row.joined_at, last_left),
        None => (from, last_left),
        Some(_) if own_is_later => (row.joined_at, row.left_at),
        Some(_) => (from, until),
    };
    // What lasts is not applied yet: a row tells how long somebody had been there when they last came.
    let counted_until = match (until, left_at) {
        (Some(_), _) => i64::MAX,
        (None, Some(left)) if !here => ms(left).max(last.from_ms),
        (None, _) => joined_at.map_or(last.from_ms, ms).max(last.from_ms),
    };
    let seconds = person.connected_ms(counted_until) / 1000;
    Attendance { status, joined_at, left_at, duration_seconds: i32::try_from(seconds).unwrap_or(i32::MAX) }
}

/// How someone stands once the call is over: nobody is in it, and nobody waits.
pub(super) fn close(row: &Attendance, over: OffsetDateTime) -> Attendance {
    let stayed = match row.status {
        ParticipantStatus::Joined => row.joined_at.map_or(0, |joined| (over - joined).whole_seconds().max(0)),
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
        left_at: Some(over),
        duration_seconds: i32::try_from(duration).unwrap_or(i32::MAX),
    }
}

/// The states in which a connection tells something. A connection of somebody who never was let in cannot be.
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
