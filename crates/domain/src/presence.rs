//! Who is in a call, as Chime's events tell it: a fold over all that are stored, so that neither their order nor their
//! repetition matters.
//!
//! `EventBridge` delivers late, twice, out of order or never (Chime SDK developer guide, "Automating with `EventBridge`").
//! So nothing is applied up: each time the events are sorted by their own time and read from the first one.
//!
//! An attendee has one live connection at most: who joins with the same token on a second device throws the first one out,
//! and a client that reconnects may be back before its old connection is given up. Either way a departure follows that is not
//! the person's, and it is left out of account if it comes within [`MAX_SUPERSEDED_MS`] of the newer connection.

mod attendance;
mod projection;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{ChimeMeetingId, UserId};

pub use attendance::{Attendance, apply_presence};
pub use projection::{
    AttendanceRow, AttendanceUpdate, AuditEntryDraft, Projection, SessionHistory, StoredEvent, project,
};

/// How long after a newer connection the departure of the older one is waited for. It is a matter of seconds; a departure
/// that comes later is the person's own, and that of the older connection was lost.
pub const MAX_SUPERSEDED_MS: i64 = 60_000;

/// What happened, as `detail.eventType` names it without its `chime:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChimeEventKind {
    /// The meeting exists.
    MeetingStarted,
    /// An attendee exists.
    AttendeeAdded,
    /// An attendee's token was accepted.
    AttendeeAuthorized,
    /// A connection begins.
    AttendeeJoined,
    /// Video is sent.
    AttendeeVideoStarted,
    /// Video is sent no more.
    AttendeeVideoStopped,
    /// A screen share connects.
    AttendeeContentJoined,
    /// It sends video.
    AttendeeContentVideoStarted,
    /// It sends video no more.
    AttendeeContentVideoStopped,
    /// A screen share ends.
    AttendeeContentLeft,
    /// A screen share is lost.
    AttendeeContentDropped,
    /// A connection ends.
    AttendeeLeft,
    /// A connection is lost.
    AttendeeDropped,
    /// An attendee exists no more.
    AttendeeDeleted,
    /// The meeting is over.
    MeetingEnded,
}

impl ChimeEventKind {
    /// The name after `chime:`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MeetingStarted => "MeetingStarted",
            Self::AttendeeAdded => "AttendeeAdded",
            Self::AttendeeAuthorized => "AttendeeAuthorized",
            Self::AttendeeJoined => "AttendeeJoined",
            Self::AttendeeVideoStarted => "AttendeeVideoStarted",
            Self::AttendeeVideoStopped => "AttendeeVideoStopped",
            Self::AttendeeContentJoined => "AttendeeContentJoined",
            Self::AttendeeContentVideoStarted => "AttendeeContentVideoStarted",
            Self::AttendeeContentVideoStopped => "AttendeeContentVideoStopped",
            Self::AttendeeContentLeft => "AttendeeContentLeft",
            Self::AttendeeContentDropped => "AttendeeContentDropped",
            Self::AttendeeLeft => "AttendeeLeft",
            Self::AttendeeDropped => "AttendeeDropped",
            Self::AttendeeDeleted => "AttendeeDeleted",
            Self::MeetingEnded => "MeetingEnded",
        }
    }

    /// What it means for a connection; `None` where it means nothing.
    const fn step(self) -> Option<Step> {
        match self {
            Self::AttendeeJoined => Some(Step::Arrive),
            Self::AttendeeLeft => Some(Step::Depart { dropped: false }),
            Self::AttendeeDropped => Some(Step::Depart { dropped: true }),
            Self::AttendeeDeleted => Some(Step::Delete),
            Self::MeetingStarted
            | Self::MeetingEnded
            | Self::AttendeeAdded
            | Self::AttendeeAuthorized
            | Self::AttendeeVideoStarted
            | Self::AttendeeVideoStopped
            | Self::AttendeeContentJoined
            | Self::AttendeeContentVideoStarted
            | Self::AttendeeContentVideoStopped
            | Self::AttendeeContentLeft
            | Self::AttendeeContentDropped => None,
        }
    }
}

