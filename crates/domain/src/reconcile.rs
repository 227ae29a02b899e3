//! Decides what an open session needs when no request works on it any more.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use crate::id::{ChimeMeetingId, SessionId};
use crate::state::SessionStatus;

/// A start and an end take seconds; a session that has not changed for this long was left by a request that died.
pub const STUCK_AFTER: Duration = Duration::seconds(30);

/// How long an active call stays unverified. Chime ends a meeting that nobody is connected to after the same time.
pub const VERIFY_AFTER: Duration = Duration::minutes(5);

/// An open session, as the reconciler reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StalledSession {
    pub id: SessionId,
    pub status: SessionStatus,
    /// The only region in which the meeting can be read or deleted.
    pub control_region: String,
    /// The meeting, once it is known.
    pub meeting_id: Option<ChimeMeetingId>,
    /// When the status or the attempt to create the meeting last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When the meeting was last known to be live: activated, or verified.
    #[serde(with = "time::serde::rfc3339::option")]
    pub alive_at: Option<OffsetDateTime>,
    /// When the last participant disconnected, if nobody is connected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_left_at: Option<OffsetDateTime>,
}

/// The reconciler's action on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairAction {
    /// Set it to `failed`. The token is never replayed: no client would join that meeting, and Chime ends it after
    /// five minutes without participants; none of its tokens was handed out.
    FailStart,
    /// Ask Chime whether the meeting is live.
    VerifyMeeting(ChimeMeetingId),
    /// Nothing: a request works on it, or it has ended.
    Skip,
}

/// Decides what a session needs.
#[must_use]
pub fn decide(session: &StalledSession, now: OffsetDateTime) -> RepairAction {
    let stuck = now - session.updated_at >= STUCK_AFTER;
    match session.status {
        SessionStatus::Creating if stuck => RepairAction::FailStart,
        SessionStatus::Active => {
            let unverified = session.alive_at.is_none_or(|alive| now - alive >= VERIFY_AFTER);
            let empty =
                session.last_left_at.is_some_and(|last_left_seconds| now - last_left_seconds >= VERIFY_AFTER);
            match session.meeting_id {
                Some(meeting) if unverified || empty => RepairAction::VerifyMeeting(meeting),
                _ => RepairAction::Skip,
            }
        }
        SessionStatus::Creating | SessionStatus::Ending | SessionStatus::Ended | SessionStatus::Failed => {
            RepairAction::Skip
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00:00 UTC);

    fn meeting() -> ChimeMeetingId {
        "7d9f1c5e-0000-4000-8000-0000000000aa".parse().expect("a UUID")
    }

    fn session(status: SessionStatus, updated: i64, alive: Option<i64>) -> StalledSession {
        StalledSession {
            id: "7d9f1c5e-0000-4000-8000-000000000001".parse().expect("a UUID"),
            status,
            control_region: "us-east-1".to_owned(),
            meeting_id: Some(meeting()),
            updated_at: NOW - Duration::seconds(updated),
            alive_at: alive.map(|seconds| NOW - Duration::seconds(seconds)),
            last_left_at: None,
        }
    }

    #[test]
    fn a_start_fails_after_thirty_seconds_without_progress() {
        let decided = |seconds| decide(&session(SessionStatus::Creating, seconds, None), NOW);
        assert_eq!(decided(29), RepairAction::Skip);
        assert_eq!(decided(30), RepairAction::FailStart);
        assert_eq!(decided(-5), RepairAction::Skip, "updated by a clock that is ahead");
    }

    #[test]
    fn an_active_call_is_verified_every_five_minutes() {
        let action = |alive| decide(&session(SessionStatus::Active, 86_400, alive), NOW);
        assert_eq!(action(Some(299)), RepairAction::Skip);
        assert_eq!(action(Some(300)), RepairAction::VerifyMeeting(meeting()));
        assert_eq!(action(None), RepairAction::VerifyMeeting(meeting()));
    }

    #[test]
    fn a_call_that_every_participant_left_is_verified_after_five_minutes() {
        let action = |last_left_seconds| {
            let last_left_at = Some(NOW - Duration::seconds(last_left_seconds));
            decide(&StalledSession { last_left_at, ..session(SessionStatus::Active, 86_400, Some(10)) }, NOW)
        };
        assert_eq!(action(299), RepairAction::Skip);
        assert_eq!(action(300), RepairAction::VerifyMeeting(meeting()));
    }

    #[test]
    fn ended_sessions_are_skipped() {
        for status in [SessionStatus::Ending, SessionStatus::Ended, SessionStatus::Failed] {
            assert_eq!(decide(&session(status, 86_400, None), NOW), RepairAction::Skip);
        }
    }
}
