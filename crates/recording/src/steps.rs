//! Compares a session's captures with what is wanted, and takes the next step.

use domain::Error;
use domain::audit::{Event, Origin};
use domain::call::{Session, SessionOf, View};
use domain::error::reason;
use domain::id::{RecordingId, UserId};
use domain::operation::StartCapture;
use domain::recording::capture;
use domain::recording::control::{Refusal, Request};
use domain::recording::plan::{self, RecordingChange, Snapshot, Step};
use domain::recording::{EndReason, Intent, PauseReason};
use domain::state::Role;
use runtime::metrics::{self, Metric};
use store::captures::{
    CaptureChange, CaptureWrite, CapturesApplied, NewCapture as CaptureInsert, RecordingEntry, RecordingWrite,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::App;
use crate::pipelines::Fresh;

/// The session is read again this often because something changed it meanwhile, or one step followed another.
pub(crate) const MAX_ATTEMPTS: usize = 8;

/// A request of a participant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) user: UserId,
    pub(crate) role: Role,
}

/// The result.
#[derive(Debug, Default)]
pub(crate) struct StepsTaken {
    /// A recording began.
    pub(crate) began: Option<RecordingId>,
    /// A capture is stuck in its state.
    pub(crate) stuck: bool,
    /// A capture goes on although its stop was requested a minute ago because of a refusal.
    pub(crate) not_stopped: bool,
    /// Chime could not be asked: it is asked again in the next run.
    pub(crate) failure: Option<Error>,
}

impl App {
    /// Takes the steps that are due for a session until nothing is due; with a participant's request, which has read the call, only
    /// that one and what follows from it at once.
    ///
    /// # Errors
    /// The refusal of the request; 503 when a backend is down: what was stored is continued by the schedule.
    pub(crate) async fn take_steps(
        &self,
        target: SessionOf,
        asked: Option<(Asked, View)>,
        origin: &Origin,
    ) -> Result<StepsTaken, Error> {
        // On the heap: a call with all that follows from it takes 20 KB.
        Box::pin(self.take_each_step(target, asked, origin)).await
    }

    async fn take_each_step(
        &self,
        target: SessionOf,
        mut asked: Option<(Asked, View)>,
        origin: &Origin,
    ) -> Result<StepsTaken, Error> {
        let mut taken = StepsTaken::default();
        for _ in 0..MAX_ATTEMPTS {
            let load = self.calls.store().load_session(target.appointment, target.session);
            let (by, view) = match asked.take() {
                Some((by, view)) => (Some(by), view),
                None => (None, load.await?),
            };
            let Some(session) = view.session.as_ref() else { return Ok(taken) };
            let before = Snapshot::read(&view, new_id()?);
            let request = by.map(|by| by.request);
            let decision = plan::decide(before.clone(), request, origin.now).map_err(refusal)?;
            if decision.changes.is_empty() {
                match decision.step {
                    Step::Keep | Step::WaitUntil(_) => return Ok(taken),
                    Step::Ask { capture, pipeline, alarm } => {
                        taken.stuck |= alarm;
                        taken.not_stopped |= alarm && is_revoked(&before);
                        match self.ask_chime(target, session, (capture, pipeline), &before, origin).await {
                            Ok(true) => continue,
                            Ok(false) => {}
                            // A capture that is stuck is reported all the same.
                            Err(error) => taken.failure = Some(error),
                        }
                        return Ok(taken);
                    }
                    Step::Open { .. } | Step::Stop { .. } => {}
                }
            }
            let change = self.change((&view, session), &before, &decision, origin.now)?;
            let actor = by.map(|by| (by.user, by.role));
            let store = self.calls.store();
            let Some(applied) = store.apply_captures(session.id, &before, &change, actor, origin).await?
            else {
                let again = self.calls.store().load_session(target.appointment, target.session);
                asked = match by {
                    Some(by) => Some((by, again.await?)),
                    None => None,
                };
                continue;
            };
            let begun = decision.changes.iter().find_map(|change| match change {
                RecordingChange::Begin { id, .. } => Some(*id),
                RecordingChange::Pause(_) | RecordingChange::Resume | RecordingChange::End(_) => None,
            });
            taken.began = taken.began.or(begun);
            let failed = RecordingChange::End(EndReason::CaptureFailed);
            if decision.changes.contains(&failed) {
                metrics::emit(&[(Metric::RecordingsFailed, 1)]);
            }
            let without_capacity = self.follow(target, applied, origin).await?;
            if by.is_some() {
                if without_capacity && begun.is_some() {
                    self.end_without_capacity(target, origin).await?;
                    return Err(Error::NoCapacity(reason::RECORDING_CAPACITY));
                }
                // An event or the schedule takes the later steps.
                return Ok(taken);
            }
        }
        // Others change the session again and again; the next event or the schedule goes on.
        Ok(taken)
    }

    /// Publishes the events of a change and executes its operations. Returns whether Chime has no capacity for a capture.
    async fn follow(
        &self,
        target: SessionOf,
        applied: CapturesApplied,
        origin: &Origin,
    ) -> Result<bool, Error> {
        for event in applied.events {
            self.calls.publish(Some(event), origin).await;
        }
        let mut without_capacity = false;
        for operation in applied.operations {
            match self.execute_capture(target, &operation, Fresh::Yes, origin).await {
                Ok(is_without) => without_capacity |= is_without,
                Err(error) => self.calls.release(&operation, &error, origin).await,
            }
        }
        Ok(without_capacity)
    }

