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

/// Moves what waits, oldest first, until nothing does.
///
/// # Errors
/// 503 when a backend is down, after what could be moved was moved: the rest stays and goes with the next run.
pub(crate) async fn ship(store: &Store, table: &Table, now: OffsetDateTime) -> Result<(), Error> {
    let mut totals = Totals::default();
    for _ in 0..MOST_BATCHES {
        let entries = store.lease_audit(BATCH, LEASE, now).await?;
        let last = entries.len() < usize::from(BATCH);
        let (outcomes, failure) = put_all(table, entries).await;
        totals.count(&outcomes);
        if !outcomes.is_empty() {
            store.mark_audit(&outcomes, now).await?;
        }
        if let Some(error) = failure {
            totals.log();
            return Err(error);
        }
        if last {
            break;
        }
    }
    totals.log();
    store.prune_audit(now - KEPT).await?;
    Ok(())
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
            Some(Ok((_, Err(error)))) => failure = Some(error),
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
