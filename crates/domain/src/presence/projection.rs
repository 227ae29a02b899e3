//! Projects a session's events and rows onto the changes to write: a pure step between two round trips to the
//! database.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::attendance::{apply_presence, at, close, ms};
use super::{Attendance, ChimeEvent, ChimeEventKind, Lifetime, Presence, TimedEvent, fold};
use crate::audit;
use crate::id::{SessionId, UserId};
use crate::liveness::ASSUMED_LIVE_FOR;
use crate::state::{ParticipantStatus, SessionStatus};

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
    /// When the session became active.
    #[serde(with = "time::serde::rfc3339")]
    pub activated_at: OffsetDateTime,
    /// When Chime last confirmed that the meeting is live.
    #[serde(with = "time::serde::rfc3339::option")]
    pub checked_at: Option<OffsetDateTime>,
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
#[serde(rename_all = "camelCase")]
pub struct StoredEvent {
    #[serde(flatten)]
    pub event: ChimeEvent,
    /// When it was first received, in milliseconds since 1970.
    pub received_ms: i64,
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
    /// Whether an attendee is stored for the participant.
    pub has_attendee: bool,
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
    /// When the meeting ended according to an event that must be verified with Chime before the session is closed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub end_to_verify: Option<OffsetDateTime>,
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
    /// When it happened: `2026-11-20T15:11:41.070Z`.
    pub happened_at: String,
    /// The same time in milliseconds, for sorting.
    pub at_ms: i64,
    /// The time that the event claims, where it cannot be true.
    pub reported_at: Option<String>,
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

impl SessionHistory {
    /// The events with their times within the session's lifetime. An end that Chime has denied since is left out.
    fn timed_events(&self) -> Vec<TimedEvent<'_>> {
        let lifetime = Lifetime { began_ms: ms(self.activated_at) };
        let denied = |stored: &StoredEvent| {
            stored.event.kind == ChimeEventKind::MeetingEnded
                && self.checked_at.is_some_and(|checked| ms(checked) >= stored.received_ms)
        };
        let believed = self.events.iter().filter(|stored| !denied(stored));
        believed.map(|stored| lifetime.clamp(&stored.event, stored.received_ms)).collect()
    }

    /// Whether an event that ends the meeting can be believed without asking Chime: nobody is present and the meeting was empty
    /// for so long that Chime ends it by itself. Everything else is verified, because a second meeting would be created while
    /// the first one is live.
    fn is_end_plausible(&self, until_end: &Presence, ended: OffsetDateTime) -> bool {
        let is_present = |row: &AttendanceRow| {
            let person = until_end.participants.get(&row.user_id);
            let attendance =
                person.map_or(row.attendance, |person| apply_presence(&row.attendance, person, None));
            attendance.status == ParticipantStatus::Joined
                || person.is_some_and(|person| person.since_ms().is_some())
        };
        let last_left = until_end.last_left_ms().and_then(at).unwrap_or(self.activated_at);
        !self.participants.iter().any(is_present) && ended - last_left >= ASSUMED_LIVE_FOR
    }
}

/// Projects a session's events.
#[must_use]
pub fn project(history: &SessionHistory) -> Projection {
    let mut events = history.timed_events();
    let known_over = history.ended_at.or(history.end_requested_at);
    let mut presence = fold(&events, known_over.map(ms));
    let mut ended = presence.ended_ms.and_then(at);
    let mut end_to_verify = None;
    if let (SessionStatus::Active, Some(reported)) = (history.status, ended) {
        let is_end = |timed: &TimedEvent<'_>| timed.event.kind == ChimeEventKind::MeetingEnded;
        let before: Vec<TimedEvent<'_>> =
            events.iter().filter(|timed| !is_end(timed) && timed.at_ms < ms(reported)).copied().collect();
        if !history.is_end_plausible(&fold(&before, None), reported) {
            events.retain(|timed| !is_end(timed));
            presence = fold(&events, None);
            (ended, end_to_verify) = (None, Some(reported));
        }
    }
    let closes_at = match history.status {
        SessionStatus::Active => ended,
        // A session that is `ending` has an open `delete_meeting`, which closes it. An event does not prove that Chime has deleted
        // the meeting.
        SessionStatus::Creating | SessionStatus::Ending | SessionStatus::Ended | SessionStatus::Failed => {
            None
        }
    };
    let call_ended = match history.status {
        SessionStatus::Ended => history.ended_at,
        _ => closes_at,
    };
    let connected = if call_ended.is_some() { 0 } else { presence.connected_count() };
    let last_left_ms = presence.last_left_ms().filter(|_| connected == 0);
    let unapplied: Vec<&StoredEvent> = history.events.iter().filter(|stored| !stored.applied).collect();
    let lifetime = Lifetime { began_ms: ms(history.activated_at) };
    Projection {
        session_id: history.id,
        version: history.version,
        status: history.status,
        connected_count: i32::try_from(connected).unwrap_or(i32::MAX),
        last_left_at: last_left_ms.and_then(at),
        last_event_at: presence.last_event_ms.and_then(at),
        max_participants: i32::try_from(presence.max_at_once).unwrap_or(i32::MAX),
        closes_at,
        // Once: by the batch that applies the event.
        end_to_verify: end_to_verify
            .filter(|_| unapplied.iter().any(|stored| stored.event.kind == ChimeEventKind::MeetingEnded)),
        events: unapplied.iter().map(|stored| stored.event.id.clone()).collect(),
        entries: unapplied
            .iter()
            .filter_map(|stored| AuditEntryDraft::of(lifetime.clamp(&stored.event, stored.received_ms)))
            .collect(),
        participants: updates(history, &presence, call_ended),
        stale: history.stale,
    }
}

/// The participants' rows that change.
fn updates(
    history: &SessionHistory,
    presence: &Presence,
    call_ended: Option<OffsetDateTime>,
) -> Vec<AttendanceUpdate> {
    let mut participants = Vec::new();
    for row in &history.participants {
        let person = presence.participants.get(&row.user_id);
        let mut attendance =
            person.map_or(row.attendance, |person| apply_presence(&row.attendance, person, call_ended));
        let was_left = row.attendance.status == ParticipantStatus::Left;
        if was_left && !row.has_attendee && attendance.status == ParticipantStatus::Joined {
            // Connected with an attendee that was revoked, whose deletion at Chime is pending.
            attendance = row.attendance;
        }
        if let Some(call_ended) = call_ended {
            attendance = close(&attendance, history.activated_at, call_ended);
        }
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let connections = person.map_or(0, |person| count(person.connections));
        let drops = person.map_or(0, |person| count(person.drops));
        let connected = call_ended.is_none() && person.is_some_and(|person| person.since_ms().is_some());
        let now = AttendanceRow { attendance, connected, connections, drops, ..row.clone() };
        if now != *row {
            participants.push(AttendanceUpdate::new(row, &now));
        }
    }
    participants
}

impl AuditEntryDraft {
    /// The audit entry of an event; `None` for events that say nothing about what a participant did.
    fn of(timed: TimedEvent<'_>) -> Option<Self> {
        let TimedEvent { event, at_ms } = timed;
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
            happened_at: at(at_ms).map(crate::stamp::text)?,
            at_ms,
            reported_at: at(event.at_ms).filter(|_| event.at_ms != at_ms).map(crate::stamp::text),
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
