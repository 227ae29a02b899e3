//! The job that projects events again: where a session changed since, and where a batch died before it applied its events.

use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::presence::SessionHistory;
use tokio::time::Instant;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// Sessions of each cause that one run projects again.
const MAX_STALE: i64 = 50;

impl Calls {
    /// Projects stale sessions; those that others change meanwhile once more, until `ends`. A session that the database rejects
    /// does not fail the others.
    pub(super) async fn project_stale(&self, ends: Instant, origin: &Origin) -> Result<(), Error> {
        let mut again = Vec::new();
        for _ in 0..MAX_ATTEMPTS {
            let stale = self.store.stale_sessions(MAX_STALE, &again, origin.now).await?;
            match self.persist(&stale, origin).await {
                Ok(persisted) => again = persisted.changed_meanwhile.into_iter().collect(),
                Err(error) if error.retryable() => return Err(error),
                Err(_) => return self.project_one_by_one(&stale, origin).await,
            }
            if again.is_empty() {
                return Ok(());
            }
            if Instant::now() >= ends {
                break;
            }
        }
        Err(conflict_retry())
    }

    async fn project_one_by_one(&self, stale: &[SessionHistory], origin: &Origin) -> Result<(), Error> {
        let mut outcome = Ok(());
        for history in stale {
            if let Err(error) = self.persist(std::slice::from_ref(history), origin).await {
                tracing::error!(session = %history.id, error = causes(&error), "session cannot be projected");
                outcome = Err(error);
            }
        }
        outcome
    }
}
