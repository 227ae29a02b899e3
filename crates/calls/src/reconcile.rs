//! Reconcile: what requests left behind is finished, what Chime ended unheard is closed, meetings that nobody owns are
//! ended, and events are read again where something came between.

use std::time::Duration;

use domain::Error;
use domain::audit::Origin;
use domain::id::ChimeMeetingId;
use domain::presence::History;
use domain::reconcile::{self, Left, RepairAction};
use domain::state::SessionStatus;
use store::orphans::Orphaned;
use store::reconcile::{RepairOutcome, RepairCounts, Outcome, PageSize};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument as _;

use crate::{Calls, ROUNDS, conflict_retry};

/// A run begins nothing new after this, so that it is over, answers awaited and written, before the function's 20 s are:
/// 12 s, 3 s for a call to Chime, 2.5 s for the last statement.
const BEGINS_UNTIL: Duration = Duration::from_secs(12);

/// Longer than a run may last and, reckoned from any moment of it, over before the run of the minute after.
const LEASE: Duration = Duration::from_secs(30);

/// What is read at once. All of it fits into the time of a run.
const PAGE: PageSize = PageSize { unfinished: 20, unasked: 10 };

/// With two turns a page, one for debts, two each for orphans and for events that are read again, two for every ten notices and
/// one more, twice, one to prune and one to give the lease back, a run takes some two dozen turns as a rule.
const MOST_PAGES: usize = 5;

/// Debts and meetings that nobody owns come first, for somebody may be listening who must not, and each has this much time:
/// however many calls are to be asked for, they are not kept waiting.
const FIRST: Duration = Duration::from_secs(3);

/// Notices that wait are told before calls are mended, for this long, and those of the mended calls after, until then; a call
/// to the bus may take 3 s more.
const TELLS_FOR: Duration = Duration::from_secs(2);
const TELLS_UNTIL: Duration = Duration::from_secs(14);

/// How long a run goes on reading events again that others change meanwhile.
const READS_UNTIL: Duration = Duration::from_secs(14);

/// How many meetings that nobody owns a run ends at most.
const MOST_ORPHANS: i64 = 10;

/// How many sessions have their events read again in a run.
const MOST_UNREAD: i64 = 50;

/// How many of each kind of what has served its time a run drops.
const MOST_PRUNED: i64 = 1000;

/// From Chime's answer to the next `GetMeeting`, so that any second sees two at most. A run asks for some twenty meetings:
/// a hundred calls are asked for every five minutes, more of them less often.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The same for `DeleteMeeting`: of the ten requests a second that Chime allows an account, callers keep half.
const END_EVERY: Duration = Duration::from_millis(200);

/// A call that takes longer goes on beside the next one: one region that does not answer must not hold up the others.
pub(crate) const SLOW: Duration = Duration::from_secs(1);

/// Keeps the distance between calls, on the real clock: Chime counts by it, whatever time a test has moved to.
struct Pace {
    next: Instant,
    ends: Instant,
}

impl Pace {
    /// The run before may have asked just now, in another environment.
    fn begin(began: Instant) -> Self {
        Self { next: began + ASK_EVERY, ends: began + BEGINS_UNTIL }
    }

    fn is_over(&self) -> bool {
        Instant::now().max(self.next) >= self.ends
    }

    async fn turn(&self) {
        sleep_until(self.next).await;
    }

    fn rest(&mut self, pause: Duration) {
        self.next = Instant::now() + pause;
    }
}

/// What a run did.
#[derive(Default)]
struct Totals {
    pages: usize,
    live: usize,
    unknown: usize,
    mended: RepairCounts,
    orphans: u32,
}

impl Totals {
    fn count(&mut self, outcomes: &[Outcome], mended: RepairCounts) {
        let of = |fate| outcomes.iter().filter(|outcome| outcome.fate == fate).count();
        self.pages += 1;
        self.live += of(RepairOutcome::Live);
        self.unknown += of(RepairOutcome::Unknown);
        self.mended.ended += mended.ended;
        self.mended.gone += mended.gone;
        self.mended.abandoned += mended.abandoned;
    }
}

