//! The job that compares active calls with the host's appointments and accounts: former participants lose their attendee.
//!
//! The host's views are read here for all active calls at once, and they are the host's: a row that cannot be cast, a view without
//! a grant or one that is slow must not stop what needs no view. So a failure of this job fails the run once the others are done,
//! and where a row is the cause the other calls are compared without it.

use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::id::SessionId;
use domain::membership::{self, MembershipChange};
use store::memberships::DueCall;
use store::sessions::CloseReason;
use tokio::time::Instant;

use crate::Calls;

/// Calls that one page has beyond those without a change.
const MAX_CALLS: i64 = 20;

/// The result of the job.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Memberships that were ended.
    pub(super) ended: u64,
    /// The first failure, if any.
    pub(super) failure: Option<Error>,
}

impl Compared {
    fn fail(&mut self, error: impl Into<Error>) {
        self.failure.get_or_insert(error.into());
    }
}

impl Calls {
    /// Ends memberships and the calls of deleted appointments. The deletions at Chime are enqueued; this run executes them next.
    pub(super) async fn end_memberships(&self, ends: Instant, origin: &Origin) -> Compared {
        let mut compared = Compared::default();
        match self.store.membership_page(MAX_CALLS, None).await {
            Ok(calls) => self.end_memberships_of(calls, &mut compared, origin).await,
            Err(error) => {
                let is_of_a_row = !error.is_about_objects();
                let error = Error::from(error);
                let by_parts = is_of_a_row && !error.retryable();
                compared.fail(error);
                if by_parts {
                    self.compare_parts(ends, &mut compared, origin).await;
                }
            }
        }
        compared
    }

    /// Compares the active calls in halves, and those again, until each call that cannot be read is alone, or until `ends`.
    async fn compare_parts(&self, ends: Instant, compared: &mut Compared, origin: &Origin) {
        let mut parts: Vec<Vec<SessionId>> = match self.store.active_sessions().await {
            Ok(all) => vec![all],
            Err(error) => return compared.fail(error),
        };
        while let Some(part) = parts.pop() {
            if Instant::now() >= ends {
                return;
            }
            match (
                self.store.membership_page(MAX_CALLS, Some(&part)).await.map_err(Error::from),
                part.as_slice(),
            ) {
                (Ok(calls), _) => self.end_memberships_of(calls, compared, origin).await,
                (Err(error), _) if error.retryable() => return compared.fail(error),
                (Err(error), [session]) => {
                    tracing::error!(session = %session, error = causes(&error), "host views cannot be read for a call");
                }
                (Err(_), _) => {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.extend([one.to_vec(), other.to_vec()]);
                }
            }
        }
    }

    async fn end_memberships_of(&self, calls: Vec<DueCall>, compared: &mut Compared, origin: &Origin) {
        for call in calls {
            match self.end_memberships_of_call(call, origin).await {
                Ok(ended) => compared.ended += ended,
                Err(error) => compared.fail(error),
            }
        }
    }

    async fn end_memberships_of_call(&self, call: DueCall, origin: &Origin) -> Result<u64, Error> {
        let change =
            membership::compare(call.appointment.as_ref(), call.appointment_deleted, call.participants);
        match change {
            None => Ok(0),
            Some(MembershipChange::EndCall) => {
                let reason = CloseReason::AppointmentDeleted;
                self.store.begin_end(call.id, None, reason, false, origin).await?;
                Ok(0)
            }
            Some(MembershipChange::End(ended)) => {
                let ended = self.store.end_memberships(call.id, &ended, false, origin).await?;
                Ok(ended.map_or(0, |ended| ended.ended))
            }
        }
    }
}
