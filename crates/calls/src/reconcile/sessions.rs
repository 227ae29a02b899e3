//! The job that repairs sessions: a start that no request finishes has failed, an active meeting is verified with Chime, and so
//! is an end that an event claims while participants are believed present (`verify_meeting`).

use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::id::{ChimeMeetingId, SessionId};
use domain::operation::{Action, Operation, PendingOperation};
use domain::reconcile::{self, RepairAction, StalledSession};
use domain::state::SessionStatus;
use store::reconcile::{PageSize, RepairCounts, RepairOutcome, SessionRepair};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::pace::{Pace, SLOW_AFTER, VERIFY_PAUSE};
use crate::Calls;

/// Ends that events claim which one run verifies: at two a second, half of its time.
const MAX_REPORTED_ENDS: i64 = 12;

/// The sums of a run's pages.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) pages: usize,
    pub(super) live: usize,
    pub(super) unverified: usize,
    pub(super) ends_finished: u32,
    pub(super) ended_without_event: u32,
    pub(super) starts_failed: u32,
    pub(super) ends_confirmed: u32,
    /// The first outcome that the database rejected.
    pub(super) failure: Option<Error>,
}

impl Totals {
    pub(super) fn add(&mut self, outcomes: &[SessionRepair], counts: RepairCounts) {
        let of = |wanted| outcomes.iter().filter(|repair| repair.outcome == wanted).count();
        self.live += of(RepairOutcome::Live);
        self.unverified += of(RepairOutcome::Unknown);
        self.ends_finished += counts.ends_finished;
        self.ended_without_event += counts.ended_without_event;
        self.starts_failed += counts.starts_failed;
        self.ends_confirmed += counts.ends_confirmed;
    }

    pub(super) fn repaired(&self) -> u64 {
        u64::from(self.ends_finished) + u64::from(self.ended_without_event) + u64::from(self.starts_failed)
    }
}

/// Whether there may be more of either kind than the page holds.
pub(super) fn is_full(due: &[StalledSession], page: PageSize) -> bool {
    let unverified = due.iter().filter(|session| session.status == SessionStatus::Active).count();
    let reaches = |count: usize, limit| i64::try_from(count).is_ok_and(|count| count >= limit);
    reaches(unverified, page.unverified) || reaches(due.len() - unverified, page.stalled)
}

/// A meeting that Chime is asked about, within the run's request rate.
struct Verification {
    session: SessionId,
    region: String,
    meeting: ChimeMeetingId,
    /// The operation that an event made necessary.
    reported: Option<PendingOperation>,
}

impl Verification {
    /// Parses a leased `verify_meeting` operation.
    fn of(operation: PendingOperation) -> Result<Self, Error> {
        let without = || Error::internal("a verify_meeting operation without a session");
        let session = operation.session_id.ok_or_else(without)?;
        match operation.action()? {
            Action::VerifyMeeting(meeting, of) => {
                Ok(Self { session, region: of.control_region, meeting, reported: Some(operation) })
            }
            Action::DeleteAttendee(..)
            | Action::UpdateCapabilities(..)
            | Action::DeleteMeeting(..)
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
            | Action::FindEntities(_) => Err(Error::internal("an operation of another kind was leased")),
        }
    }
}

