//! From a session's events and rows to what is to be written: one pure step between two trips to the database.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::settle::{at, close, settle};
use super::{Event, Kind, Standing, fold};
use crate::audit;
use crate::id::{SessionId, UserId};
use crate::state::SessionStatus;

/// A session with all that is known of it, as the database tells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The session.
    pub id: SessionId,
    /// Its state.
    pub status: SessionStatus,
    /// How often its events were read: what is written counts only if nobody else wrote since.
    pub version: i32,
    /// Whether something happened since that its events must be read again for.
    pub unread: bool,
    /// When its end was asked for, while that is under way.
    #[serde(with = "time::serde::rfc3339::option")]
    pub end_asked_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Everything that Chime told of its meeting.
    pub events: Vec<Stored>,
    /// Everyone who has a part in it.
    pub participants: Vec<Participant>,
}

/// An event, and whether an earlier reading has counted it.
#[derive(Clone, Debug, Deserialize)]
pub struct Stored {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// Whether it has its audit entry, if it gets one.
    pub counted: bool,
}

/// A participant's row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// Who.
    pub user_id: UserId,
    /// How they stand.
    #[serde(flatten)]
    pub standing: Standing,
    /// Whether Chime sees them connected.
    pub connected: bool,
    /// How often a connection of theirs began.
    pub connections: i32,
    /// How often one was lost.
    pub drops: i32,
}

/// What is to be written for a session.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// The session.
    pub session_id: SessionId,
    /// The version that was read: another one means that nothing is written.
    pub version: i32,
    /// The state that was read: another one means the same.
    pub status: SessionStatus,
    /// How many are connected.
    pub connected: i32,
    /// When the last of them went, if all have.
    #[serde(with = "time::serde::rfc3339::option")]
    pub emptied_at: Option<OffsetDateTime>,
    /// When Chime last told of it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub heard_at: Option<OffsetDateTime>,
    /// How many were in it at once, at most.
    pub greatest: i32,
    /// When it ended, if it is to be closed by this reading.
    #[serde(with = "time::serde::rfc3339::option")]
    pub over_at: Option<OffsetDateTime>,
    /// Events that no reading has counted.
    pub events: Vec<String>,
    /// Their audit entries, for those that have one.
    pub entries: Vec<Entry>,
    /// The rows that change.
    pub people: Vec<Person>,
    #[serde(skip)]
    unread: bool,
}

/// An audit entry of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The event's id.
    pub event_id: String,
    /// What it tells.
    pub name: &'static str,
    /// Whom it is about.
    pub user_id: UserId,
    /// Their attendee.
    pub attendee_id: Option<String>,
    /// When, by Chime's clock: `2026-11-20T15:11:41.070Z`.
    pub happened_at: String,
    /// The same, to order by.
    pub at_ms: i64,
}

/// A row as it was read, and as it shall be.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// Who.
    pub user_id: UserId,
    /// How they stand.
    #[serde(flatten)]
    pub standing: RowNow,
    /// Whether Chime sees them connected.
    pub connected: bool,
    /// How often a connection of theirs began.
    pub connections: i32,
    /// How often one was lost.
    pub drops: i32,
    /// As it was read: another one means that it is not written.
    #[serde(flatten)]
    pub was: RowBefore,
}

/// The new values of a row, by the names of its columns.
#[derive(Clone, Debug, Serialize)]
pub struct RowNow {
    status: crate::state::ParticipantStatus,
    #[serde(with = "time::serde::rfc3339::option")]
    joined_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    left_at: Option<OffsetDateTime>,
    duration_seconds: i32,
}

/// The values that a row had.
#[derive(Clone, Debug, Serialize)]
pub struct RowBefore {
    #[serde(rename = "was_status")]
    status: crate::state::ParticipantStatus,
    #[serde(rename = "was_joined_at", with = "time::serde::rfc3339::option")]
    joined_at: Option<OffsetDateTime>,
    #[serde(rename = "was_left_at", with = "time::serde::rfc3339::option")]
    left_at: Option<OffsetDateTime>,
}

impl Reading {
    /// Whether writing it would change anything.
    #[must_use]
    pub const fn is_news(&self) -> bool {
        self.unread || self.over_at.is_some() || !self.events.is_empty() || !self.people.is_empty()
    }
}