impl Calls {
    /// Mends sessions that nobody moves, as many as fit into a run, the oldest first. One run at a time; what is left over
    /// is the next one's, and so is what Chime does not let be mended now.
    ///
    /// # Errors
    /// 503 when the database is down. What was mended stays so.
    pub async fn reconcile(&self, origin: &Origin) -> Result<(), Error> {
        let began = Instant::now();
        let mut pace = Pace::begin(began);
        let mut totals = Totals::default();
        let (mut paid, mut told) = (0, Ok(0));
        for page in 0..MOST_PAGES {
            let until = origin.now + began.elapsed() + LEASE;
            let Some(due) = self.store.reconcile_page(PAGE, until, origin).await? else {
                tracing::info!("another run reconciles");
                return Ok(());
            };
            if page == 0 {
                paid = self.pay_due(began + FIRST, origin).await?;
                totals.orphans = self.end_orphans(&mut pace, Instant::now() + FIRST, origin).await?;
                told = self.tell_waiting(origin.now, Instant::now() + TELLS_FOR).await;
            }
            let last = !is_full(&due);
            let outcomes = self.mend(&due, &mut pace, origin).await;
            if !outcomes.is_empty() {
                totals.count(&outcomes, self.store.apply_reconciliation(&outcomes, origin).await?);
            }
            if last || pace.is_over() {
                break;
            }
        }
        let unread = self.read_again(began + READS_UNTIL, origin).await;
        if told.is_ok() {
            told = self.tell_waiting(origin.now, began + TELLS_UNTIL).await;
        }
        let pruned = self.store.prune(MOST_PRUNED, origin.now).await.map_err(Error::from);
        let Totals { pages, live, unknown, mended: RepairCounts { ended, gone, abandoned, .. }, orphans } = totals;
        // A metric filter counts `mended` and `gone`: the template says where.
        let mended = ended + gone + abandoned + orphans;
        tracing::info!(mended, ended, gone, abandoned, orphans, paid, live, unknown, pages, "reconciled");
        // What could not be read, told or dropped fails the run when all else is done, so that its alarm tells.
        let outcome = unread.and(told.map(drop)).and(pruned.map(drop));
        if let Err(error) = self.store.reconcile_release(origin).await {
            // It lapses by itself before the next minute.
            tracing::warn!(error = %error, "the reconciler's lease could not be given back");
        }
        outcome
    }

    /// Ends meetings that no open session owns, as far as the time allows, and answers how many.
    async fn end_orphans(&self, pace: &mut Pace, ends: Instant, origin: &Origin) -> Result<u32, Error> {
        let prefix = &self.settings.external_id_prefix;
        let mut outcomes = Vec::new();
        for orphan in self.store.orphan_meetings(prefix, MOST_ORPHANS, origin.now).await? {
            if Instant::now() >= ends {
                break;
            }
            pace.turn().await;
            let meeting_id = orphan.meeting_id;
            let outcome = timeout(SLOW, self.meetings.delete_once(&orphan.control_region, meeting_id)).await;
            let ended = matches!(outcome, Ok(Ok(())));
            if !ended {
                tracing::warn!(meeting = %meeting_id, "a meeting that nobody owns is left for the next run");
            }
            outcomes.push(Orphaned { meeting_id, ended });
            pace.rest(END_EVERY);
        }
        if outcomes.is_empty() {
            return Ok(0);
        }
        Ok(self.store.settle_orphans(&outcomes, prefix, origin).await?)
    }

