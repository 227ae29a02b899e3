//! Debts: what Chime is still to be told of attendees, because of a change that is stored.

use std::time::Duration;

use domain::Error;
use domain::audit::Origin;
use domain::capabilities::Capabilities;
use domain::id::{OperationId, SessionId, UserId};
use store::debts::{Kind, Owed};
use tokio::time::{Instant, sleep, timeout};

use crate::reconcile::SLOW;
use crate::{Calls, ROUNDS, conflict_retry};

/// A request that is to tell Chime gives up within this time; what is owed for longer is the reconciler's to tell.
const LEFT_BEHIND: Duration = Duration::from_secs(30);

/// How many a run of the reconciler pays: with the pause between them, 2 s of its time.
const IN_A_RUN: i64 = 10;

/// Between two of them: callers keep half of what Chime allows.
const PAUSE: Duration = Duration::from_millis(200);

impl Calls {
    /// Deletes an attendee, as is owed.
    pub(crate) async fn pay_deletion(&self, owed: &Owed) -> Result<(), Error> {
        self.meetings.delete_attendee(&owed.control_region, owed.meeting_id, owed.attendee_id).await?;
        self.store.pay_debt(owed.id, owed.capabilities).await?;
        Ok(())
    }

    /// Tells Chime what an attendee may do, until what was told is what is stored.
    pub(crate) async fn pay_capabilities(&self, owed: &Owed) -> Result<(), Error> {
        let mut may = owed.capabilities;
        for _ in 0..ROUNDS {
            self.tell_chime(owed, may).await?;
            match self.store.pay_debt(owed.id, may).await? {
                None => return Ok(()),
                Some(changed) => may = changed,
            }
        }
        Err(conflict_retry())
    }

    async fn tell_chime(&self, owed: &Owed, may: Capabilities) -> Result<(), Error> {
        let (region, meeting) = (&owed.control_region, owed.meeting_id);
        Ok(self.meetings.set_capabilities(region, meeting, owed.attendee_id, may).await?)
    }

    /// Pays what an earlier request left owing of a person: what `kind` says and nothing else. A debt of capabilities is
    /// not struck out, because the request that made it may be at it yet and land later than this one: it is told now, and
    /// again by the reconciler.
    pub(crate) async fn pay_for(&self, session: SessionId, user: UserId, kind: Kind) -> Result<(), Error> {
        for owed in self.store.load_debts(session, user).await? {
            match (owed.kind, kind) {
                (Kind::Delete, Kind::Delete) => self.pay_deletion(&owed).await?,
                (Kind::Capabilities, Kind::Capabilities) => self.tell_chime(&owed, owed.capabilities).await?,
                (Kind::Delete, Kind::Capabilities) | (Kind::Capabilities, Kind::Delete) => {}
            }
        }
        Ok(())
    }

    /// Pays debts that a request left behind when it died, some in a run. What Chime does not let be paid now is a later
    /// run's. Answers how many were paid.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn pay_due(&self, ends: Instant, origin: &Origin) -> Result<usize, Error> {
        let mut paid = 0;
        for owed in self.store.due_debts(origin.now - LEFT_BEHIND, IN_A_RUN).await? {
            if Instant::now() >= ends {
                break;
            }
            let (region, meeting, attendee) = (&owed.control_region, owed.meeting_id, owed.attendee_id);
            let tell = async {
                match owed.kind {
                    Kind::Delete => self.meetings.delete_attendee_once(region, meeting, attendee).await,
                    Kind::Capabilities => {
                        let may = owed.capabilities;
                        self.meetings.set_capabilities_once(region, meeting, attendee, may).await
                    }
                }
            };
            // One region that does not answer must not hold up the others.
            let reason = match timeout(SLOW, tell).await {
                // Where they have changed once more it stays owed, and the next run tells what they are then.
                Ok(Ok(())) => {
                    paid += usize::from(self.struck(owed.id, owed.capabilities).await?);
                    None
                }
                Ok(Err(error)) => Some(error.reason()),
                Err(_) => Some("slow"),
            };
            if let Some(reason) = reason {
                tracing::warn!(debt = %owed.id, reason, "a debt is left for the next run");
                self.store.debt_tried(owed.id, origin.now).await?;
            }
            sleep(PAUSE).await;
        }
        Ok(paid)
    }

    async fn struck(&self, debt: OperationId, told: Capabilities) -> Result<bool, Error> {
        Ok(self.store.pay_debt(debt, told).await?.is_none())
    }
}
