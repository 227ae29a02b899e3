//! The schedule: each minute it takes the steps whose events or requests were lost, executes what is due, and finds what is stuck.

use std::time::Duration as StdDuration;

use domain::Error;
use domain::audit::Origin;
use domain::call::SessionOf;
use domain::error::{causes, reason};
use domain::operation::{Action, ON_HOLD_AGAIN_AFTER, Operation, PendingOperation};
use runtime::metrics::{self, Metric};
use runtime::within;
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use crate::App;

/// Sessions of one run: four times the calls that the throttle of Chime's API carries at once.
const MAX_SESSIONS: i64 = 1000;
/// Sessions are compared for this long, and operations executed until then: the function has 120 s.
const SESSIONS_UNTIL: StdDuration = StdDuration::from_secs(40);
const OPERATIONS_UNTIL: StdDuration = StdDuration::from_mins(1);
const OPERATIONS_END: StdDuration = StdDuration::from_secs(110);

/// An operation may read files for a minute: its lease is longer than the function's timeout of 120 s.
const LEASE: Duration = Duration::seconds(150);

const KINDS: [Operation; 8] = [
    Operation::StopTranscription,
    Operation::StartTranscription,
    Operation::TakeText,
    Operation::StartBatchJob,
    Operation::CheckBatchJob,
    Operation::CompleteTranscript,
    Operation::DeleteTranscript,
    Operation::FindEntities,
];

/// The end of an execution without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It is executed again at this time, for this reason.
    Later(OffsetDateTime, &'static str),
}

impl Outcome {
    /// A legal hold forbids it.
    pub(crate) fn on_hold(origin: &Origin) -> Self {
        Self::Later(origin.now + ON_HOLD_AGAIN_AFTER, reason::TRANSCRIPT_ON_HOLD.code)
    }
}

impl App {
    /// One run.
    ///
    /// # Errors
    /// The last failure, once everything else is done.
    pub(crate) async fn run(&self, origin: &Origin) -> Result<(), Error> {
        let began = Instant::now();
        let (mut not_stopped, mut failure) = (0, None);
        for due in self.calls.store().due_runs(MAX_SESSIONS).await? {
            if began.elapsed() >= SESSIONS_UNTIL {
                tracing::warn!("time for transcriptions is over, the rest is left for the next run");
                break;
            }
            let target = SessionOf { appointment: due.appointment_id, session: due.session_id };
            match self.take_steps(target, origin).await {
                Ok(taken) => {
                    not_stopped += u64::from(taken.not_stopped);
                    failure = taken.failure.or(failure);
                }
                Err(error) => {
                    tracing::warn!(session = %due.session_id, error = causes(&error), "transcription not compared, will retry");
                    failure = Some(error);
                }
            }
        }
        // Before anything that may take long: the run may be cut off while a backend does not answer.
        metrics::emit(&[(Metric::TranscriptionsNotStopped, not_stopped)]);
        if let Err(error) = self.expire(origin).await {
            failure = Some(error);
        }
        self.report_budget(origin).await?;
        let executor = Operation::StartTranscription.executor();
        let exhausted = self.calls.store().count_exhausted_operations(executor).await?;
        metrics::emit(&[(Metric::PendingOperationsExhausted, exhausted)]);
        if let Err(error) =
            Box::pin(self.run_operations((began + OPERATIONS_UNTIL, began + OPERATIONS_END), origin)).await
        {
            failure = Some(error);
        }
        tracing::info!(not_stopped, exhausted, "transcriptions compared");
        failure.map_or(Ok(()), Err)
    }

    /// The part of the day's budget that is reserved or used, in percent.
    async fn report_budget(&self, origin: &Origin) -> Result<(), Error> {
        let Some(per_day) = self.limits.per_day else { return Ok(()) };
        let reserved = self.calls.store().known_languages(origin.now).await?.reserved;
        let percent = reserved.saturating_mul(100) / per_day.whole_seconds().max(1);
        metrics::emit(&[(Metric::TranscriptionBudgetPercent, u64::try_from(percent).unwrap_or(0))]);
        Ok(())
    }

    /// Executes due operations, one at a time, because one may take most of a lease: begins none after the first moment, and gives up the
    /// last at the second.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn run_operations(
        &self,
        (until, end): (Instant, Instant),
        origin: &Origin,
    ) -> Result<(), Error> {
        let executor = Operation::StartTranscription.executor();
        let began = Instant::now();
        while Instant::now() < until {
            let now = origin.now + began.elapsed();
            let due = self.calls.store().lease_operations(executor, &KINDS, (1, LEASE), now).await?;
            let Some(operation) = due.into_iter().next() else { break };
            match Box::pin(within(end, self.execute_due(&operation, origin))).await {
                Ok(Outcome::Done) => self.mark_executed(operation, origin).await?,
                Ok(Outcome::Later(due, reason)) => {
                    self.calls.store().postpone_operation(operation.id, due, reason).await?;
                }
                Err(error) => self.calls.release(&operation, &error, origin).await,
            }
        }
        Ok(())
    }

    async fn execute_due(&self, operation: &PendingOperation, origin: &Origin) -> Result<Outcome, Error> {
        match operation.action()? {
            Action::StartBatchJob(name) => return self.start_job(&name, origin).await,
            Action::CheckBatchJob(name) => return self.check_job(&name, origin).await,
            Action::FindEntities(transcript) => return self.find_entities(transcript, origin).await,
            Action::DeleteTranscript(transcript) => return self.delete_text(transcript, origin).await,
            Action::TakeText(capture) => self.take_text(capture, origin).await?,
            Action::CompleteTranscript(transcript) => self.complete(transcript, origin).await?,
            Action::StartTranscription(..) | Action::StopTranscription(..) => {
                let session = operation
                    .session_id
                    .ok_or_else(|| Error::internal("an operation on a run without a session"))?;
                let Some(found) = self.calls.store().find_session(session).await? else {
                    return Ok(Outcome::Done);
                };
                let target = SessionOf { appointment: found.appointment_id, session };
                self.execute(target, operation, origin).await?;
            }
            Action::DeleteAttendee(..)
            | Action::UpdateCapabilities(..)
            | Action::DeleteMeeting(..)
            | Action::VerifyMeeting(..)
            | Action::PublishEvent(_)
            | Action::StartCapture(..)
            | Action::StopCapture(..)
            | Action::Concatenate(..)
            | Action::VerifySegment(..)
            | Action::DeleteChunks(..)
            | Action::DeleteRecording(..)
            | Action::ApplyHold(..) => {
                return Err(Error::internal("an operation of another kind was leased"));
            }
        }
        Ok(Outcome::Done)
    }
}
