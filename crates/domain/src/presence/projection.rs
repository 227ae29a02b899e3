//! From a session's events and rows to what is to be written: one pure step between two trips to the database.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::attendance::{apply_presence, at, close};
use super::{Attendance, ChimeEvent, ChimeEventKind, fold};
use crate::audit;
use crate::id::{SessionId, UserId};
use crate::state::SessionStatus;

/// A session with all that is known of it, as the database tells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionHistory {
    /// The session.
    pub id: SessionId,
    /// Its state.
    pub status: SessionStatus,
    /// How often its events were read: what is written counts only if nobody else wrote since.
    pub version: i32,
    /// Whether something happened since that its events must be read again for.
    pub stale: bool,
    /// When its end was asked for, while that is under way.
    #[serde(with = "time::serde::rfc3339::option")]
    pub end_requested_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Everything that Chime told of its meeting.
    pub events: Vec<StoredEvent>,
    /// Everyone who has a part in it.
    pub participants: Vec<AttendanceRow>,
}

/// An event, and whether an earlier projection has applied it.
#[derive(Clone, Debug, Deserialize)]
pub struct StoredEvent {
    /// The event.
    #[serde(flatten)]
    pub event: ChimeEvent,
    /// Whether it has its audit entry, if it gets one.
    pub applied: bool,
}

/// A participant's row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttendanceRow {
    /// Who.
    pub user_id: UserId,
    /// How they stand.
    #[serde(flatten)]
    pub attendance: Attendance,
    /// Whether Chime sees them connected.
    pub connected: bool,
    /// How often a connection of theirs began.
    pub connections: i32,
    /// How often one was lost.
    pub drops: i32,
}

/// What is to be written for a session.
#[derive(Clone, Debug, Serialize)]
pub struct Projection {
    /// The session.
    pub session_id: SessionId,
    /// The version that was read: another one means that nothing is written.
    pub version: i32,
    /// The state that was read: another one means the same.
    pub status: SessionStatus,
    /// How many are connected.
    pub connected_count: i32,
    /// When the last of them went, if all have.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_left_at: Option<OffsetDateTime>,
    /// When Chime last told of it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_event_at: Option<OffsetDateTime>,
    /// How many were in it at once, at most.
    pub max_participants: i32,
    /// When it ended, if it is to be closed by this projection.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closes_at: Option<OffsetDateTime>,
    /// Events that no projection has applied.
    pub events: Vec<String>,
    /// Their audit entries, for those that have one.
    pub entries: Vec<AuditEntryDraft>,
    /// The rows that change.
    pub participants: Vec<AttendanceUpdate>,
    #[serde(skip)]
    stale: bool,
}

/// An audit entry of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntryDraft {
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
pub struct AttendanceUpdate {
    /// Who.
    pub user_id: UserId,
    /// How they stand.
    #[serde(flatten)]
    pub attendance: AttendanceAfter,
    /// Whether Chime sees them connected.
    pub connected: bool,
    /// How often a connection of theirs began.
    pub connections: i32,
    /// How often one was lost.
    pub drops: i32,
    /// As it was read: another one means that it is not written.
    #[serde(flatten)]
    pub was: AttendanceBefore,
}

/// The new values of a row, by the names of its columns.
#[derive(Clone, Debug, Serialize)]
pub struct AttendanceAfter {
    status: crate::state::ParticipantStatus,
    #[serde(with = "time::serde::rfc3339::option")]
    joined_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    left_at: Option<OffsetDateTime>,
    duration_seconds: i32,
}

/// The values that a row had.
#[derive(Clone, Debug, Serialize)]
pub struct AttendanceBefore {
    #[serde(rename = "was_status")]
    status: crate::state::ParticipantStatus,
    #[serde(rename = "was_joined_at", with = "time::serde::rfc3339::option")]
    joined_at: Option<OffsetDateTime>,
    #[serde(rename = "was_left_at", with = "time::serde::rfc3339::option")]
    left_at: Option<OffsetDateTime>,
}

impl Projection {
    /// Whether writing it would change anything.
    #[must_use]
    pub const fn has_changes(&self) -> bool {
        self.stale || self.closes_at.is_some() || !self.events.is_empty() || !self.participants.is_empty()
    }
}