    /// Ends a recording that could not begin, because the quota is exhausted.
    async fn end_without_capacity(&self, target: SessionOf, origin: &Origin) -> Result<(), Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.store().load_session(target.appointment, target.session).await?;
            let before = Snapshot::read(&view, new_id()?);
            let (Some(session), Some(_)) = (view.session.as_ref(), view.captures.recording) else {
                return Ok(());
            };
            let changes = vec![RecordingChange::End(EndReason::Capacity)];
            let decision = plan::Decision { changes, step: Step::Keep };
            let change = self.change((&view, session), &before, &decision, origin.now)?;
            let store = self.calls.store();
            if let Some(applied) =
                store.apply_captures(target.session, &before, &change, None, origin).await?
            {
                self.follow(target, applied, origin).await?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// The rows of a decision.
    fn change(
        &self,
        (view, session): (&View, &Session),
        before: &Snapshot,
        decision: &plan::Decision,
        now: OffsetDateTime,
    ) -> Result<CaptureChange, Error> {
        let mut change = CaptureChange::default();
        let mut recording = view.captures.recording.map(RecordingWrite::of);
        for one in &decision.changes {
            if let RecordingChange::Begin { id, automatic } = *one {
                recording = Some(RecordingWrite::begin(id, automatic, self.layout, now));
            }
            let Some(write) = &mut recording else { continue };
            apply(write, *one, now);
            change.entries.push(entry(write.id, *one));
        }
        let layout = recording.as_ref().map_or(self.layout, |write| write.layout);
        change.recording = recording.filter(|_| !decision.changes.is_empty());
        match decision.step {
            Step::Open { purposes, recording, gap } => {
                let meeting_arn = session
                    .active()
                    .and_then(|call| call.meeting.json["MeetingArn"].as_str())
                    .ok_or_else(|| Error::internal("a meeting without an ARN"))?;
                let payload = StartCapture {
                    control_region: session.control_region.clone(),
                    meeting_arn: meeting_arn.to_owned(),
                    layout: purposes.recording.then_some(layout),
                };
                change.open = Some(CaptureInsert { capture: new_id()?, purposes, recording, gap, payload });
            }
            Step::Stop { capture: id, stop } => {
                if let Some(open) = before.capture.filter(|open| open.id == id) {
                    let mut after = open;
                    capture::request_stop(&mut after, stop);
                    change.capture = Some(CaptureWrite::between(&open, &after, None, now));
                }
            }
            Step::Keep | Step::WaitUntil(_) | Step::Ask { .. } => {}
        }
        Ok(change)
    }
}

/// Whether the open capture is being stopped because of a refusal.
fn is_revoked(snapshot: &Snapshot) -> bool {
    snapshot.capture.and_then(|open| open.stop).is_some_and(|stop| !stop.revoked.is_empty())
}

/// Applies a change to a recording's row.
fn apply(write: &mut RecordingWrite, change: RecordingChange, now: OffsetDateTime) {
    match change {
        RecordingChange::Begin { .. } => {}
        RecordingChange::Pause(reason) => {
            (write.intent, write.paused_at, write.pause_reason) = (Intent::Paused, Some(now), Some(reason));
        }
        RecordingChange::Resume => write.intent = Intent::Recording,
        RecordingChange::End(reason) => {
            (write.intent, write.ended_at, write.end_reason) = (Intent::Ended, Some(now), Some(reason));
        }
    }
}

fn entry(recording_id: RecordingId, change: RecordingChange) -> RecordingEntry {
    let (event, reason, automatic) = match change {
        RecordingChange::Begin { automatic, .. } => (Event::RecordingStarted, None, Some(automatic)),
        RecordingChange::Pause(reason) => (Event::RecordingPaused, Some(reason.as_str()), None),
        RecordingChange::Resume => (Event::RecordingResumed, None, None),
        RecordingChange::End(reason) => (Event::RecordingEnded, Some(reason.as_str()), None),
    };
    let own = match change {
        RecordingChange::Begin { automatic, .. } => !automatic,
        RecordingChange::Pause(reason) => reason == PauseReason::Requested,
        RecordingChange::Resume => true,
        RecordingChange::End(reason) => reason == EndReason::Requested,
    };
    RecordingEntry { event: event.as_str(), recording_id, reason, automatic, own }
}

fn refusal(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NoActiveCall => Error::NotFound(reason::NO_ACTIVE_CALL),
        Refusal::ConsentRequired(missing) => Error::ConsentRequired { missing },
        Refusal::Paused(_) => Error::conflict(reason::RECORDING_PAUSED),
        Refusal::Ended => Error::conflict(reason::RECORDING_ENDED),
    }
}

/// A new id of a recording or a capture.
pub(crate) fn new_id<T: std::str::FromStr>() -> Result<T, Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    Uuid::new_v4().to_string().parse().map_err(Error::internal)
}