/// One event of a meeting, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChimeEvent {
    /// `EventBridge`'s id of it: the same however often it is delivered.
    pub id: String,
    /// What happened.
    pub kind: ChimeEventKind,
    /// When, by Chime's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whose connection; a screen share is `<attendeeId>#content`.
    pub attendee_id: Option<String>,
    /// Whom the attendee was made for: a user of ours, or `aws:MediaPipeline...`.
    pub external_user_id: Option<String>,
}

/// An event, and which meeting it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingEvent {
    /// The meeting.
    pub meeting: ChimeMeetingId,
    /// What it was called when it was made, where the event bears it.
    pub external_meeting_id: Option<String>,
    /// The only region in which it can be changed.
    pub control_region: String,
    /// What happened.
    pub event: ChimeEvent,
}

impl ChimeEvent {
    /// The person it is about. Recorders and screen shares are none.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        let is_share = self.attendee_id.as_deref().is_none_or(|attendee| attendee.contains('#'));
        if is_share { None } else { self.external_user_id.as_deref()?.parse().ok() }
    }

    /// Total, so that the same set of events always reads alike. At the same millisecond somebody comes before they go, and
    /// the end comes last ([`ChimeEventKind`] is in that order).
    fn in_order(&self, other: &Self) -> Ordering {
        (self.at_ms, self.kind, &self.attendee_id, &self.external_user_id, &self.id).cmp(&(
            other.at_ms,
            other.kind,
            &other.attendee_id,
            &other.external_user_id,
            &other.id,
        ))
    }
}

#[derive(Clone, Copy)]
enum Step {
    Arrive,
    Depart { dropped: bool },
    Delete,
}

/// A time that somebody was connected. Half open: it does not hold its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// Milliseconds since 1970.
    pub from_ms: i64,
    /// The same; `None` while it lasts.
    pub to_ms: Option<i64>,
}

impl Interval {
    fn end(self) -> i64 {
        self.to_ms.unwrap_or(i64::MAX)
    }
}

/// What the events tell of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// When they were connected, by however many devices: apart from each other and in order.
    pub intervals: Vec<Interval>,
    /// How often a connection began.
    pub connections: u32,
    /// How often one was lost.
    pub drops: u32,
    /// When a connection last began, or the last one ended: as of then it is known whether they are here.
    pub last_event_ms: Option<i64>,
    /// All times of which Chime told an arrival or a departure: a row that bears one of them does not have it by the
    /// person's own word.
    pub event_times_ms: BTreeSet<i64>,
}

impl Person {
    /// Since when they are here, if they are.
    #[must_use]
    pub fn since_ms(&self) -> Option<i64> {
        self.intervals.last().filter(|last| last.to_ms.is_none()).map(|last| last.from_ms)
    }

    /// How long they have been here up to the given time, in milliseconds.
    #[must_use]
    pub fn connected_ms(&self, now_ms: i64) -> i64 {
        self.intervals
            .iter()
            .map(|interval| (interval.to_ms.unwrap_or(now_ms).min(now_ms) - interval.from_ms).max(0))
            .sum()
    }
}

/// What the events tell of a meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Everyone who was ever connected, or of whom a departure was heard.
    pub participants: BTreeMap<UserId, Person>,
    /// How many of them were here at once, at most.
    pub max_at_once: usize,
    /// When Chime says that it ended.
    pub ended_ms: Option<i64>,
    /// When the last event happened that shows the meeting alive.
    pub last_event_ms: Option<i64>,
}

