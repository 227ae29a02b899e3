//! A run: one attempt to transcribe a call, from the provider's request to its end (`medzen.transcription_runs`).
//!
//! Chime accepts a start before anything runs: only the event `chime:TranscriptionStarted` says that it does, and
//! `chime:TranscriptionFailed` why it does not (<https://docs.aws.amazon.com/chime-sdk/latest/dg/process-msgs.html>). The text is in the
//! files of a capture, so the run waits for a capture with the purpose `transcription` first.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::id::{RunId, TranscriptId};

/// Starts of one run: where Chime confirms the first one by nothing, it is stopped and started once more.
pub const MAX_ATTEMPTS: u32 = 2;

/// A start that nothing confirms for this long: the lines of the capture say whether it runs.
pub const LOOK_AFTER: Duration = Duration::seconds(30);

/// A start that nothing confirms for this long has failed.
pub const CONFIRM_WITHIN: Duration = Duration::minutes(2);

/// A capture that does not run for this long: the run has failed.
pub const CAPTURE_WITHIN: Duration = Duration::minutes(2);

/// A stop that nothing confirms for this long is sent again: its event was lost, or Chime did not get it.
pub const STOP_AGAIN_AFTER: Duration = Duration::seconds(15);

/// A stop that Chime has not accepted for this long raises an alarm; it is repeated all the same.
pub const STOP_WITHIN: Duration = Duration::seconds(60);

/// How the text is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// While the call is in progress, with captions.
    Live,
    /// After the call, from its sound: where no live engine knows the language.
    Batch,
}

/// The status of a run. All but the last two are open, and a session has at most one open run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It waits for a capture that runs.
    Requested,
    /// Chime was asked to start, and nothing has confirmed it.
    Starting,
    /// Chime transcribes; in batch mode the speech is captured.
    Running,
    /// Chime is to stop.
    Stopping,
    Stopped,
    Failed,
}

impl RunStatus {
    pub const ALL: [Self; 6] =
        [Self::Requested, Self::Starting, Self::Running, Self::Stopping, Self::Stopped, Self::Failed];

    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Requested | Self::Starting | Self::Running | Self::Stopping => true,
            Self::Stopped | Self::Failed => false,
        }
    }

    /// Whether the call's speech is to be captured for it.
    #[must_use]
    pub const fn needs_capture(self) -> bool {
        match self {
            Self::Requested | Self::Starting | Self::Running => true,
            Self::Stopping | Self::Stopped | Self::Failed => false,
        }
    }

    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// Why a run ended, or is to end (`transcription_runs.end_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// The provider stopped it.
    Requested,
    /// A participant refused or revoked consent, or somebody who has not decided is in the call.
    ConsentRevoked,
    CallEnded,
    /// Everyone left the call.
    EveryoneLeft,
    /// The time that one call may be transcribed is over.
    LimitReached,
    /// No capture ran in time, or none could be opened again.
    NoCapture,
    /// Chime refused the request.
    Refused,
    /// Chime reported a failure (`chime:TranscriptionFailed`).
    ChimeFailed,
    /// Chime accepted the start twice, and neither an event nor a line of text followed.
    NoConfirmation,
    /// Chime stopped it and nobody had asked for that.
    StoppedByChime,
    /// A call that was to be transcribed from its start, when the day's budget was used up.
    BudgetUsed,
    /// A call that was to be transcribed from its start, in a language for which there is no engine.
    LanguageUnsupported,
}

impl RunEnd {
    pub const ALL: [Self; 12] = [
        Self::Requested,
        Self::ConsentRevoked,
        Self::CallEnded,
        Self::EveryoneLeft,
        Self::LimitReached,
        Self::NoCapture,
        Self::Refused,
        Self::ChimeFailed,
        Self::NoConfirmation,
        Self::StoppedByChime,
        Self::BudgetUsed,
        Self::LanguageUnsupported,
    ];

