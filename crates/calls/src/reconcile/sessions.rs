//! The job that repairs sessions: a start that no request finishes has failed, and an active meeting is verified with Chime.

use domain::audit::Origin;
use domain::error::causes;
use domain::id::ChimeMeetingId;
use domain::reconcile::{self, RepairAction, StalledSession};
use domain::state::SessionStatus;
use store::reconcile::{PageSize, RepairCounts, RepairOutcome, SessionRepair};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::pace::{Pace, SLOW_AFTER, VERIFY_PAUSE};
use crate::Calls;

/// The sums of a run's pages.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) pages: usize,
    pub(super) live: usize,
    pub(super) unverified: usize,
    pub(super) ends_finished: u32,
    pub(super) ended_without_event: u32,
    pub(super) starts_failed: u32,
}

impl Totals {
    pub(super) fn add(&mut self, outcomes: &[SessionRepair], counts: RepairCounts) {
        let of = |wanted| outcomes.iter().filter(|repair| repair.outcome == wanted).count();
        self.pages += usize::from(!outcomes.is_empty());
        self.live += of(RepairOutcome::Live);
        self.unverified += of(RepairOutcome::Unknown);
        self.ends_finished += counts.ends_finished;
        self.ended_without_event += counts.ended_without_event;
        self.starts_failed += counts.starts_failed;
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

impl Calls {
    /// Does what each session of a page needs. Sessions that the time does not allow for have no outcome.
    pub(super) async fn repair(
        &self,
        due: &[StalledSession],
        pace: &mut Pace,
        origin: &Origin,
    ) -> Vec<SessionRepair> {
        let mut outcomes = Vec::new();
        let mut under_way = JoinSet::new();
        for session in due {
            let id = session.id;
            let meeting = match reconcile::decide(session, origin.now) {
                RepairAction::Skip => continue,
                RepairAction::FailStart => {
                    outcomes.push(SessionRepair { id, outcome: RepairOutcome::StartFailed });
                    continue;
                }
                RepairAction::VerifyMeeting(meeting) => meeting,
            };
            if pace.is_over() {
                continue;
            }
            pace.wait().await;
            let (meetings, region) = (self.unretried.clone(), session.control_region.clone());
            let call =
                async move { SessionRepair { id, outcome: verify(&meetings, &region, meeting, id).await } };
            under_way.spawn(call.in_current_span());
            if let Ok(Some(done)) = timeout(SLOW_AFTER, under_way.join_next()).await {
                outcomes.extend(finished(done));
            }
            pace.pause(VERIFY_PAUSE);
        }
        while let Some(done) = under_way.join_next().await {
            outcomes.extend(finished(done));
        }
        outcomes
    }
}

/// Whether Chime knows the meeting. A failure does not stop the repair of others, so it is logged here.
async fn verify(
    meetings: &chime::Meetings,
    region: &str,
    meeting: ChimeMeetingId,
    session: domain::id::SessionId,
) -> RepairOutcome {
    match meetings.is_live(region, meeting).await {
        Ok(true) => RepairOutcome::Live,
        Ok(false) => RepairOutcome::EndedWithoutEvent,
        Err(error) => {
            tracing::warn!(session = %session, error = causes(&error), "meeting not verified, will retry");
            RepairOutcome::Unknown
        }
    }
}

fn finished(done: Result<SessionRepair, JoinError>) -> Option<SessionRepair> {
    done.inspect_err(|error| tracing::error!(error = %error, "repair of a session was aborted")).ok()
}
