//! The reconciler: each minute it finishes what requests left, and finds out what Chime's events did not say.
//!
//! A run is a sequence of jobs, each a file of its own with a share of the run's time and of Chime's request rate:
//!
//! | job | does | time | requests to Chime |
//! |---|---|---|---|
//! | `memberships` | compares active calls with the host's appointments and accounts | 1 round trip, and 1 for each change; 2 s more if a call cannot be read | none |
//! | `operations` | executes due pending operations on Chime | 3 s | 5 a second |
//! | `orphans` | enqueues the deletion of meetings that no session owns | 1 round trip | none |
//! | `publish` | publishes due events, before and after the sessions | 2 s, and until 14 s | none |
//! | `sessions` | verifies ends that events claim, fails stalled starts, verifies active meetings | until 12 s | 2 a second |
//! | `expiry` | ends participants who vanished, and calls without participants | 1 s if there are any | 5 a second |
//! | `projections` | projects events again where a session changed in between | until 14 s | none |
//! | `prune` | deletes what nothing reads any more | 1 round trip | none |
//!
//! To add a job: a file here, a line in [`Calls::reconcile`], its figure in [`Report`].

mod expiry;
mod memberships;
mod operations;
mod pace;
mod projections;
mod sessions;

use std::time::Duration;

use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::operation::Operation;
use store::expiry::Expired;
use store::reconcile::{Page, PageSize};
use tokio::time::Instant;

use crate::Calls;
use pace::Pace;
use sessions::Totals;

/// Longer than a run may last; if taken at any moment of a run, it expires before the run of the minute after.
const LEASE: Duration = Duration::from_secs(30);

/// Sessions read at once: of the active ones half of what a run can verify, so that a run that dies repeats at most 6 s of it.
const PAGE: PageSize = PageSize { stalled: 20, unverified: 12 };

const MAX_PAGES: usize = 5;

/// Where the appointment of a call cannot be read, those of the others are read until then.
const MEMBERSHIPS_UNTIL: Duration = Duration::from_secs(2);

/// Operations come first, because a removed participant may still be connected; they and orphans have this much time, however
/// many sessions wait.
const OPERATIONS_FOR: Duration = Duration::from_secs(3);

/// Due events are published for this long before sessions are repaired, and those of the repaired sessions afterwards until
/// `PUBLISH_UNTIL`; one request to the bus may take 3 s more.
const PUBLISH_FOR: Duration = Duration::from_secs(2);
const PUBLISH_UNTIL: Duration = Duration::from_secs(14);

/// The operations that follow from what has expired are executed for this long. It follows the verification of meetings, because
/// an empty call is ended only if Chime says that its meeting is live.
const EXPIRED_FOR: Duration = Duration::from_secs(1);

/// Sessions that others change meanwhile are projected again until then.
const PROJECT_UNTIL: Duration = Duration::from_secs(14);

/// A meeting this old belongs to its session: the request that created it stored it long before.
const ORPHAN_AFTER: time::Duration = time::Duration::minutes(2);

/// Orphan meetings whose deletion one run enqueues.
const MAX_ORPHANS: i64 = 10;

/// Rows of each kind that one run deletes.
const MAX_PRUNED: i64 = 1000;

/// The result of a run. The function writes it as metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Sessions that were repaired: ended without an event, or failed starts.
    pub sessions_repaired: u64,
    /// Calls that had ended and whose `MeetingEnded` never arrived.
    pub missed_meeting_events: u64,
    /// Participants who are no members of the appointment any more.
    pub memberships_ended: u64,
    /// Pending operations that were executed.
    pub operations_completed: u64,
    /// Open operations that have reached the attempt limit; `None` where they could not be counted.
    pub operations_exhausted: Option<u64>,
    /// Participants who vanished.
    pub participants_expired: u64,
    /// Calls that were ended because every participant had left, or one was forgotten.
    pub calls_expired: u64,
    /// Meetings whose deletion was enqueued because no session owns them.
    pub orphan_meetings: u64,
}

/// A run that held the lease: what it did, and the failure of a job, which fails the run once everything else is done.
#[derive(Debug)]
pub struct ReconcilerRun {
    pub report: Report,
    pub failure: Option<Error>,
}

impl Calls {
    /// Runs all jobs once. One run at a time; what is left over is the next run's. `None`: another run holds the lease.
    ///
    /// # Errors
    /// 503 when the database is down; what was repaired stays so. A job that fails otherwise is in the run's `failure`.
    pub async fn reconcile(&self, origin: &Origin) -> Result<Option<ReconcilerRun>, Error> {
        let run = self.run_jobs(origin).await;
        if !matches!(run, Ok(None))
            && let Err(error) = self.store.release_lease(origin).await
        {
            // It expires by itself before the next minute.
            tracing::warn!(error = causes(&error), "reconciler lease not released");
        }
        run
    }