/// Reads a session's events.
#[must_use]
pub fn project(history: &SessionHistory) -> Projection {
    let events: Vec<ChimeEvent> = history.events.iter().map(|stored| stored.event.clone()).collect();
    let known_over = history.ended_at.or(history.end_requested_at);
    let presence = fold(&events, known_over.map(super::attendance::ms));
    let ended = presence.ended_ms.and_then(at);
    let closes_at = match history.status {
        SessionStatus::Active => ended,
        // Whoever began the end may have died after the meeting's.
        SessionStatus::Ending => {
            ended.map(|ended| history.end_requested_at.map_or(ended, |asked| asked.min(ended)))
        }
        SessionStatus::Creating | SessionStatus::Ended | SessionStatus::Failed => None,
    };
    let over = match history.status {
        SessionStatus::Ended => history.ended_at,
        _ => closes_at,
    };
    let mut participants = Vec::new();
    for row in &history.participants {
        let heard = presence.participants.get(&row.user_id);
        let mut attendance =
            heard.map_or(row.attendance, |person| apply_presence(&row.attendance, person, over));
        if let Some(over) = over {
            attendance = close(&attendance, over);
        }
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let connections = heard.map_or(0, |person| count(person.connections));
        let drops = heard.map_or(0, |person| count(person.drops));
        let connected = over.is_none() && heard.is_some_and(|person| person.since_ms().is_some());
        let now = AttendanceRow { user_id: row.user_id, attendance, connected, connections, drops };
        if now != *row {
            participants.push(AttendanceUpdate::new(row, &now));
        }
    }
    let intervals = || presence.participants.values().filter_map(|person| person.intervals.last());
    let connected = if over.is_some() { 0 } else { intervals().filter(|last| last.to_ms.is_none()).count() };
    let last_left_ms = intervals().map(|last| last.to_ms).max().flatten().filter(|_| connected == 0);
    let unapplied = || history.events.iter().filter(|stored| !stored.applied).map(|stored| &stored.event);
    Projection {
        session_id: history.id,
        version: history.version,
        status: history.status,
        connected_count: i32::try_from(connected).unwrap_or(i32::MAX),
        last_left_at: last_left_ms.and_then(at),
        last_event_at: presence.last_event_ms.and_then(at),
        max_participants: i32::try_from(presence.max_at_once).unwrap_or(i32::MAX),
        closes_at,
        events: unapplied().map(|event| event.id.clone()).collect(),
        entries: unapplied().filter_map(AuditEntryDraft::of).collect(),
        participants,
        stale: history.stale,
    }
}

impl AuditEntryDraft {
    /// The entry of an event that tells what a person did or what became of them; of others there is none.
    fn of(event: &ChimeEvent) -> Option<Self> {
        let name = match event.kind {
            ChimeEventKind::AttendeeJoined => audit::Event::ParticipantConnected,
            ChimeEventKind::AttendeeLeft => audit::Event::ParticipantDisconnected,
            ChimeEventKind::AttendeeDropped => audit::Event::ParticipantDropped,
            ChimeEventKind::AttendeeContentJoined => audit::Event::ContentStarted,
            ChimeEventKind::AttendeeContentLeft | ChimeEventKind::AttendeeContentDropped => {
                audit::Event::ContentStopped
            }
            ChimeEventKind::MeetingStarted
            | ChimeEventKind::MeetingEnded
            | ChimeEventKind::AttendeeAdded
            | ChimeEventKind::AttendeeAuthorized
            | ChimeEventKind::AttendeeDeleted
            | ChimeEventKind::AttendeeVideoStarted
            | ChimeEventKind::AttendeeVideoStopped
            | ChimeEventKind::AttendeeContentVideoStarted
            | ChimeEventKind::AttendeeContentVideoStopped => return None,
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

impl AttendanceUpdate {
    fn new(was: &AttendanceRow, now: &AttendanceRow) -> Self {
        Self {
            user_id: now.user_id,
            attendance: AttendanceAfter {
                status: now.attendance.status,
                joined_at: now.attendance.joined_at,
                left_at: now.attendance.left_at,
                duration_seconds: now.attendance.duration_seconds,
            },
            connected: now.connected,
            connections: now.connections,
            drops: now.drops,
            was: AttendanceBefore {
                status: was.attendance.status,
                joined_at: was.attendance.joined_at,
                left_at: was.attendance.left_at,
            },
        }
    }
}
