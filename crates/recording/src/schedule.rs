//! The schedule: each minute it takes the steps whose events or requests were lost, executes what is due, and finds what is stuck.

use std::time::Duration as StdDuration;

use domain::Error;
use domain::audit::Origin;
use domain::call::SessionOf;
use domain::error::{causes, reason};
use domain::id::CaptureId;
use domain::operation::{Action, Executed, LEASE, ON_HOLD_AGAIN_AFTER, Operation, PendingOperation};
use domain::recording::capture::CaptureStatus;
use domain::recording::deadline::{self, Overdue};
use runtime::metrics::{self, Metric};
use runtime::within;
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use crate::App;
use crate::orphans::{rotated, run_number};
use crate::pipelines::Fresh;
use crate::segments::Outcome;
use crate::steps::StepsTaken;

/// Sessions of one run: four times the calls that the throttle of Chime's API carries at once.
const MAX_SESSIONS: i64 = 1000;
/// Sessions and segments for which a run has time for certain: each begins so many further on.
const SESSIONS_STEP: usize = 20;
const SEGMENTS_STEP: usize = 20;
/// Operations on captures that are leased at once. Each is one request to Chime.
const MAX_CAPTURE_OPERATIONS: i64 = 10;
/// Segments and recordings of one run that are past a deadline.
const MAX_OVERDUE: i64 = 1000;
/// The shortest deadline of a segment's state after which Chime is asked, and of a recording's.
const SEGMENT_OVERDUE: Duration = Duration::minutes(10);
const RECORDING_OVERDUE: Duration = Duration::hours(1);

/// The shares of a run's time, from its beginning: the function has 120 s. What is cut off at the end of its share is continued by
/// the next run, as after a crash.
const SESSIONS_UNTIL: StdDuration = StdDuration::from_secs(40);
/// A session whose pipeline Chime does not show leaves time for the others.
const MAX_SESSION: StdDuration = StdDuration::from_secs(10);
const CAPTURE_OPERATIONS_UNTIL: StdDuration = StdDuration::from_secs(50);
const OVERDUE_UNTIL: StdDuration = StdDuration::from_mins(1);
/// No step on a segment begins later; the last one may take until the second.
const SEGMENT_OPERATIONS_UNTIL: StdDuration = StdDuration::from_secs(70);
const SEGMENT_OPERATIONS_END: StdDuration = StdDuration::from_secs(95);
const PREFIXES_UNTIL: StdDuration = StdDuration::from_secs(102);
const ORPHANS_UNTIL: StdDuration = StdDuration::from_secs(112);
/// All pipelines of the account are looked at once in so many minutes: it takes a request for each.
const ORPHANS_EVERY_MINUTES: u8 = 5;

/// A step on a segment may copy or delete for a minute: its lease is longer than the function's timeout of 120 s.
const SEGMENT_LEASE: Duration = Duration::seconds(150);

const CAPTURE_KINDS: [Operation; 2] = [Operation::StopCapture, Operation::StartCapture];
const SEGMENT_KINDS: [Operation; 5] = [
    Operation::VerifySegment,
    Operation::Concatenate,
    Operation::ApplyHold,
    Operation::DeleteChunks,
    Operation::DeleteRecording,
];

/// Whether a capture has been stopping for longer than it may.
fn is_stuck(since: OffsetDateTime, now: OffsetDateTime) -> bool {
    let deadlines = deadline::of_capture(CaptureStatus::Stopping);
    deadline::passed(deadlines, since, now) == Some(Overdue::Alarm)
}

/// The findings of a run.
#[derive(Debug, Default)]
struct Report {
    /// Captures, segments and recordings that are past a deadline.
    stuck: u64,
    /// Captures that go on although their stop was requested a minute ago because of a refusal.
    not_stopped: u64,
    /// The last failure.
    failure: Option<Error>,
}

impl Report {
    /// Keeps a failure, which stops no other work.
    fn note<T, E: Into<Error>>(&mut self, outcome: Result<T, E>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure = Some(error.into());
                None
            }
        }
    }
}