    /// Takes the lease and runs the jobs. `None`: another run holds the lease.
    async fn run_jobs(&self, origin: &Origin) -> Result<Option<ReconcilerRun>, Error> {
        let began = Instant::now();
        let mut pace = Pace::begin(began);
        let (mut totals, mut report, mut published) = (Totals::default(), Report::default(), Ok(0));
        let mut compared = Ok(());
        for page in 0..MAX_PAGES {
            let until = origin.now + began.elapsed() + LEASE;
            let Some(Page { sessions: due, ends_reported }) =
                self.store.reconcile_page(PAGE, until, origin).await?
            else {
                tracing::info!("reconciler lease held by another run, skipping");
                return Ok(None);
            };
            let mut reported = Vec::new();
            if page == 0 {
                let memberships = self.end_memberships(began + MEMBERSHIPS_UNTIL, origin).await;
                report.memberships_ended = memberships.ended;
                compared = memberships.failure.map_or(Ok(()), Err);
                report.orphan_meetings = self.enqueue_orphan_deletions(origin).await?;
                report.operations_completed =
                    self.run_due(Instant::now() + OPERATIONS_FOR, &mut totals, origin).await?;
                published = self.publish_due(origin.now, Instant::now() + PUBLISH_FOR).await;
                if ends_reported {
                    reported = self.lease_reported_ends(origin).await?;
                }
            }
            let last = !sessions::is_full(&due, PAGE);
            let outcomes = self.repair(reported, &due, &mut pace, origin).await?;
            if !outcomes.is_empty() {
                totals.pages += 1;
                self.apply_outcomes(&outcomes, &mut totals, origin).await?;
            }
            if last || pace.is_over() {
                break;
            }
        }
        let expired = self.expire(origin).await?;
        (report.participants_expired, report.calls_expired) = (expired.participants, expired.calls);
        if expired != Expired::default() {
            let until = Instant::now() + EXPIRED_FOR;
            report.operations_completed += self.run_due(until, &mut totals, origin).await?;
        }
        let projected = self.project_stale(began + PROJECT_UNTIL, origin).await;
        if published.is_ok() {
            published = self.publish_due(origin.now, began + PUBLISH_UNTIL).await;
        }
        let pruned = self.store.prune(MAX_PRUNED, origin.now).await.map_err(Error::from);
        let executor = Operation::PublishEvent.executor();
        let exhausted = self.store.count_exhausted_operations(executor).await.map_err(Error::from);
        report.operations_exhausted = exhausted.as_ref().ok().copied();
        report.sessions_repaired = totals.repaired();
        report.operations_completed += u64::from(totals.ends_confirmed);
        report.missed_meeting_events = totals.ended_without_event.into();
        tracing::info!(
            repaired = report.sessions_repaired,
            ends_finished = totals.ends_finished,
            ended_without_event = totals.ended_without_event,
            ends_confirmed = totals.ends_confirmed,
            starts_failed = totals.starts_failed,
            live = totals.live,
            unverified = totals.unverified,
            pages = totals.pages,
            participants_expired = report.participants_expired,
            calls_expired = report.calls_expired,
            orphan_meetings = report.orphan_meetings,
            memberships_ended = report.memberships_ended,
            operations_completed = report.operations_completed,
            operations_exhausted = report.operations_exhausted,
            "reconciled"
        );
        // The report is returned with the failure: the metric of exhausted operations is needed most while the bus is down.
        let failure = compared
            .and(totals.failure.map_or(Ok(()), Err))
            .and(projected)
            .and(published.map(drop))
            .and(pruned.map(drop))
            .and(exhausted.map(drop))
            .err();
        Ok(Some(ReconcilerRun { report, failure }))
    }

    /// Executes due operations and publishes due events, beside the schedule: each operation is leased, so none is executed
    /// twice at once.
    ///
    /// # Errors
    /// 503 when the database or the bus is down.
    pub async fn run_pending(&self, origin: &Origin) -> Result<(), Error> {
        self.run_due(Instant::now() + OPERATIONS_FOR, &mut Totals::default(), origin).await?;
        self.publish_due(origin.now, Instant::now() + PUBLISH_FOR).await.map(drop)
    }

    /// Enqueues the deletion of meetings that no open session owns, and returns how many.
    async fn enqueue_orphan_deletions(&self, origin: &Origin) -> Result<u64, Error> {
        let prefix = &self.settings.external_id_prefix;
        let before = origin.now - ORPHAN_AFTER;
        Ok(self.store.enqueue_orphan_deletions(prefix, before, MAX_ORPHANS, origin.now).await?)
    }
}
