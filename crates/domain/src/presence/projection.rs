//! Projects a session's events and rows onto the changes to write: a pure step between two round trips to the
//! database.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::attendance::{apply_presence, at, close};
use super::{Attendance, ChimeEvent, ChimeEventKind, fold};
use crate::audit;
use crate::id::{SessionId, UserId};
use crate::state::SessionStatus;

/// A session with its history, as the database returns it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionHistory {
    pub id: SessionId,
    pub status: SessionStatus,
    /// Counts the projections of the session: a projection is only written if this is unchanged.
    pub version: i32,
    /// Whether the session changed since its last projection, so that its events must be projected again.
    pub stale: bool,
    /// When the end was requested, while the session is `ending`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub end_requested_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// All stored events of the meeting.
    pub events: Vec<StoredEvent>,
    /// All participants of the session.
    pub participants: Vec<AttendanceRow>,
}

/// An event, and whether an earlier projection has applied it.
#[derive(Clone, Debug, Deserialize)]
pub struct StoredEvent {
    #[serde(flatten)]
    pub event: ChimeEvent,
    /// Whether an earlier projection has applied it, with its audit entry if it has one.
    pub applied: bool,
}

/// A participant's row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttendanceRow {
    pub user_id: UserId,
    #[serde(flatten)]
    pub attendance: Attendance,
    /// Whether Chime reports the participant as connected.
    pub connected: bool,
    /// Connections that began.
    pub connections: i32,
    /// Connections that were lost.
    pub drops: i32,
}

/// The changes of a session.
#[derive(Clone, Debug, Serialize)]
pub struct Projection {
    pub session_id: SessionId,
    /// The version that was read: if it differs by now, nothing is written.
    pub version: i32,
    /// The status that was read: if it differs by now, nothing is written.
    pub status: SessionStatus,
    /// Connected participants.
    pub connected_count: i32,
    /// When the last participant disconnected, if nobody is connected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_left_at: Option<OffsetDateTime>,
    /// The time of the latest event.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_event_at: Option<OffsetDateTime>,
    /// The maximum number connected at the same time.
    pub max_participants: i32,
    /// When the call ended, if this projection closes the session.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closes_at: Option<OffsetDateTime>,
    /// Events that no earlier projection has applied.
    pub events: Vec<String>,
    /// Audit entries of those events that have one.
    pub entries: Vec<AuditEntryDraft>,
    /// Participants' rows that change.
    pub participants: Vec<AttendanceUpdate>,
    #[serde(skip)]
    stale: bool,
}

/// An audit entry for an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntryDraft {
    pub event_id: String,
    /// The entry's type.
    pub name: &'static str,
    /// The participant.
    pub user_id: UserId,
    /// The participant's attendee.
    pub attendee_id: Option<String>,
    /// Chime's time: `2026-11-20T15:11:41.070Z`.
    pub happened_at: String,
    /// The same time in milliseconds, for sorting.
    pub at_ms: i64,
}

/// A row's new values, with the values that were read.
#[derive(Clone, Debug, Serialize)]
pub struct AttendanceUpdate {
    pub user_id: UserId,
    #[serde(flatten)]
    pub attendance: AttendanceAfter,
    /// Whether Chime reports the participant as connected.
    pub connected: bool,
    /// Connections that began.
    pub connections: i32,
    /// Connections that were lost.
    pub drops: i32,
    /// The values that were read: if they differ by now, the row is not written.
    #[serde(flatten)]
    pub was: AttendanceBefore,
}

/// New values of a row, by column name.
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
    /// Whether writing the projection would change anything.
    #[must_use]
    pub const fn has_changes(&self) -> bool {
        self.stale || self.closes_at.is_some() || !self.events.is_empty() || !self.participants.is_empty()
    }
}

/// Projects a session's events.
#[must_use]
pub fn project(history: &SessionHistory) -> Projection {
    let events: Vec<ChimeEvent> = history.events.iter().map(|stored| stored.event.clone()).collect();
    let known_over = history.ended_at.or(history.end_requested_at);
    let presence = fold(&events, known_over.map(super::attendance::ms));
    let ended = presence.ended_ms.and_then(at);
    let closes_at = match history.status {
        SessionStatus::Active => ended,
        // The request that began the end may have died after it deleted the meeting.
        SessionStatus::Ending => {
            ended.map(|ended| history.end_requested_at.map_or(ended, |asked| asked.min(ended)))
        }
        SessionStatus::Creating | SessionStatus::Ended | SessionStatus::Failed => None,
    };
    let call_ended = match history.status {
        SessionStatus::Ended => history.ended_at,
        _ => closes_at,
    };
    let mut participants = Vec::new();
    for row in &history.participants {
        let person = presence.participants.get(&row.user_id);
        let mut attendance =
            person.map_or(row.attendance, |person| apply_presence(&row.attendance, person, call_ended));
        if let Some(call_ended) = call_ended {
            attendance = close(&attendance, call_ended);
        }
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let connections = person.map_or(0, |person| count(person.connections));
        let drops = person.map_or(0, |person| count(person.drops));
        let connected = call_ended.is_none() && person.is_some_and(|person| person.since_ms().is_some());
        let now = AttendanceRow { user_id: row.user_id, attendance, connected, connections, drops };
        if now != *row {
            participants.push(AttendanceUpdate::new(row, &now));
        }
    }
    let intervals = || presence.participants.values().filter_map(|person| person.intervals.last());
    let connected =
        if call_ended.is_some() { 0 } else { intervals().filter(|last| last.to_ms.is_none()).count() };
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
    /// The audit entry of an event; `None` for events that say nothing about what a participant did.
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
        // The external user id of a screen share is the user's id before the `#`.
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