    /// Whether a run that ended so has failed.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Requested
            | Self::ConsentRevoked
            | Self::CallEnded
            | Self::EveryoneLeft
            | Self::LimitReached => false,
            Self::NoCapture
            | Self::Refused
            | Self::ChimeFailed
            | Self::NoConfirmation
            | Self::StoppedByChime
            | Self::BudgetUsed
            | Self::LanguageUnsupported => true,
        }
    }

    /// The spelling in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::ConsentRevoked => "consent_revoked",
            Self::CallEnded => "call_ended",
            Self::EveryoneLeft => "everyone_left",
            Self::LimitReached => "limit_reached",
            Self::NoCapture => "no_capture",
            Self::Refused => "refused",
            Self::ChimeFailed => "chime_failed",
            Self::NoConfirmation => "no_confirmation",
            Self::StoppedByChime => "stopped_by_chime",
            Self::BudgetUsed => "budget_used",
            Self::LanguageUnsupported => "language_unsupported",
        }
    }
}

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub id: RunId,
    pub transcript_id: TranscriptId,
    pub mode: Mode,
    pub status: RunStatus,
    /// How often Chime was asked to start.
    pub attempt: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    /// When the status began, or was last confirmed.
    #[serde(with = "time::serde::rfc3339")]
    pub confirmed_at: OffsetDateTime,
    /// When Chime began to transcribe.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Why it ended, or is to end.
    pub end_reason: Option<RunEnd>,
    /// When it is to end, because the time that one call may be transcribed is over.
    #[serde(with = "time::serde::rfc3339::option")]
    pub limit_at: Option<OffsetDateTime>,
}

/// The call around a run, and the open capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Why the call does not allow the run to go on.
    pub forbidden: Option<RunEnd>,
    /// Since when no capture with the purpose `transcription` runs; `None`: one does.
    pub uncaptured_since: Option<OffsetDateTime>,
}

/// A report on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEvent {
    /// The provider, or the call, demands the end.
    Stop(RunEnd),
    /// A capture with the purpose `transcription` runs.
    Captured,
    /// Chime refused to start.
    Refused,
    /// Chime reports that it transcribes, or a line of text shows it.
    Started,
    /// Chime reports a failure.
    Failed,
    /// Chime has stopped, or knows no transcription of the meeting.
    Stopped,
    /// Chime had stopped by itself, and the call goes on.
    Abandoned,
}

/// The requests to Chime that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    None,
    /// `StartMeetingTranscription`; from the second attempt on after a stop.
    Start,
    /// `StopMeetingTranscription`.
    Stop,
}

/// Whether a report of Chime's is about an earlier start or run: it was made before Chime was asked for this one.
#[must_use]
pub fn is_outdated(run: &Run, event: RunEvent, at: OffsetDateTime) -> bool {
    match event {
        RunEvent::Stopped | RunEvent::Failed => run.status.needs_capture() && at < run.confirmed_at,
        RunEvent::Started => at < run.requested_at,
        RunEvent::Stop(_) | RunEvent::Captured | RunEvent::Refused | RunEvent::Abandoned => false,
    }
}

/// Applies a report. `None`: it changes nothing.
#[must_use]
pub fn advance(run: Run, event: RunEvent, at: OffsetDateTime) -> Option<(Run, Effect)> {
    let ended = |reason: RunEnd| {
        let status = if reason.is_failure() { RunStatus::Failed } else { RunStatus::Stopped };
        let at = run.started_at.map_or(at, |began| at.max(began));
        (Run { status, ended_at: Some(at), confirmed_at: at, end_reason: Some(reason), ..run }, Effect::None)
    };
    let changed = |status| Run { status, confirmed_at: at, ..run };
    match (run.status, event) {
        (RunStatus::Stopped | RunStatus::Failed, _)
        | (RunStatus::Requested, RunEvent::Started | RunEvent::Stopped | RunEvent::Abandoned)
        | (RunStatus::Starting, RunEvent::Captured | RunEvent::Abandoned)
        | (
            RunStatus::Running,
            RunEvent::Captured | RunEvent::Refused | RunEvent::Started | RunEvent::Abandoned,
        )
        | (RunStatus::Stopping, RunEvent::Captured | RunEvent::Refused) => None,
        (RunStatus::Requested, RunEvent::Captured) => Some(match run.mode {
            Mode::Live => (Run { attempt: 1, ..changed(RunStatus::Starting) }, Effect::Start),
            Mode::Batch => (Run { started_at: Some(at), ..changed(RunStatus::Running) }, Effect::None),
        }),
        // Chime was asked for nothing yet, and in batch mode never is.
        (RunStatus::Requested, RunEvent::Stop(reason)) => Some(ended(reason)),
        (RunStatus::Starting | RunStatus::Running, RunEvent::Stop(reason)) => Some(match run.mode {
            Mode::Live => (Run { end_reason: Some(reason), ..changed(RunStatus::Stopping) }, Effect::Stop),
            Mode::Batch => ended(reason),
        }),
        // Chime had stopped before: now it is known why.
        (RunStatus::Stopping, RunEvent::Stop(reason)) => {
            (run.end_reason == Some(RunEnd::StoppedByChime)).then(|| ended(reason))
        }
        (RunStatus::Requested | RunStatus::Starting, RunEvent::Refused) => Some(ended(RunEnd::Refused)),
        (RunStatus::Starting, RunEvent::Started) => {
            let started = Some(at.max(run.requested_at));
            Some((Run { started_at: started, ..changed(RunStatus::Running) }, Effect::None))
        }
        // The report of a stop was about an earlier start.
        (RunStatus::Stopping, RunEvent::Started) if run.end_reason == Some(RunEnd::StoppedByChime) => {
            let started_at = Some(run.started_at.unwrap_or(at));
            Some((Run { started_at, end_reason: None, ..changed(RunStatus::Running) }, Effect::None))
        }
        // The start was slower than the stop: it is billed from here on.
        (RunStatus::Stopping, RunEvent::Started) => {
            run.started_at.is_none().then_some((Run { started_at: Some(at), ..run }, Effect::None))
        }
        (_, RunEvent::Failed) => Some(ended(run.end_reason.unwrap_or(RunEnd::ChimeFailed))),
        (RunStatus::Stopping, RunEvent::Stopped) => match run.end_reason {
            // The event comes twice; whether the call has ended is not known yet.
            Some(RunEnd::StoppedByChime) => None,
            reason => Some(ended(reason.unwrap_or(RunEnd::StoppedByChime))),
        },
        (RunStatus::Stopping, RunEvent::Abandoned) => Some(ended(RunEnd::StoppedByChime)),
        // The stop before the second start.
        (RunStatus::Starting, RunEvent::Stopped) if run.attempt > 1 => None,
        // With its meeting, perhaps, whose end is reported a moment later.
        (RunStatus::Starting | RunStatus::Running, RunEvent::Stopped) => {
            let reason = Some(RunEnd::StoppedByChime);
            Some((Run { end_reason: reason, ..changed(RunStatus::Stopping) }, Effect::None))
        }
    }
}

