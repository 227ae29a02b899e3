//! The participants who are in a call, by Chime's events: a fold over all stored events, so that neither their order nor duplicates
//! matter.
//!
//! `EventBridge` delivers late, twice, out of order or never (Chime SDK developer guide, "Automating with `EventBridge`").
//! So no event is applied on its own: each time, all events are sorted by their own time and folded from the first
//! one.
//!
//! An attendee has at most one live connection: a join with the same token on a second device disconnects the first
//! one, and a reconnecting client may be back before its old connection times out. Either way Chime reports a
//! departure that is not the participant's. It is ignored if it comes within [`MAX_SUPERSEDED_MS`] of the newer
//! connection.
//!
//! An event's own time is only a claim: it is clamped to the meeting's lifetime and to the time at which the event was
//! received ([`Lifetime`]). An arrival may be lost: then the departure ends a connection that began when the attendee was
//! authorized or created, or else when the participant joined by request.

mod attendance;
mod lifetime;
mod projection;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{ChimeMeetingId, UserId};

pub use attendance::{Attendance, apply_presence};
pub use lifetime::{Lifetime, TimedEvent};
pub use projection::{
    AttendanceRow, AttendanceUpdate, AuditEntryDraft, Projection, SessionHistory, StoredEvent, project,
};

/// How long after a newer connection the departure of the older one is expected. It usually takes seconds; a later
/// departure is the participant's own, and the event of the older connection was lost.
pub const MAX_SUPERSEDED_MS: i64 = 60_000;

/// The event type: `detail.eventType` without its prefix `chime:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChimeEventKind {
    /// The meeting was created.
    MeetingStarted,
    /// An attendee was created.
    AttendeeAdded,
    /// An attendee's token was accepted.
    AttendeeAuthorized,
    /// A connection began.
    AttendeeJoined,
    /// The attendee started to send video.
    AttendeeVideoStarted,
    /// The attendee stopped sending video.
    AttendeeVideoStopped,
    /// A screen share connected.
    AttendeeContentJoined,
    /// A screen share started to send video.
    AttendeeContentVideoStarted,
    /// A screen share stopped sending video.
    AttendeeContentVideoStopped,
    /// A screen share ended.
    AttendeeContentLeft,
    /// A screen share's connection was lost.
    AttendeeContentDropped,
    /// A connection ended.
    AttendeeLeft,
    /// A connection was lost.
    AttendeeDropped,
    /// An attendee was deleted.
    AttendeeDeleted,
    /// The meeting ended.
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

    /// The event's effect on a connection; `None` for no effect.
    const fn step(self) -> Option<Step> {
        match self {
            Self::AttendeeJoined => Some(Step::Arrive),
            Self::AttendeeLeft => Some(Step::Depart { dropped: false }),
            Self::AttendeeDropped => Some(Step::Depart { dropped: true }),
            Self::AttendeeDeleted => Some(Step::Delete),
            Self::AttendeeAdded | Self::AttendeeAuthorized => Some(Step::Announce),
            Self::MeetingStarted
            | Self::MeetingEnded
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

/// A stored event of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChimeEvent {
    /// `EventBridge`'s id: the same in every delivery.
    pub id: String,
    pub kind: ChimeEventKind,
    /// The time that the event claims, in milliseconds since 1970.
    pub at_ms: i64,
    /// The connection's attendee; a screen share is `<attendeeId>#content`.
    pub attendee_id: Option<String>,
    /// The user for whom the attendee was created, or `aws:MediaPipeline...`.
    pub external_user_id: Option<String>,
}

/// An event with its meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingEvent {
    pub meeting: ChimeMeetingId,
    /// The meeting's `ExternalMeetingId`, where the event contains it.
    pub external_meeting_id: Option<String>,
    /// The only region in which the meeting can be changed.
    pub control_region: String,
    pub event: ChimeEvent,
}

impl ChimeEvent {
    /// The user that the event is about; `None` for recorders and screen shares.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        let is_share = self.attendee_id.as_deref().is_none_or(|attendee| attendee.contains('#'));
        if is_share { None } else { self.external_user_id.as_deref()?.parse().ok() }
    }
}

#[derive(Clone, Copy)]
enum Step {
    /// A connection is about to begin.
    Announce,
    Arrive,
    Depart {
        dropped: bool,
    },
    Delete,
}