    /// Reads events again where a session ended since they were read, and where whoever kept them did not get to read them.
    /// What others change meanwhile is read once more. A session that the database refuses harms no other.
    async fn read_again(&self, ends: Instant, origin: &Origin) -> Result<(), Error> {
        let mut again = Vec::new();
        for _ in 0..ROUNDS {
            let unread = self.store.stale_sessions(MOST_UNREAD, &again, origin.now).await?;
            match self.settle(&unread, origin).await {
                Ok(settled) => again = settled.changed_meanwhile.into_iter().collect(),
                Err(error) if error.retryable() => return Err(error),
                Err(_) => return self.read_one_by_one(&unread, origin).await,
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

    async fn read_one_by_one(&self, unread: &[History], origin: &Origin) -> Result<(), Error> {
        let mut outcome = Ok(());
        for history in unread {
            if let Err(error) = self.settle(std::slice::from_ref(history), origin).await {
                tracing::error!(session = %history.id, error = %error, "a session's events cannot be read");
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Does what each session of a page needs. Sessions that the time does not allow for have no outcome.
    async fn mend(&self, due: &[Left], pace: &mut Pace, origin: &Origin) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut under_way = JoinSet::new();
        for session in due {
            let id = session.id;
            let (meeting, ends) = match reconcile::decide(session, origin.now) {
                RepairAction::Leave => continue,
                RepairAction::Fail => {
                    outcomes.push(Outcome { id, fate: RepairOutcome::Abandoned });
                    continue;
                }
                RepairAction::FinishEnd(None) => {
                    outcomes.push(Outcome { id, fate: RepairOutcome::Ended });
                    continue;
                }
                RepairAction::FinishEnd(Some(meeting)) => (meeting, true),
                RepairAction::Ask(meeting) => (meeting, false),
            };
            if pace.is_over() {
                continue;
            }
            pace.turn().await;
            let (meetings, region) = (self.meetings.clone(), session.control_region.clone());
            let call = async move {
                let fate = if ends {
                    end(&meetings, &region, meeting).await
                } else {
                    ask(&meetings, &region, meeting).await
                };
                Outcome { id, fate: told(fate, id) }
            };
            under_way.spawn(call.in_current_span());
            if let Ok(Some(done)) = timeout(SLOW, under_way.join_next()).await {
                outcomes.extend(outcome(done));
            }
            pace.rest(if ends { END_EVERY } else { ASK_EVERY });
        }
        while let Some(done) = under_way.join_next().await {
            outcomes.extend(outcome(done));
        }
        outcomes
    }
}

/// Whether there may be more of either kind.
fn is_full(due: &[Left]) -> bool {
    let unasked = due.iter().filter(|session| session.status == SessionStatus::Active).count();
    let reaches = |count: usize, most| i64::try_from(count).is_ok_and(|count| count >= most);
    reaches(unasked, PAGE.unasked) || reaches(due.len() - unasked, PAGE.unfinished)
}

async fn end(
    meetings: &chime::Meetings,
    region: &str,
    meeting: ChimeMeetingId,
) -> Result<RepairOutcome, chime::Error> {
    meetings.delete_once(region, meeting).await.map(|()| RepairOutcome::Ended)
}

async fn ask(
    meetings: &chime::Meetings,
    region: &str,
    meeting: ChimeMeetingId,
) -> Result<RepairOutcome, chime::Error> {
    let live = meetings.is_live_once(region, meeting).await?;
    Ok(if live { RepairOutcome::Live } else { RepairOutcome::Gone })
}

/// A failure stops nobody else's mending, so this is where it is logged.
fn told(fate: Result<RepairOutcome, chime::Error>, session: domain::id::SessionId) -> RepairOutcome {
    fate.unwrap_or_else(|error| {
        tracing::warn!(session = %session, reason = error.reason(), "a session is left for the next run");
        RepairOutcome::Unknown
    })
}

fn outcome(done: Result<Outcome, JoinError>) -> Option<Outcome> {
    done.inspect_err(|error| tracing::error!(error = %error, "the mending of a session broke off")).ok()
}