/// Reads the events of one meeting, whatever their order and however often each is among them. `over_ms`: when the call is
/// known to have ended, which may be before Chime says so; nobody was in it later.
#[must_use]
pub fn fold(events: &[ChimeEvent], over_ms: Option<i64>) -> Presence {
    let mut sorted: Vec<&ChimeEvent> = events.iter().collect();
    sorted.sort_by(|one, other| one.in_order(other));
    let ended_ms =
        sorted.iter().find(|event| event.kind == ChimeEventKind::MeetingEnded).map(|event| event.at_ms);
    let over = match (ended_ms, over_ms) {
        (Some(ended), Some(over)) => Some(ended.min(over)),
        (ended, over) => ended.or(over),
    };
    let mut seen = BTreeSet::new();
    let mut attendees: BTreeMap<(UserId, &str), Connection> = BTreeMap::new();
    for event in &sorted {
        let (Some(step), Some(user)) = (event.kind.step(), event.person()) else { continue };
        let attendee = event.attendee_id.as_deref().unwrap_or_default();
        // The same happening may be told twice under two ids too.
        let is_duplicate = !seen.insert((event.at_ms, event.kind, attendee, user));
        if is_duplicate || over.is_some_and(|over| event.at_ms >= over) {
            continue;
        }
        attendees.entry((user, attendee)).or_default().take(step, event.at_ms);
    }
    let mut participants: BTreeMap<UserId, Person> = BTreeMap::new();
    for ((user, _), connection) in attendees {
        let person = participants.entry(user).or_default();
        person.connections += connection.begun;
        person.drops += connection.drops;
        person.last_event_ms = person.last_event_ms.max(connection.last_event_ms);
        person.event_times_ms.extend(&connection.event_times_ms);
        person.intervals.extend(connection.until(over));
    }
    for person in participants.values_mut() {
        person.intervals = union(std::mem::take(&mut person.intervals));
    }
    Presence {
        max_at_once: max_at_once(&participants),
        participants,
        ended_ms,
        last_event_ms: sorted
            .iter()
            .filter(|e| e.kind != ChimeEventKind::MeetingEnded)
            .map(|e| e.at_ms)
            .max(),
    }
}

/// One attendee's connections, read in order.
#[derive(Default)]
struct Connection {
    open_since: Option<i64>,
    /// When older connections were superseded whose departure is still to come.
    superseded: Vec<i64>,
    deleted: bool,
    intervals: Vec<Interval>,
    begun: u32,
    drops: u32,
    last_event_ms: Option<i64>,
    event_times_ms: Vec<i64>,
}

impl Connection {
    fn take(&mut self, step: Step, at_ms: i64) {
        self.event_times_ms.push(at_ms);
        match step {
            // A deleted attendee cannot come again.
            Step::Arrive if self.deleted => {}
            Step::Arrive => {
                self.begun += 1;
                self.last_event_ms = Some(at_ms);
                if self.open_since.is_none() {
                    self.open_since = Some(at_ms);
                } else {
                    self.superseded.push(at_ms);
                }
            }
            Step::Depart { dropped } => {
                self.drops += u32::from(dropped);
                self.superseded.retain(|since| at_ms - since <= MAX_SUPERSEDED_MS);
                if self.superseded.is_empty() {
                    self.close(at_ms);
                } else {
                    self.superseded.remove(0);
                }
            }
            Step::Delete => {
                self.deleted = true;
                self.close(at_ms);
            }
        }
    }

    /// A departure without an arrival says nothing: since when they were here is not known.
    fn close(&mut self, at_ms: i64) {
        self.superseded.clear();
        if let Some(from_ms) = self.open_since.take() {
            self.last_event_ms = Some(at_ms);
            self.intervals.push(Interval { from_ms, to_ms: Some(at_ms) });
        }
    }

    fn until(mut self, over: Option<i64>) -> Vec<Interval> {
        if let Some(from_ms) = self.open_since {
            self.intervals.push(Interval { from_ms, to_ms: over });
        }
        self.intervals
    }
}

/// Intervals that overlap or touch become one; those of no length vanish.
fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|interval| interval.from_ms < interval.end());
    intervals.sort_unstable();
    let mut apart: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match apart.last_mut() {
            Some(last) if interval.from_ms <= last.end() => {
                if interval.end() > last.end() {
                    last.to_ms = interval.to_ms;
                }
            }
            _ => apart.push(interval),
        }
    }
    apart
}

/// Persons, not devices. Who leaves in the millisecond in which another comes was not there with them.
fn max_at_once(participants: &BTreeMap<UserId, Person>) -> usize {
    let mut changes: Vec<(i64, i8)> = participants
        .values()
        .flat_map(|person| &person.intervals)
        .flat_map(|interval| [(interval.from_ms, 1), (interval.end(), -1)])
        .collect();
    changes.sort_unstable();
    let (mut here, mut most) = (0_i64, 0_i64);
    for (_, change) in changes {
        here += i64::from(change);
        most = most.max(here);
    }
    usize::try_from(most).unwrap_or_default()
}