/// Reads a session's events.
#[must_use]
pub fn read(history: &History) -> Reading {
    let events: Vec<Event> = history.events.iter().map(|stored| stored.event.clone()).collect();
    let known_over = history.ended_at.or(history.end_asked_at);
    let presence = fold(&events, known_over.map(super::settle::ms));
    let ended = presence.ended_ms.and_then(at);
    let over_at = match history.status {
        SessionStatus::Active => ended,
        // Whoever began the end may have died after the meeting's.
        SessionStatus::Ending => {
            ended.map(|ended| history.end_asked_at.map_or(ended, |asked| asked.min(ended)))
        }
        SessionStatus::Creating | SessionStatus::Ended | SessionStatus::Failed => None,
    };
    let over = match history.status {
        SessionStatus::Ended => history.ended_at,
        _ => over_at,
    };
    let mut people = Vec::new();
    for row in &history.participants {
        let heard = presence.people.get(&row.user_id);
        let mut standing = heard.map_or(row.standing, |person| settle(&row.standing, person, over));
        if let Some(over) = over {
            standing = close(&standing, over);
        }
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let connections = heard.map_or(0, |person| count(person.connections));
        let drops = heard.map_or(0, |person| count(person.drops));
        let connected = over.is_none() && heard.is_some_and(|person| person.since_ms().is_some());
        let now = Participant { user_id: row.user_id, standing, connected, connections, drops };
        if now != *row {
            people.push(Person::new(row, &now));
        }
    }
    let intervals = || presence.people.values().filter_map(|person| person.intervals.last());
    let connected = if over.is_some() { 0 } else { intervals().filter(|last| last.to_ms.is_none()).count() };
    let emptied_ms = intervals().map(|last| last.to_ms).max().flatten().filter(|_| connected == 0);
    let uncounted = || history.events.iter().filter(|stored| !stored.counted).map(|stored| &stored.event);
    Reading {
        session_id: history.id,
        version: history.version,
        status: history.status,
        connected: i32::try_from(connected).unwrap_or(i32::MAX),
        emptied_at: emptied_ms.and_then(at),
        heard_at: presence.heard_ms.and_then(at),
        greatest: i32::try_from(presence.greatest_at_once).unwrap_or(i32::MAX),
        over_at,
        events: uncounted().map(|event| event.id.clone()).collect(),
        entries: uncounted().filter_map(Entry::of).collect(),
        people,
        unread: history.unread,
    }
}

impl Entry {
    /// The entry of an event that tells what a person did or what became of them; of others there is none.
    fn of(event: &Event) -> Option<Self> {
        let name = match event.kind {
            Kind::AttendeeJoined => audit::Event::ParticipantConnected,
            Kind::AttendeeLeft => audit::Event::ParticipantDisconnected,
            Kind::AttendeeDropped => audit::Event::ParticipantDropped,
            Kind::AttendeeContentJoined => audit::Event::ContentStarted,
            Kind::AttendeeContentLeft | Kind::AttendeeContentDropped => audit::Event::ContentStopped,
            Kind::MeetingStarted
            | Kind::MeetingEnded
            | Kind::AttendeeAdded
            | Kind::AttendeeAuthorized
            | Kind::AttendeeDeleted
            | Kind::AttendeeVideoStarted
            | Kind::AttendeeVideoStopped
            | Kind::AttendeeContentVideoStarted
            | Kind::AttendeeContentVideoStopped => return None,
        };
        // A share's own attendee bears its person's id before the mark.
        let user = event.external_user_id.as_deref()?.split('#').next()?;
        let share = event.attendee_id.as_deref().is_some_and(|attendee| attendee.contains('#'));
        let about_content = matches!(name, audit::Event::ContentStarted | audit::Event::ContentStopped);
        if share && !about_content {
            return None;
        }
        Some(Self {
            event_id: event.id.clone(),
            name: name.as_str(),
            user_id: user.parse().ok()?,
            attendee_id: event.attendee_id.clone(),
            happened_at: at(event.at_ms).map(crate::stamp::text)?,
            at_ms: event.at_ms,
        })
    }
}

impl Person {
    fn new(was: &Participant, now: &Participant) -> Self {
        Self {
            user_id: now.user_id,
            standing: RowNow {
                status: now.standing.status,
                joined_at: now.standing.joined_at,
                left_at: now.standing.left_at,
                duration_seconds: now.standing.duration_seconds,
            },
            connected: now.connected,
            connections: now.connections,
            drops: now.drops,
            was: RowBefore {
                status: was.standing.status,
                joined_at: was.standing.joined_at,
                left_at: was.standing.left_at,
            },
        }
    }
}
