//! The job that executes due pending operations on Chime.

use domain::Error;
use domain::audit::Origin;
use domain::id::OperationId;
use domain::operation::{Action, Executed, LEASE, Operation, PendingOperation};
use store::reconcile::{RepairOutcome, SessionRepair};
use tokio::time::{Instant, sleep, timeout};

use super::pace::{CHANGE_PAUSE, SLOW_AFTER};
use super::sessions::Totals;
use crate::Calls;

/// Operations that one run executes: with the pause between them, 3 s of its time.
const MAX_OPERATIONS: i64 = 15;

/// The operations that this executor's schedule executes on Chime.
const KINDS: [Operation; 3] =
    [Operation::DeleteAttendee, Operation::UpdateCapabilities, Operation::DeleteMeeting];

/// Operations that Chime has executed, by the statement that completes them.
#[derive(Default)]
struct Done {
    on_attendees: Vec<Executed>,
    orphans: Vec<OperationId>,
    ends: Vec<SessionRepair>,
}

impl Calls {
    /// Executes due operations until `ends` and returns how many were completed. One that Chime rejects, or does not answer in
    /// time, is due again after a pause that doubles with each attempt. The deletion of a meeting whose session is `ending` ends
    /// the session.
    ///
    /// # Errors
    /// 503 when the database is down: executed operations are executed again, which changes nothing at Chime.
    pub(super) async fn run_due(
        &self,
        ends: Instant,
        totals: &mut Totals,
        origin: &Origin,
    ) -> Result<u64, Error> {
        let executor = Operation::DeleteAttendee.executor();
        let due = self.store.lease_operations(executor, &KINDS, (MAX_OPERATIONS, LEASE), origin.now).await?;
        let (mut done, mut left) = (Done::default(), Vec::new());
        for operation in due {
            if Instant::now() >= ends {
                left.push(operation.id);
                continue;
            }
            match self.send_once(&operation).await {
                Ok(()) => done.add(operation)?,
                Err(error) => self.release(&operation, &error, origin).await,
            }
            sleep(CHANGE_PAUSE).await;
        }
        if !left.is_empty() {
            self.store.return_operations(&left).await?;
        }
        self.complete(done, totals, origin).await
    }

    async fn send_once(&self, operation: &PendingOperation) -> Result<(), Error> {
        let unavailable = |elapsed| Error::Unavailable { backend: "chime", source: Box::new(elapsed) };
        timeout(SLOW_AFTER, self.send(&self.unretried, operation))
            .await
            .unwrap_or_else(|elapsed| Err(unavailable(elapsed)))
    }

    /// One statement for each of the three, where there is any. Operations whose payload changed meanwhile stay leased and are
    /// executed by a later run.
    async fn complete(&self, done: Done, totals: &mut Totals, origin: &Origin) -> Result<u64, Error> {
        let mut completed = 0;
        if !done.on_attendees.is_empty() {
            let changed = self.store.complete_operations(&done.on_attendees, origin.now).await?;
            completed += count(done.on_attendees.len().saturating_sub(changed.len()));
        }
        if !done.orphans.is_empty() {
            completed += self.store.complete_orphan_deletions(&done.orphans, origin).await?;
        }
        if !done.ends.is_empty() {
            completed += u64::from(self.apply_outcomes(&done.ends, totals, origin).await?);
        }
        Ok(completed)
    }
}

impl Done {
    fn add(&mut self, operation: PendingOperation) -> Result<(), Error> {
        match (operation.action()?, operation.session_id) {
            (Action::DeleteMeeting(_, of), Some(session)) if !of.orphan => {
                self.ends.push(SessionRepair { id: session, outcome: RepairOutcome::EndFinished });
            }
            (Action::DeleteMeeting(..), _) => self.orphans.push(operation.id),
            (
                Action::DeleteAttendee(..)
                | Action::UpdateCapabilities(..)
                | Action::VerifyMeeting(..)
                | Action::PublishEvent(_)
                | Action::StartCapture(..)
                | Action::StopCapture(..)
                | Action::Concatenate(..)
                | Action::VerifySegment(..)
                | Action::DeleteChunks(..)
                | Action::DeleteRecording(..)
                | Action::ApplyHold(..)
                | Action::StartTranscription(..)
                | Action::StopTranscription(..)
                | Action::TakeText(_)
                | Action::CompleteTranscript(_)
                | Action::DeleteTranscript(_)
                | Action::StartBatchJob(_)
                | Action::CheckBatchJob(_)
                | Action::FindEntities(_),
                _,
            ) => {
                self.on_attendees.push(Executed { id: operation.id, payload: Some(operation.payload) });
            }
        }
        Ok(())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
