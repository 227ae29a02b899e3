//! The schedule: each minute it takes the steps whose events or requests were lost, executes what is due, and finds what is stuck.

use std::time::Duration as StdDuration;

use chime::PipelineStatus;
use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::id::CaptureId;
use domain::operation::{Action, Executed, LEASE, Operation, PendingOperation};
use runtime::metrics::{self, Metric};
use time::Duration;
use tokio::time::Instant;

use crate::App;
use crate::pipelines::{Fresh, capture_of};
use crate::segments::Outcome;
use crate::steps::{StepsTaken, Target};

/// Sessions of one run: four times the calls that the throttle of Chime's API carries at once.
const MAX_SESSIONS: i64 = 1000;
/// Operations on captures that are leased at once. Each is one request to Chime.
const MAX_CAPTURE_OPERATIONS: i64 = 10;
/// Segments of one run whose events were lost.
const MAX_SEGMENTS: i64 = 100;
/// The shortest deadline of a segment's state after which Chime is asked.
const SEGMENT_OVERDUE: Duration = Duration::minutes(10);
/// Sessions are compared for this long, and operations executed until then: the function has 120 s.
const SESSIONS_UNTIL: StdDuration = StdDuration::from_secs(40);
const OPERATIONS_UNTIL: StdDuration = StdDuration::from_secs(80);
/// Orphan pipelines are looked for until then; a request may take 8 s more.
const ORPHANS_UNTIL: StdDuration = StdDuration::from_secs(100);
/// All pipelines of the account are looked at once in so many minutes: it takes a request for each.
const ORPHANS_EVERY_MINUTES: u8 = 5;

/// A step on a segment may copy or delete for a minute: its lease is longer than the function's timeout of 120 s.
const SEGMENT_LEASE: Duration = Duration::seconds(150);
/// Chunks without a row are counted once a day: it lists all prefixes.
const PREFIXES_AT_HOUR: u8 = 3;

const CAPTURE_KINDS: [Operation; 2] = [Operation::StopCapture, Operation::StartCapture];
const SEGMENT_KINDS: [Operation; 4] =
    [Operation::VerifySegment, Operation::Concatenate, Operation::DeleteChunks, Operation::DeleteRecording];

impl App {
    /// One run.
    ///
    /// # Errors
    /// The last failure, once everything else is done.
    pub(crate) async fn run(&self, origin: &Origin) -> Result<(), Error> {
        let began = Instant::now();
        let (mut stuck, mut not_stopped, mut failure) = (0, 0, None);
        for due in self.calls.store().due_captures(MAX_SESSIONS).await? {
            if began.elapsed() >= SESSIONS_UNTIL {
                tracing::warn!("time for captures is over, the rest is left for the next run");
                break;
            }
            let target = Target { appointment: due.appointment_id, session: due.session_id };
            match self.take_steps(target, None, origin).await {
                Ok(StepsTaken { stuck: one, not_stopped: running, failure: unasked, .. }) => {
                    failure = unasked.or(failure);
                    stuck += u64::from(one);
                    not_stopped += u64::from(running);
                }
                Err(error) => {
                    tracing::warn!(session = %due.session_id, error = causes(&error), "captures not compared, will retry");
                    failure = Some(error);
                }
            }
        }
        // At once: the run may be cut off while Chime does not answer.
        metrics::emit(&[(Metric::CapturesNotStopped, not_stopped)]);
        self.run_capture_operations(began + OPERATIONS_UNTIL, origin).await?;
        for capture in self.calls.store().due_segments(origin.now - SEGMENT_OVERDUE, MAX_SEGMENTS).await? {
            if began.elapsed() >= OPERATIONS_UNTIL {
                break;
            }
            match self.follow_up(capture, origin).await {
                Ok(is_stuck) => stuck += u64::from(is_stuck),
                Err(error) => failure = Some(error),
            }
        }
        if let Err(error) = self.expire(origin).await {
            failure = Some(error);
        }
        self.run_segment_operations(began + OPERATIONS_UNTIL, origin).await?;
        if origin.now.hour() == PREFIXES_AT_HOUR
            && origin.now.minute() == 0
            && let Err(error) = self.count_unknown_prefixes().await
        {
            failure = Some(error);
        }
        let mut orphans = 0;
        if origin.now.minute().is_multiple_of(ORPHANS_EVERY_MINUTES) {
            match self.delete_orphans(began + ORPHANS_UNTIL).await {
                Ok(deleted) => orphans = deleted,
                Err(error) => failure = Some(error),
            }
        }
        let executor = Operation::StartCapture.executor();
        let exhausted = self.calls.store().count_exhausted_operations(executor).await?;
        metrics::emit(&[
            (Metric::CapturesStuck, stuck),
            (Metric::OrphanPipelines, orphans),
            (Metric::PendingOperationsExhausted, exhausted),
        ]);
        tracing::info!(stuck, not_stopped, orphans, exhausted, "recordings compared");
        failure.map_or(Ok(()), Err)
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
        let target = Target { appointment: found.appointment_id, session: found.session_id };
        self.execute_capture(target, operation, Fresh::No, origin).await.map(drop)
    }

    /// Executes due operations on segments, one at a time, because one may take most of a lease.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn run_segment_operations(&self, until: Instant, origin: &Origin) -> Result<(), Error> {
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
            let action = match operation.action() {
                Ok(action) => action,
                Err(error) => {
                    self.calls.release(&operation, &error, origin).await;
                    continue;
                }
            };
            let outcome = match action {
                Action::Concatenate(capture, _) => self.concatenate(capture, origin).await,
                Action::VerifySegment(capture, _) => self.verify(capture, origin).await,
                Action::DeleteChunks(capture, _) => self.delete_chunks(capture, origin).await,
                Action::DeleteRecording(recording, _) => self.delete_files(recording, origin).await,
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
                | Action::DeleteTranscript(_) => {
                    Err(Error::internal("an operation of another kind was leased"))
                }
            };
            match outcome {
                Ok(Outcome::Done) => {
                    let executed = Executed { id: operation.id, payload: None };
                    self.calls.store().complete_operations(&[executed], origin.now).await?;
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

    /// Deletes media pipelines whose sink is in our bucket and whose capture is not open, and returns how many.
    async fn delete_orphans(&self, until: Instant) -> Result<u64, Error> {
        let region = &self.region;
        let mut deleted = 0;
        for id in self.calls.pipelines().list(region).await? {
            if Instant::now() >= until {
                break;
            }
            let Some(pipeline) = self.calls.pipelines().get(region, id).await? else { continue };
            match pipeline.status {
                PipelineStatus::Starting | PipelineStatus::Running | PipelineStatus::Failed => {}
                // Chime lists it for some minutes more.
                PipelineStatus::Stopping | PipelineStatus::Stopped => continue,
            }
            let capture = pipeline.sink_arn.as_deref().and_then(|sink| capture_of(&self.bucket_arn, sink));
            let Some(capture) = capture else { continue };
            let found = self.calls.store().find_pipeline(Some(id), Some(capture)).await?;
            let is_open = match found {
                None => false,
                Some(found) => {
                    let store = self.calls.store();
                    let view = store.load_session(found.appointment_id, found.session_id).await?;
                    view.captures.capture.is_some_and(|open| open.id == capture)
                }
            };
            if !is_open {
                tracing::warn!(pipeline = %id, capture = %capture, "orphan media pipeline");
                self.delete_pipeline(region, id).await;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}