impl App {
    /// One run. Each part has its share of the time, and what alarms need is reported before anything that may take long.
    ///
    /// # Errors
    /// The last failure, once everything else is done.
    pub(crate) async fn run(&self, origin: &Origin) -> Result<(), Error> {
        let began = Instant::now();
        let mut report = Report::default();
        self.take_due_steps(began + SESSIONS_UNTIL, &mut report, origin).await;
        metrics::emit(&[(Metric::CapturesNotStopped, report.not_stopped)]);
        let until = began + CAPTURE_OPERATIONS_UNTIL;
        report.note(Box::pin(within(until, self.run_capture_operations(until, origin))).await);
        Box::pin(self.handle_overdue(began + OVERDUE_UNTIL, &mut report, origin)).await;
        let executor = Operation::StartCapture.executor();
        let exhausted = report.note(self.calls.store().count_exhausted_operations(executor).await);
        metrics::emit(&[(Metric::CapturesStuck, report.stuck)]);
        if let Some(exhausted) = exhausted {
            metrics::emit(&[(Metric::PendingOperationsExhausted, exhausted)]);
        }
        report.note(self.expire(origin).await);
        let (until, end) = (began + SEGMENT_OPERATIONS_UNTIL, began + SEGMENT_OPERATIONS_END);
        report.note(Box::pin(self.run_segment_operations((until, end), origin)).await);
        let until = began + PREFIXES_UNTIL;
        report.note(within(until, self.search_prefixes(until, origin)).await);
        let mut orphans = 0;
        if origin.now.minute().is_multiple_of(ORPHANS_EVERY_MINUTES) {
            let until = began + ORPHANS_UNTIL;
            orphans = report
                .note(
                    within(until, self.delete_orphans(until, run_number(origin.now, ORPHANS_EVERY_MINUTES)))
                        .await,
                )
                .unwrap_or(0);
        }
        metrics::emit(&[(Metric::OrphanPipelines, orphans)]);
        let Report { stuck, not_stopped, failure } = report;
        tracing::info!(stuck, not_stopped, orphans, exhausted, "recordings compared");
        failure.map_or(Ok(()), Err)
    }

    /// Takes the steps of the sessions that are due: first of those whose capture is to stop.
    async fn take_due_steps(&self, until: Instant, report: &mut Report, origin: &Origin) {
        let Some(due) = report.note(self.calls.store().due_captures(MAX_SESSIONS).await) else { return };
        let run = run_number(origin.now, 1);
        let (stopping, other): (Vec<_>, Vec<_>) = due.into_iter().partition(|due| due.stops);
        for due in stopping.into_iter().chain(rotated(other, SESSIONS_STEP, run)) {
            if Instant::now() >= until {
                tracing::warn!("time for captures is over, the rest is left for the next run");
                break;
            }
            let target =
                SessionOf { appointment: due.session.appointment_id, session: due.session.session_id };
            let end = until.min(Instant::now() + MAX_SESSION);
            match within(end, self.take_steps(target, None, origin)).await {
                Ok(StepsTaken { stuck, not_stopped, failure, .. }) => {
                    report.failure = failure.or(report.failure.take());
                    report.stuck += u64::from(stuck);
                    report.not_stopped += u64::from(not_stopped);
                }
                Err(error) => {
                    let is_stuck = due.stops && is_stuck(due.since, origin.now);
                    report.stuck += u64::from(is_stuck);
                    report.not_stopped += u64::from(is_stuck && due.revoked);
                    tracing::warn!(session = %due.session.session_id, error = causes(&error), "captures not compared, will retry");
                    report.failure = Some(error);
                }
            }
        }
    }

    /// Follows up segments and recordings that are past a deadline.
    async fn handle_overdue(&self, until: Instant, report: &mut Report, origin: &Origin) {
        let store = self.calls.store();
        let segments = report.note(store.due_segments(origin.now - SEGMENT_OVERDUE, MAX_OVERDUE).await);
        for capture in rotated(segments.unwrap_or_default(), SEGMENTS_STEP, run_number(origin.now, 1)) {
            if Instant::now() >= until {
                break;
            }
            let stuck = Box::pin(within(until, self.follow_up(capture, origin))).await;
            report.stuck += u64::from(report.note(stuck).unwrap_or_default());
        }
        let recordings = report.note(store.due_recordings(origin.now - RECORDING_OVERDUE, MAX_OVERDUE).await);
        for recording in recordings.unwrap_or_default() {
            if Instant::now() >= until {
                break;
            }
            let stuck = within(until, self.follow_up_recording(&recording, origin)).await;
            report.stuck += u64::from(report.note(stuck).unwrap_or_default());
        }
    }