/// The step of a run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// The event is to be applied.
    Apply(RunEvent),
    /// The lines of the capture say whether it runs.
    Look,
    /// Chime is asked to start once more.
    Restart,
    /// Chime is asked to stop once more; `alarm`: it has not for a while.
    StopAgain {
        alarm: bool,
    },
}

/// Compares a run with the call. Each status but the final ones has a deadline here.
#[must_use]
pub fn due(run: &Run, around: Surroundings, now: OffsetDateTime) -> Due {
    let since = now - run.confirmed_at;
    let captured = around.uncaptured_since.is_none();
    let uncaptured =
        around.uncaptured_since.map_or(Duration::ZERO, |since| now - since.max(run.confirmed_at));
    let stopped_by_chime =
        run.status == RunStatus::Stopping && run.end_reason == Some(RunEnd::StoppedByChime);
    if (run.status.needs_capture() || stopped_by_chime)
        && let Some(reason) = around.forbidden
    {
        return Due::Apply(RunEvent::Stop(reason));
    }
    match run.status {
        RunStatus::Requested if captured => Due::Apply(RunEvent::Captured),
        RunStatus::Starting if since >= CONFIRM_WITHIN && run.attempt < MAX_ATTEMPTS => Due::Restart,
        RunStatus::Starting if since >= CONFIRM_WITHIN => Due::Apply(RunEvent::Stop(RunEnd::NoConfirmation)),
        RunStatus::Starting if since >= LOOK_AFTER => Due::Look,
        RunStatus::Running if run.limit_at.is_some_and(|limit| now >= limit) => {
            Due::Apply(RunEvent::Stop(RunEnd::LimitReached))
        }
        // After a change of purposes another capture follows within seconds.
        RunStatus::Requested | RunStatus::Running if uncaptured >= CAPTURE_WITHIN => {
            Due::Apply(RunEvent::Stop(RunEnd::NoCapture))
        }
        RunStatus::Stopping if stopped_by_chime && since >= STOP_WITHIN => Due::Apply(RunEvent::Abandoned),
        RunStatus::Stopping if stopped_by_chime => Due::Nothing,
        RunStatus::Stopping if since >= STOP_AGAIN_AFTER => Due::StopAgain { alarm: since >= STOP_WITHIN },
        RunStatus::Requested
        | RunStatus::Starting
        | RunStatus::Running
        | RunStatus::Stopping
        | RunStatus::Stopped
        | RunStatus::Failed => Due::Nothing,
    }
}