impl Calls {
    /// Leases the ends that events claim. A meeting that is found live keeps its session.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(super) async fn lease_reported_ends(&self, origin: &Origin) -> Result<Vec<PendingOperation>, Error> {
        let executor = Operation::VerifyMeeting.executor();
        let kinds = [Operation::VerifyMeeting];
        Ok(self
            .store
            .lease_operations(executor, &kinds, (MAX_REPORTED_ENDS, domain::operation::LEASE), origin.now)
            .await?)
    }

    /// Does what each session of a page needs, the reported ends first. Sessions that the time does not allow for have no
    /// outcome, and operations that it does not allow for are returned.
    pub(super) async fn repair(
        &self,
        reported: Vec<PendingOperation>,
        due: &[StalledSession],
        pace: &mut Pace,
        origin: &Origin,
    ) -> Result<Vec<SessionRepair>, Error> {
        let mut outcomes = Vec::new();
        let mut verifications = Vec::new();
        for operation in reported {
            match Verification::of(operation.clone()) {
                Ok(verification) => verifications.push(verification),
                // A defect in one row must not stop the run.
                Err(error) => self.release(&operation, &error, origin).await,
            }
        }
        for session in due {
            match reconcile::decide(session, origin.now) {
                RepairAction::Skip => {}
                RepairAction::FailStart => {
                    outcomes.push(SessionRepair { id: session.id, outcome: RepairOutcome::StartFailed });
                }
                RepairAction::VerifyMeeting(meeting) => {
                    if verifications.iter().all(|verification| verification.session != session.id) {
                        let region = session.control_region.clone();
                        verifications.push(Verification {
                            session: session.id,
                            region,
                            meeting,
                            reported: None,
                        });
                    }
                }
            }
        }
        let (mut under_way, mut left) = (JoinSet::new(), Vec::new());
        for verification in verifications {
            if pace.is_over() {
                left.extend(verification.reported.map(|operation| operation.id));
                continue;
            }
            pace.wait().await;
            let meetings = self.unretried.clone();
            let request = async move {
                let live = meetings.is_live(&verification.region, verification.meeting).await;
                (verification, live)
            };
            under_way.spawn(request.in_current_span());
            if let Ok(Some(done)) = timeout(SLOW_AFTER, under_way.join_next()).await {
                outcomes.extend(self.conclude(done, origin).await);
            }
            pace.pause(VERIFY_PAUSE);
        }
        while let Some(done) = under_way.join_next().await {
            outcomes.extend(self.conclude(done, origin).await);
        }
        if !left.is_empty() {
            self.store.return_operations(&left).await?;
        }
        Ok(outcomes)
    }

    /// Writes outcomes and returns how many ends were finished. Outcomes that the database rejects together are written one by one, so
    /// that a session of which it rejects the outcome (the event about an end names the call's members, from the host's views) does
    /// not stop the others; that failure is in the totals.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(super) async fn apply_outcomes(
        &self,
        outcomes: &[SessionRepair],
        totals: &mut Totals,
        origin: &Origin,
    ) -> Result<u32, Error> {
        match self.store.apply_reconciliation(outcomes, origin).await.map_err(Error::from) {
            Ok(counts) => {
                totals.add(outcomes, counts);
                return Ok(counts.ends_finished);
            }
            Err(error) if error.retryable() => return Err(error),
            Err(_) => {}
        }
        let mut ends_finished = 0;
        for outcome in outcomes {
            let alone = std::slice::from_ref(outcome);
            match self.store.apply_reconciliation(alone, origin).await.map_err(Error::from) {
                Ok(counts) => {
                    totals.add(alone, counts);
                    ends_finished += counts.ends_finished;
                }
                Err(error) if error.retryable() => return Err(error),
                Err(error) => {
                    tracing::error!(session = %outcome.id, error = causes(&error), "session cannot be repaired");
                    totals.failure.get_or_insert(error);
                }
            }
        }
        Ok(ends_finished)
    }

    /// The outcome of a session after Chime's response. A failure does not stop the repair of others, so it is logged here.
    async fn conclude(
        &self,
        done: Result<(Verification, Result<bool, chime::Error>), JoinError>,
        origin: &Origin,
    ) -> Option<SessionRepair> {
        let (Verification { session, reported, .. }, live) = done
            .inspect_err(|error| tracing::error!(error = %error, "repair of a session was aborted"))
            .ok()?;
        let outcome = match (live, reported) {
            (Ok(true), _) => RepairOutcome::Live,
            (Ok(false), _) => RepairOutcome::MeetingGone,
            (Err(error), Some(operation)) => {
                self.release(&operation, &error.into(), origin).await;
                RepairOutcome::Unknown
            }
            (Err(error), None) => {
                tracing::warn!(session = %session, error = causes(&error), "meeting not verified, will retry");
                RepairOutcome::Unknown
            }
        };
        Some(SessionRepair { id: session, outcome })
    }
}
