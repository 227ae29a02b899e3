//! The job that executes due pending operations on Chime.

use domain::Error;
use domain::audit::Origin;
use domain::operation::{Operation, PendingOperation};
use tokio::time::{Instant, sleep, timeout};

use super::pace::{CHANGE_PAUSE, SLOW_AFTER};
use crate::Calls;

/// Operations that one run executes: with the pause between them, 2 s of its time.
const MAX_OPERATIONS: i64 = 10;

/// What this executor's schedule executes on Chime.
const KINDS: [Operation; 3] =
    [Operation::DeleteAttendee, Operation::UpdateCapabilities, Operation::DeleteMeeting];

impl Calls {
    /// Executes due operations until `ends` and returns how many were completed. One that Chime rejects, or does not answer in
    /// time, is due again after a pause that doubles with each attempt.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(super) async fn run_due(&self, ends: Instant, origin: &Origin) -> Result<u64, Error> {
        let executor = Operation::DeleteAttendee.executor();
        let due = self.store.lease_operations(executor, &KINDS, MAX_OPERATIONS, origin.now).await?;
        let mut completed = 0;
        for operation in due {
            if Instant::now() >= ends {
                // The lease expires before the next run.
                break;
            }
            match self.execute_once(&operation, origin).await {
                Ok(()) => completed += 1,
                Err(error) => self.release(&operation, &error, origin).await,
            }
            sleep(CHANGE_PAUSE).await;
        }
        Ok(completed)
    }

    async fn execute_once(&self, operation: &PendingOperation, origin: &Origin) -> Result<(), Error> {
        let execution = self.send_and_complete(&self.unretried, operation, origin);
        timeout(SLOW_AFTER, execution)
            .await
            .unwrap_or_else(|elapsed| Err(Error::Unavailable { backend: "chime", source: Box::new(elapsed) }))
    }
}
