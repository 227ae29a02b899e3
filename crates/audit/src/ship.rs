//! From the outbox to the table.

use std::time::Duration;

use domain::Error;
use store::Store;
use store::audit::{Outcome, Outgoing};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::table::{Put, Table};

/// How many entries a run takes at once.
const BATCH: u16 = 100;
/// How many of them are put at the same time.
const AT_ONCE: usize = 16;
/// Shorter than the schedule's minute: what a run that died held is free for the next one.
const LEASE: Duration = Duration::from_secs(50);
/// One run moves ten thousand entries at most; the next goes on.
const MOST_BATCHES: usize = 100;
/// How long an entry stays in the outbox after it has arrived.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// Entries dropped by one statement, and statements in one run: twice what a run can ship.
const PRUNING: u16 = 1000;
const MOST_PRUNINGS: usize = 20;

/// Moves what waits, oldest first, until nothing does. An entry that cannot be put does not hold up the others.
///
/// # Errors
/// 503 when a backend is down, after what could be moved was moved: the rest stays and goes with the next run. An
/// error also for as long as the table holds an entry that is not ours, in each run: the alarm must not fall silent before
/// somebody has looked.
pub(crate) async fn ship(store: &Store, table: &Table, now: OffsetDateTime) -> Result<(), Error> {
    let mut totals = Totals::default();
    let mut failure = None;
    for _ in 0..MOST_BATCHES {
        let entries = store.lease_audit(BATCH, LEASE, now).await?;
        let last = entries.len() < usize::from(BATCH);
        let (outcomes, failed) = put_all(table, entries).await;
        failure = failed.or(failure);
        totals.count(&outcomes);
        if !outcomes.is_empty() {
            store.mark_audit(&outcomes, now).await?;
        }
        // Not one arrived: the table is down, and each further batch would wait for it in vain.
        if last || outcomes.is_empty() {
            break;
        }
    }
    totals.log();
    prune(store, now).await;
    match (failure, store.audit_conflicts().await?) {
        (Some(error), _) => Err(error),
        (None, 0) => Ok(()),
        (None, conflicts) => {
            Err(Error::internal(format!("{conflicts} audit entries found another in their place")))
        }
    }
}

/// Drops what arrived long ago. Not a reason to fail: it is tried again in a minute.
async fn prune(store: &Store, now: OffsetDateTime) {
    for _ in 0..MOST_PRUNINGS {
        match store.prune_audit(now - KEPT, PRUNING).await {
            Ok(gone) if gone == u64::from(PRUNING) => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(error = %error, "old entries could not be dropped from the outbox");
                return;
            }
        }
    }
}

#[derive(Default)]
struct Totals {
    shipped: usize,
    conflicts: usize,
}

impl Totals {
    fn count(&mut self, outcomes: &[Outcome]) {
        let conflicts = outcomes.iter().filter(|outcome| outcome.conflict).count();
        self.conflicts += conflicts;
        self.shipped += outcomes.len() - conflicts;
    }

    fn log(&self) {
        tracing::info!(shipped = self.shipped, conflicts = self.conflicts, "audit entries moved");
    }
}

/// Puts entries, several at a time; what became of those that arrived, and the last failure of those that did not.
async fn put_all(table: &Table, entries: Vec<Outgoing>) -> (Vec<Outcome>, Option<Error>) {
    let mut waiting = entries.into_iter();
    let mut under_way = JoinSet::new();
    let (mut outcomes, mut failure) = (Vec::new(), None);
    loop {
        while under_way.len() < AT_ONCE
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
                tracing::warn!(chain = entry.chain, seq = entry.seq, error = %error, "an audit entry was not put");
                failure = Some(error);
            }
            Some(Err(panic)) => failure = Some(Error::internal(panic)),
        }
    }
}

fn outcome(entry: Outgoing, put: Put) -> Outcome {
    let conflict = put == Put::OtherThere;
    if conflict {
        // Nothing of the two payloads: the operator compares them where they are.
        tracing::error!(
            chain = entry.chain,
            seq = entry.seq,
            "the audit table holds another entry in this place"
        );
    }
    Outcome { chain: entry.chain, seq: entry.seq, conflict }
}
