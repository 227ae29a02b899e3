//! Delivers audit entries from the outbox to the audit table.

use std::time::Duration;

use domain::Error;
use domain::error::causes;
use store::Store;
use store::audit::{AuditStatus, Delivery, Outgoing};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::table::{Put, Table};

/// Entries that are leased at once.
const BATCH: u16 = 100;
/// Entries that are put at the same time.
const MAX_CONCURRENT_PUTS: usize = 16;
/// Shorter than the schedule's minute: what a run leased before it died is free for the next run.
const LEASE: Duration = Duration::from_secs(50);
/// One run delivers ten thousand entries at most; the next continues.
const MAX_BATCHES: usize = 100;
/// An entry that waits longer than this counts as backlog: five runs of the schedule.
const OVERDUE_AFTER: Duration = Duration::from_mins(5);
/// Delivered entries stay in the outbox for this long.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// Entries deleted by one statement, and statements in one run: twice what a run can deliver.
const PRUNING: u16 = 1000;
const MAX_PRUNINGS: usize = 20;

/// The state of the outbox after a run, and the last failure of an entry that was not delivered: the next run delivers it.
pub(crate) struct Delivered {
    pub(crate) status: AuditStatus,
    pub(crate) failure: Option<Error>,
}

/// Delivers waiting entries, oldest first, until none is left. An entry that cannot be put does not delay the others.
///
/// # Errors
/// 503 when the database is down.
pub(crate) async fn deliver(store: &Store, table: &Table, now: OffsetDateTime) -> Result<Delivered, Error> {
    let mut totals = Totals::default();
    let mut failure = None;
    for _ in 0..MAX_BATCHES {
        let entries = store.lease_audit(BATCH, LEASE, now).await?;
        let last = entries.len() < usize::from(BATCH);
        let (outcomes, failed) = put_all(table, entries).await;
        failure = failed.or(failure);
        totals.count(&outcomes);
        if !outcomes.is_empty() {
            store.mark_audit(&outcomes, now).await?;
        }
        // None was delivered: the table is down, and each further batch would only wait for its deadline.
        if last || outcomes.is_empty() {
            break;
        }
    }
    totals.log();
    prune(store, now).await;
    let status = store.audit_status(now - OVERDUE_AFTER).await?;
    if status.conflicts > 0 {
        tracing::error!(conflicts = status.conflicts, "audit entries in conflict with the audit table");
    }
    Ok(Delivered { status, failure })
}

/// Deletes entries that were delivered long ago. Its failure does not fail the run: the next run tries again.
async fn prune(store: &Store, now: OffsetDateTime) {
    for _ in 0..MAX_PRUNINGS {
        match store.prune_audit(now - KEPT_FOR, PRUNING).await {
            Ok(deleted) if deleted == u64::from(PRUNING) => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(error = causes(&error), "delivered audit entries not pruned");
                return;
            }
        }
    }
}

#[derive(Default)]
struct Totals {
    delivered: usize,
    conflicts: usize,
}

impl Totals {
    fn count(&mut self, outcomes: &[Delivery]) {
        let conflicts = outcomes.iter().filter(|outcome| outcome.conflict).count();
        self.conflicts += conflicts;
        self.delivered += outcomes.len() - conflicts;
    }

    fn log(&self) {
        tracing::info!(delivered = self.delivered, conflicts = self.conflicts, "audit entries delivered");
    }
}

/// Puts entries, several at a time, and returns the deliveries and the last failure.
async fn put_all(table: &Table, entries: Vec<Outgoing>) -> (Vec<Delivery>, Option<Error>) {
    let mut waiting = entries.into_iter();
    let mut under_way = JoinSet::new();
    let (mut outcomes, mut failure) = (Vec::new(), None);
    loop {
        while under_way.len() < MAX_CONCURRENT_PUTS
            && let Some(entry) = waiting.next()
        {
            let table = table.clone();
            under_way.spawn(async move {
                let put = table.put(&entry).await;
                (entry, put)
            });
        }
        match under_way.join_next().await {
            None => return (outcomes, failure),
            Some(Ok((entry, Ok(put)))) => outcomes.push(outcome(entry, put)),
            Some(Ok((entry, Err(error)))) => {
                tracing::warn!(
                    chain = entry.chain,
                    seq = entry.seq,
                    error = causes(&error),
                    "audit entry not delivered, will retry"
                );
                failure = Some(error);
            }
            Some(Err(panic)) => failure = Some(Error::internal(panic)),
        }
    }
}

fn outcome(entry: Outgoing, put: Put) -> Delivery {
    let conflict = put == Put::OtherThere;
    if conflict {
        // Nothing of the two payloads: the operator compares them where they are.
        tracing::error!(
            chain = entry.chain,
            seq = entry.seq,
            "the audit table holds another entry in this place"
        );
    }
    Delivery { chain: entry.chain, seq: entry.seq, conflict }
}
