//! What is to be done about a session that nobody moves any more.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use crate::id::{ChimeMeetingId, SessionId};
use crate::state::SessionStatus;

/// A start and an end take seconds; what has not updated for so long was left behind by a request that died.
pub const STUCK_AFTER: Duration = Duration::seconds(30);

/// How long an active call goes on unverified. Chime ends a meeting that nobody is connected to after as long.
pub const VERIFY_AFTER: Duration = Duration::minutes(5);

/// An open session, as a run of the reconciler sees it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StalledSession {
    /// Its id.
    pub id: SessionId,
    /// Its state.
    pub status: SessionStatus,
    /// The only region in which its meeting can be asked for or ended.
    pub control_region: String,
    /// Its meeting, once it is known.
    pub meeting_id: Option<ChimeMeetingId>,
    /// When its state, or the attempt to make its meeting, last updated.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When its meeting was last known to live: activated, or asked for.
    #[serde(with = "time::serde::rfc3339::option")]
    pub alive_at: Option<OffsetDateTime>,
    /// When the last one left, if nobody is connected.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_left_at: Option<OffsetDateTime>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairAction {
    /// It becomes failed. Its token is never replayed: nobody would be there to take the meeting, which ends by itself
    /// after five minutes, its tokens never handed out.
    FailStart,
    /// Ask Chime whether its meeting lives.
    VerifyMeeting(ChimeMeetingId),
    /// It is in good hands, or over.
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
            let empty = session.last_left_at.is_some_and(|emptied| now - emptied >= VERIFY_AFTER);
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
        let asked = |alive| decide(&session(SessionStatus::Active, 86_400, alive), NOW);
        assert_eq!(asked(Some(299)), RepairAction::Skip);
        assert_eq!(asked(Some(300)), RepairAction::VerifyMeeting(meeting()));
        assert_eq!(asked(None), RepairAction::VerifyMeeting(meeting()));
    }

    #[test]
    fn a_call_that_every_participant_left_is_verified_after_five_minutes() {
        let asked = |emptied| {
            let last_left_at = Some(NOW - Duration::seconds(emptied));
            decide(&StalledSession { last_left_at, ..session(SessionStatus::Active, 86_400, Some(10)) }, NOW)
        };
        assert_eq!(asked(299), RepairAction::Skip);
        assert_eq!(asked(300), RepairAction::VerifyMeeting(meeting()));
    }

    #[test]
    fn ended_sessions_are_skipped() {
        for status in [SessionStatus::Ending, SessionStatus::Ended, SessionStatus::Failed] {
            assert_eq!(decide(&session(status, 86_400, None), NOW), RepairAction::Skip);
        }
    }
}
