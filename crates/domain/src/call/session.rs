//! One call of an appointment: what it has in every state, and what only one state has.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::id::{ChimeMeetingId, SessionId, UserId};
use crate::state::SessionStatus;

/// One call of an appointment.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "SessionRow")]
pub struct Session {
    pub id: SessionId,
    /// The only region in which the meeting can be read or changed.
    pub control_region: String,
    /// Where the media is processed.
    pub media_region: String,
    /// Whether recording was requested.
    pub recording_enabled: bool,
    /// Whether a recording is requested that has not begun.
    pub recording_requested: bool,
    /// Whether transcription was requested.
    pub transcription_enabled: bool,
    pub transcription_language: Option<String>,
    /// When the session was inserted.
    pub created_at: OffsetDateTime,
    /// Users in the call.
    pub present: Vec<UserId>,
    pub state: SessionState,
}

/// The state of a session, with what is known in it.
#[derive(Clone, Debug)]
pub enum SessionState {
    Creating(Attempt),
    Active(ActiveCall),
    Ending { meeting_id: ChimeMeetingId },
    Ended(ClosedCall),
    Failed(ClosedCall),
}

/// An attempt to create the meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counts the attempts of the session.
    pub number: i32,
    /// The request that creates the meeting now, if any.
    pub by: Option<String>,
}

/// A call that members may join.
#[derive(Clone, Debug)]
pub struct ActiveCall {
    pub meeting: Meeting,
    /// When the session became active.
    pub activated_at: OffsetDateTime,
    /// When Chime last confirmed that the meeting is live.
    pub checked_at: Option<OffsetDateTime>,
    /// Connected participants, by Chime's events.
    pub connected_count: i32,
    /// When the last participant disconnected, by Chime's events.
    pub last_left_at: Option<OffsetDateTime>,
    /// Whether an event claims that the meeting has ended and Chime has not been asked since.
    pub end_reported: bool,
    /// Since when one participant has been alone in the call, if so.
    pub alone_since: Option<OffsetDateTime>,
}

/// A session's Chime meeting.
#[derive(Clone, Debug, PartialEq)]
pub struct Meeting {
    pub id: ChimeMeetingId,
    /// Chime's `Meeting` object, unchanged.
    pub json: Value,
}

/// A call that is over, or that never began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedCall {
    /// `None`: its meeting was never known.
    pub meeting_id: Option<ChimeMeetingId>,
    pub ended_at: OffsetDateTime,
    /// How long it was active, in seconds.
    pub duration_seconds: i32,
}

impl Session {
    /// The status, without what belongs to it.
    #[must_use]
    pub const fn status(&self) -> SessionStatus {
        match self.state {
            SessionState::Creating(_) => SessionStatus::Creating,
            SessionState::Active(_) => SessionStatus::Active,
            SessionState::Ending { .. } => SessionStatus::Ending,
            SessionState::Ended(_) => SessionStatus::Ended,
            SessionState::Failed(_) => SessionStatus::Failed,
        }
    }

    /// Whether the session prevents a new one: an appointment has at most one open session.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.status().is_open()
    }

    /// The call that members may join, if the session is active.
    #[must_use]
    pub const fn active(&self) -> Option<&ActiveCall> {
        match &self.state {
            SessionState::Active(call) => Some(call),
            SessionState::Creating(_)
            | SessionState::Ending { .. }
            | SessionState::Ended(_)
            | SessionState::Failed(_) => None,
        }
    }

    /// Chime's id of the meeting, once it is known.
    #[must_use]
    pub const fn meeting_id(&self) -> Option<ChimeMeetingId> {
        match &self.state {
            SessionState::Creating(_) => None,
            SessionState::Active(call) => Some(call.meeting.id),
            SessionState::Ending { meeting_id } => Some(*meeting_id),
            SessionState::Ended(closed) | SessionState::Failed(closed) => closed.meeting_id,
        }
    }
}

/// A session as the database returns it: the columns of all states.
#[expect(clippy::struct_excessive_bools, reason = "columns of a row")]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionRow {
    id: SessionId,
    status: SessionStatus,
    attempt: i32,
    attempt_by: Option<String>,
    control_region: String,
    media_region: String,
    meeting_id: Option<ChimeMeetingId>,
    meeting: Option<Value>,
    recording_enabled: bool,
    recording_requested: bool,
    transcription_enabled: bool,
    transcription_language: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    activated_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    checked_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    duration_seconds: Option<i32>,
    connected_count: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    last_left_at: Option<OffsetDateTime>,
    end_reported: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    alone_since: Option<OffsetDateTime>,
    present: Vec<UserId>,
}