/// A run whose start nothing confirmed, started once more.
#[must_use]
pub const fn restart(run: Run, now: OffsetDateTime) -> (Run, Effect) {
    (Run { attempt: run.attempt + 1, confirmed_at: now, ..run }, Effect::Start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

    fn run(mode: Mode, status: RunStatus) -> Run {
        let started = matches!(status, RunStatus::Running);
        Run {
            id: "7d9f1c5e-0000-4000-8000-000000000001".parse().expect("an id"),
            transcript_id: "7d9f1c5e-0000-4000-8000-000000000002".parse().expect("an id"),
            mode,
            status,
            attempt: u32::from(status != RunStatus::Requested),
            requested_at: NOW - Duration::seconds(10),
            confirmed_at: NOW,
            started_at: started.then_some(NOW),
            ended_at: None,
            end_reason: (status == RunStatus::Stopping).then_some(RunEnd::Requested),
            limit_at: None,
        }
    }

    const FINE: Surroundings = Surroundings { forbidden: None, uncaptured_since: None };

    #[test]
    fn a_live_run_waits_for_its_capture_and_runs_only_when_chime_says_so() {
        let requested = run(Mode::Live, RunStatus::Requested);
        assert_eq!(advance(requested, RunEvent::Started, NOW), None, "nothing was started");
        let (starting, effect) = advance(requested, RunEvent::Captured, NOW).expect("a change");
        assert_eq!((starting.status, starting.attempt, effect), (RunStatus::Starting, 1, Effect::Start));
        let (running, effect) = advance(starting, RunEvent::Started, NOW).expect("a change");
        assert_eq!(
            (running.status, running.started_at, effect),
            (RunStatus::Running, Some(NOW), Effect::None)
        );
        let (stopping, effect) = advance(running, RunEvent::Stop(RunEnd::Requested), NOW).expect("a change");
        assert_eq!((stopping.status, effect), (RunStatus::Stopping, Effect::Stop));
        let (stopped, _) = advance(stopping, RunEvent::Stopped, NOW).expect("a change");
        assert_eq!((stopped.status, stopped.end_reason), (RunStatus::Stopped, Some(RunEnd::Requested)));
    }

    #[test]
    fn a_start_that_nothing_confirms_is_looked_for_restarted_once_and_given_up() {
        let starting = run(Mode::Live, RunStatus::Starting);
        let after = |run: &Run, seconds| due(run, FINE, NOW + Duration::seconds(seconds));
        assert_eq!(after(&starting, 29), Due::Nothing);
        assert_eq!(after(&starting, 30), Due::Look);
        assert_eq!(after(&starting, 120), Due::Restart);
        let (again, effect) = restart(starting, NOW);
        assert_eq!((again.attempt, again.status, effect), (2, RunStatus::Starting, Effect::Start));
        assert_eq!(after(&again, 120), Due::Apply(RunEvent::Stop(RunEnd::NoConfirmation)));
        let stop = RunEvent::Stop(RunEnd::NoConfirmation);
        let (stopping, effect) = advance(again, stop, NOW).expect("a change");
        assert_eq!(effect, Effect::Stop);
        let (failed, _) = advance(stopping, RunEvent::Stopped, NOW).expect("a change");
        assert_eq!((failed.status, failed.end_reason), (RunStatus::Failed, Some(RunEnd::NoConfirmation)));
    }

    #[test]
    fn a_revocation_and_the_limit_stop_a_run_and_a_lost_capture_fails_it() {
        let running = Run { limit_at: Some(NOW + Duration::hours(1)), ..run(Mode::Live, RunStatus::Running) };
        let forbidden = Surroundings { forbidden: Some(RunEnd::ConsentRevoked), ..FINE };
        assert_eq!(due(&running, forbidden, NOW), Due::Apply(RunEvent::Stop(RunEnd::ConsentRevoked)));
        assert_eq!(due(&running, FINE, NOW + Duration::minutes(59)), Due::Nothing);
        let limit = RunEvent::Stop(RunEnd::LimitReached);
        assert_eq!(due(&running, FINE, NOW + Duration::hours(1)), Due::Apply(limit));
        let switched = NOW + Duration::minutes(10);
        let without = Surroundings { forbidden: None, uncaptured_since: Some(switched) };
        assert_eq!(due(&running, without, switched + Duration::seconds(119)), Due::Nothing);
        let lost = RunEvent::Stop(RunEnd::NoCapture);
        assert_eq!(due(&running, without, switched + Duration::seconds(120)), Due::Apply(lost));
    }

    #[test]
    fn a_stop_that_nobody_asked_for_is_the_end_of_the_call_or_a_failure() {
        let running = run(Mode::Live, RunStatus::Running);
        let (stopping, effect) = advance(running, RunEvent::Stopped, NOW).expect("a change");
        assert_eq!((stopping.status, effect), (RunStatus::Stopping, Effect::None));
        assert_eq!(advance(stopping, RunEvent::Stopped, NOW), None, "the event comes twice");
        let over = Surroundings { forbidden: Some(RunEnd::CallEnded), ..FINE };
        let ended = RunEvent::Stop(RunEnd::CallEnded);
        assert_eq!(due(&stopping, over, NOW), Due::Apply(ended));
        let (stopped, _) = advance(stopping, ended, NOW).expect("a change");
        assert_eq!((stopped.status, stopped.end_reason), (RunStatus::Stopped, Some(RunEnd::CallEnded)));
        assert_eq!(due(&stopping, FINE, NOW + Duration::seconds(59)), Due::Nothing);
        let abandoned = Due::Apply(RunEvent::Abandoned);
        assert_eq!(due(&stopping, FINE, NOW + Duration::seconds(60)), abandoned);
        let (failed, _) = advance(stopping, RunEvent::Abandoned, NOW).expect("a change");
        assert_eq!((failed.status, failed.end_reason), (RunStatus::Failed, Some(RunEnd::StoppedByChime)));
    }

    #[test]
    fn a_late_report_of_an_earlier_start_is_no_end_of_this_one() {
        let starting = run(Mode::Live, RunStatus::Starting);
        let before = NOW - Duration::seconds(1);
        assert!(
            is_outdated(&starting, RunEvent::Stopped, before)
                && is_outdated(&starting, RunEvent::Failed, before)
        );
        assert!(!is_outdated(&starting, RunEvent::Stopped, NOW));
        let (doubtful, _) = advance(starting, RunEvent::Stopped, NOW).expect("a change");
        let (running, effect) = advance(doubtful, RunEvent::Started, NOW).expect("a change");
        assert_eq!(
            (running.status, running.started_at, running.end_reason, effect),
            (RunStatus::Running, Some(NOW), None, Effect::None)
        );
    }

    #[test]
    fn a_stop_that_nothing_confirms_is_sent_again_and_raises_an_alarm() {
        let stopping = run(Mode::Live, RunStatus::Stopping);
        let after = |seconds| due(&stopping, FINE, NOW + Duration::seconds(seconds));
        assert_eq!(after(14), Due::Nothing);
        assert_eq!(after(15), Due::StopAgain { alarm: false });
        assert_eq!(after(60), Due::StopAgain { alarm: true });
    }

    #[test]
    fn a_batch_run_asks_chime_for_nothing() {
        let requested = run(Mode::Batch, RunStatus::Requested);
        let (running, effect) = advance(requested, RunEvent::Captured, NOW).expect("a change");
        assert_eq!((running.status, effect), (RunStatus::Running, Effect::None));
        let (stopped, effect) = advance(running, RunEvent::Stop(RunEnd::CallEnded), NOW).expect("a change");
        assert_eq!((stopped.status, effect), (RunStatus::Stopped, Effect::None));
    }

    proptest! {
        /// Any reports in any order: a final status stays, an ended run says when and why, and it never ends before it began.
        #[test]
        fn an_ended_run_stays_as_it_ended(
            batch in any::<bool>(),
            reports in prop::collection::vec((0_usize..15, -100_i64..1000), 1..20),
        ) {
            let mode = if batch { Mode::Batch } else { Mode::Live };
            let mut current = run(mode, RunStatus::Requested);
            for (which, seconds) in reports {
                let event = match which {
                    0 => RunEvent::Captured,
                    1 => RunEvent::Refused,
                    2 => RunEvent::Started,
                    3 => RunEvent::Failed,
                    4 => RunEvent::Stopped,
                    5 => RunEvent::Abandoned,
                    other => RunEvent::Stop(RunEnd::ALL[other % RunEnd::ALL.len()]),
                };
                let before = current;
                if let Some((after, effect)) = advance(current, event, NOW + Duration::seconds(seconds)) {
                    prop_assert!(before.status.is_open());
                    prop_assert!(mode == Mode::Live || effect == Effect::None);
                    current = after;
                }
                prop_assert_eq!(current.status.is_open(), current.ended_at.is_none());
                prop_assert!(current.status.is_open() || current.end_reason.is_some());
                if let Some((began, ended)) = current.started_at.zip(current.ended_at) {
                    prop_assert!(began <= ended);
                }
            }
        }
    }
}