    /// Executes due starts and stops of captures until `until`.
    async fn run_capture_operations(&self, until: Instant, origin: &Origin) -> Result<(), Error> {
        let executor = Operation::StartCapture.executor();
        let began = Instant::now();
        while Instant::now() < until {
            let due = self
                .calls
                .store()
                .lease_operations(
                    executor,
                    &CAPTURE_KINDS,
                    (MAX_CAPTURE_OPERATIONS, LEASE),
                    origin.now + began.elapsed(),
                )
                .await?;
            if due.is_empty() {
                break;
            }
            for operation in due {
                if let Err(error) = self.execute_on_capture(&operation, origin).await {
                    self.calls.release(&operation, &error, origin).await;
                }
            }
        }
        Ok(())
    }

    async fn execute_on_capture(&self, operation: &PendingOperation, origin: &Origin) -> Result<(), Error> {
        let capture: CaptureId = operation.target.parse().map_err(Error::internal)?;
        let found = self.calls.store().find_pipeline(None, Some(capture)).await?;
        let found = found.ok_or_else(|| Error::internal("an operation on a capture that there is not"))?;
        let target = SessionOf { appointment: found.appointment_id, session: found.session_id };
        self.execute_capture(target, operation, Fresh::No, origin).await.map(drop)
    }

    /// Executes due operations on segments, one at a time, because one may take most of a lease: begins none after the first moment, and
    /// gives up the last at the second.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn run_segment_operations(
        &self,
        (until, end): (Instant, Instant),
        origin: &Origin,
    ) -> Result<(), Error> {
        let executor = Operation::Concatenate.executor();
        let began = Instant::now();
        while Instant::now() < until {
            let now = origin.now + began.elapsed();
            let due = self
                .calls
                .store()
                .lease_operations(executor, &SEGMENT_KINDS, (1, SEGMENT_LEASE), now)
                .await?;
            let Some(operation) = due.into_iter().next() else { break };
            match Box::pin(within(end, self.execute_on_segment(&operation, origin))).await {
                Ok(Outcome::Done) => {
                    // The payload of a hold may have changed meanwhile: then it is executed again.
                    let executed = Executed { id: operation.id, payload: Some(operation.payload) };
                    self.calls.store().complete_operations(&[executed], origin.now).await?;
                }
                Ok(Outcome::OnHold) => {
                    let due = origin.now + ON_HOLD_AGAIN_AFTER;
                    self.calls
                        .store()
                        .postpone_operation(operation.id, due, reason::RECORDING_ON_HOLD.code)
                        .await?;
                }
                // The next run continues.
                Ok(Outcome::Unfinished) => {
                    self.calls.store().return_operations(&[operation.id]).await?;
                    break;
                }
                Err(error) => self.calls.release(&operation, &error, origin).await,
            }
        }
        Ok(())
    }

    async fn execute_on_segment(
        &self,
        operation: &PendingOperation,
        origin: &Origin,
    ) -> Result<Outcome, Error> {
        match operation.action()? {
            Action::Concatenate(capture, _) => self.concatenate(capture, origin).await,
            Action::VerifySegment(capture, _) => self.verify(capture, origin).await,
            Action::DeleteChunks(capture, _) => self.delete_chunks(capture, origin).await,
            Action::DeleteRecording(recording, _) => self.delete_files(recording, origin).await,
            Action::ApplyHold(appointment, pass) => self.apply_hold(appointment, &pass, origin).await,
            Action::DeleteAttendee(..)
            | Action::UpdateCapabilities(..)
            | Action::DeleteMeeting(..)
            | Action::VerifyMeeting(..)
            | Action::PublishEvent(_)
            | Action::StartCapture(..)
            | Action::StopCapture(..)
            | Action::StartTranscription(..)
            | Action::StopTranscription(..)
            | Action::TakeText(_)
            | Action::CompleteTranscript(_)
            | Action::DeleteTranscript(_)
            | Action::StartBatchJob(_)
            | Action::CheckBatchJob(_)
            | Action::FindEntities(_) => Err(Error::internal("an operation of another kind was leased")),
        }
    }
}