/// A time in which a participant was connected. Half open: it excludes its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// Milliseconds since 1970.
    pub from_ms: i64,
    /// Milliseconds since 1970; `None` while the connection lasts.
    pub to_ms: Option<i64>,
}

impl Interval {
    fn end(self) -> i64 {
        self.to_ms.unwrap_or(i64::MAX)
    }
}

/// The presence of one participant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// When the participant was connected with at least one device: disjoint and in order.
    pub intervals: Vec<Interval>,
    /// Connections that began.
    pub connections: u32,
    /// Connections that were lost.
    pub drops: u32,
    /// When a connection last began, or the last one ended: the presence is known as of then.
    pub last_event_ms: Option<i64>,
    /// Times of all arrivals and departures that Chime reported: a row with one of these times has it from Chime, not
    /// from a request of the participant.
    pub event_times_ms: BTreeSet<i64>,
    /// The latest departure of a connection of which no event says when it began. It is in no interval.
    pub departed_alone_ms: Option<i64>,
}

impl Person {
    /// Since when the participant is connected, if so.
    #[must_use]
    pub fn since_ms(&self) -> Option<i64> {
        self.intervals.last().filter(|last| last.to_ms.is_none()).map(|last| last.from_ms)
    }

    /// Connected time up to the given time, in milliseconds.
    #[must_use]
    pub fn connected_ms(&self, now_ms: i64) -> i64 {
        self.intervals
            .iter()
            .map(|interval| (interval.to_ms.unwrap_or(now_ms).min(now_ms) - interval.from_ms).max(0))
            .sum()
    }
}

/// The presence in a meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Participants who were ever connected, or whose departure was reported.
    pub participants: BTreeMap<UserId, Person>,
    /// The maximum number connected at the same time.
    pub max_at_once: usize,
    /// When the meeting ended, by Chime's event.
    pub ended_ms: Option<i64>,
    /// When the last event happened that shows the meeting to be live.
    pub last_event_ms: Option<i64>,
}

impl Presence {
    /// Participants who are connected.
    #[must_use]
    pub fn connected_count(&self) -> usize {
        self.last_intervals().filter(|last| last.to_ms.is_none()).count()
    }

    /// When the last participant disconnected, if nobody is connected.
    #[must_use]
    pub fn last_left_ms(&self) -> Option<i64> {
        if self.connected_count() > 0 {
            return None;
        }
        let alone = self.participants.values().filter_map(|person| person.departed_alone_ms);
        self.last_intervals().filter_map(|last| last.to_ms).chain(alone).max()
    }

    fn last_intervals(&self) -> impl Iterator<Item = &Interval> {
        self.participants.values().filter_map(|person| person.intervals.last())
    }
}