impl TryFrom<SessionRow> for Session {
    type Error = &'static str;

    /// # Errors
    /// When the row lacks what its status requires, which the table's constraints prevent.
    fn try_from(row: SessionRow) -> Result<Self, Self::Error> {
        let closed = || {
            Ok::<_, &str>(ClosedCall {
                meeting_id: row.meeting_id,
                ended_at: row.ended_at.ok_or("a closed session without an end")?,
                duration_seconds: row.duration_seconds.unwrap_or(0),
            })
        };
        let state = match row.status {
            SessionStatus::Creating => {
                SessionState::Creating(Attempt { number: row.attempt, by: row.attempt_by })
            }
            SessionStatus::Active => SessionState::Active(ActiveCall {
                meeting: Meeting {
                    id: row.meeting_id.ok_or("an active session without a meeting id")?,
                    json: row.meeting.ok_or("an active session without a meeting")?,
                },
                activated_at: row.activated_at.ok_or("an active session that was not activated")?,
                checked_at: row.checked_at,
                connected_count: row.connected_count,
                last_left_at: row.last_left_at,
                end_reported: row.end_reported,
                alone_since: row.alone_since,
            }),
            SessionStatus::Ending => SessionState::Ending {
                meeting_id: row.meeting_id.ok_or("an ending session without a meeting id")?,
            },
            SessionStatus::Ended => SessionState::Ended(closed()?),
            SessionStatus::Failed => SessionState::Failed(closed()?),
        };
        Ok(Self {
            id: row.id,
            control_region: row.control_region,
            media_region: row.media_region,
            recording_enabled: row.recording_enabled,
            recording_requested: row.recording_requested,
            transcription_enabled: row.transcription_enabled,
            transcription_language: row.transcription_language,
            created_at: row.created_at,
            present: row.present,
            state,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    const MEETING: &str = "7d9f1c5e-0000-4000-8000-0000000000aa";

    fn row(status: SessionStatus, at: OffsetDateTime) -> Value {
        let at = crate::stamp::text(at);
        let has_meeting = matches!(status, SessionStatus::Active | SessionStatus::Ending);
        json!({
            "id": "7d9f1c5e-0000-4000-8000-0000000000b1", "status": status, "attempt": 1, "attemptBy": null,
            "controlRegion": "us-east-1", "mediaRegion": "us-east-1",
            "meetingId": has_meeting.then_some(MEETING), "meeting": has_meeting.then(|| json!({ "MeetingId": MEETING })),
            "recordingEnabled": false, "recordingRequested": false, "transcriptionEnabled": false, "transcriptionLanguage": null,
            "createdAt": at, "activatedAt": has_meeting.then_some(&at), "checkedAt": null,
            "endedAt": (!status.is_open()).then_some(&at),
            "durationSeconds": null, "connectedCount": 0, "lastLeftAt": null, "endReported": false, "aloneSince": null, "present": [],
        })
    }

    /// A session in a state that it has had since it was inserted.
    pub(crate) fn session(status: SessionStatus, at: OffsetDateTime) -> Session {
        serde_json::from_value(row(status, at)).expect("a session")
    }

    #[test]
    fn a_row_without_what_its_status_requires_is_no_session() {
        let at = time::macros::datetime!(2026-11-20 12:00:00 UTC);
        for (status, required) in [
            (SessionStatus::Creating, &[][..]),
            (SessionStatus::Active, &["meetingId", "meeting", "activatedAt"]),
            (SessionStatus::Ending, &["meetingId"]),
            (SessionStatus::Ended, &["endedAt"]),
            (SessionStatus::Failed, &["endedAt"]),
        ] {
            assert_eq!(session(status, at).status(), status);
            for name in ["meetingId", "meeting", "activatedAt", "checkedAt", "endedAt", "lastLeftAt"] {
                let mut without = row(status, at);
                without[name] = Value::Null;
                let read = serde_json::from_value::<Session>(without);
                assert_eq!(read.is_err(), required.contains(&name), "{status:?} without {name}");
            }
        }
    }
}