/// Folds the events of one meeting, in any order and with duplicates. `call_ended_ms`: when the call is known to have
/// ended, possibly before Chime reports it; nobody is connected after that.
#[must_use]
pub fn fold(events: &[TimedEvent<'_>], call_ended_ms: Option<i64>) -> Presence {
    let mut sorted: Vec<&TimedEvent<'_>> = events.iter().collect();
    sorted.sort_by(|one, other| one.in_order(other));
    let ended_ms =
        sorted.iter().find(|timed| timed.event.kind == ChimeEventKind::MeetingEnded).map(|timed| timed.at_ms);
    let call_ended = match (ended_ms, call_ended_ms) {
        (Some(ended), Some(call_ended)) => Some(ended.min(call_ended)),
        (ended, call_ended) => ended.or(call_ended),
    };
    let mut seen = BTreeSet::new();
    let mut attendees: BTreeMap<(UserId, &str), Connection> = BTreeMap::new();
    for TimedEvent { event, at_ms } in sorted.iter().copied() {
        let (Some(step), Some(user)) = (event.kind.step(), event.person()) else { continue };
        let attendee = event.attendee_id.as_deref().unwrap_or_default();
        // Chime may report the same change under two event ids too.
        let is_duplicate = !seen.insert((event.at_ms, event.kind, attendee, user));
        if is_duplicate || call_ended.is_some_and(|call_ended| *at_ms >= call_ended) {
            continue;
        }
        attendees.entry((user, attendee)).or_default().take(step, *at_ms);
    }
    let mut participants: BTreeMap<UserId, Person> = BTreeMap::new();
    for ((user, _), connection) in attendees {
        let person = participants.entry(user).or_default();
        person.connections += connection.begun;
        person.drops += connection.drops;
        person.last_event_ms = person.last_event_ms.max(connection.last_event_ms);
        person.event_times_ms.extend(&connection.event_times_ms);
        person.departed_alone_ms = person.departed_alone_ms.max(connection.departed_alone_ms);
        person.intervals.extend(connection.until(call_ended));
    }
    // An attendee that was created and never connected says nothing about its participant.
    participants.retain(|_, person| !person.event_times_ms.is_empty());
    for person in participants.values_mut() {
        person.intervals = union(std::mem::take(&mut person.intervals));
    }
    Presence {
        max_at_once: max_at_once(&participants),
        participants,
        ended_ms,
        last_event_ms: sorted
            .iter()
            .filter(|timed| timed.event.kind != ChimeEventKind::MeetingEnded)
            .map(|timed| timed.at_ms)
            .max(),
    }
}

/// One attendee's connections, in order.
#[derive(Default)]
struct Connection {
    /// When the attendee was last authorized or created, until a connection begins.
    announced: Option<i64>,
    open_since: Option<i64>,
    /// Times at which newer connections superseded older ones whose departure has not been reported.
    superseded: Vec<i64>,
    deleted: bool,
    intervals: Vec<Interval>,
    begun: u32,
    drops: u32,
    last_event_ms: Option<i64>,
    event_times_ms: Vec<i64>,
    departed_alone_ms: Option<i64>,
}

impl Connection {
    fn take(&mut self, step: Step, at_ms: i64) {
        if let Step::Announce = step {
            self.announced = Some(at_ms);
            return;
        }
        self.event_times_ms.push(at_ms);
        match step {
            Step::Announce => {}
            // A deleted attendee cannot join again.
            Step::Arrive if self.deleted => {}
            Step::Arrive => {
                self.begun += 1;
                self.last_event_ms = Some(at_ms);
                self.announced = None;
                if self.open_since.is_none() {
                    self.open_since = Some(at_ms);
                } else {
                    self.superseded.push(at_ms);
                }
            }
            Step::Depart { dropped } => {
                self.drops += u32::from(dropped);
                self.superseded.retain(|since| at_ms - since <= MAX_SUPERSEDED_MS);
                if !self.superseded.is_empty() {
                    self.superseded.remove(0);
                } else if self.open_since.is_some() {
                    self.close(at_ms);
                } else if !self.deleted {
                    self.depart_alone(at_ms);
                }
            }
            Step::Delete => {
                self.deleted = true;
                self.close(at_ms);
            }
        }
    }

    /// Ends the connection, if there is one.
    fn close(&mut self, at_ms: i64) {
        self.superseded.clear();
        if let Some(from_ms) = self.open_since.take() {
            self.last_event_ms = Some(at_ms);
            self.intervals.push(Interval { from_ms, to_ms: Some(at_ms) });
        }
    }

    /// A departure whose arrival was lost. Soon after the end of another connection it may be the late report of an older one,
    /// so then it counts only if the attendee was authorized in between.
    fn depart_alone(&mut self, at_ms: i64) {
        let last_end = self.intervals.last().and_then(|last| last.to_ms);
        if let Some(from_ms) = self.announced.take().filter(|since| last_end.is_none_or(|end| *since >= end))
        {
            self.begun += 1;
            self.open_since = Some(from_ms);
            self.close(at_ms);
        } else if last_end.is_none_or(|end| at_ms - end > MAX_SUPERSEDED_MS) {
            self.last_event_ms = Some(at_ms);
            self.departed_alone_ms = Some(at_ms);
        }
    }

    fn until(mut self, call_ended: Option<i64>) -> Vec<Interval> {
        if let Some(from_ms) = self.open_since {
            self.intervals.push(Interval { from_ms, to_ms: call_ended });
        }
        self.intervals
    }
}

/// Merges intervals that overlap or touch, and drops empty ones.
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

/// Counts participants, not devices. A participant who leaves in the millisecond in which another joins does not
/// overlap with them.
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
