//! Compares a session's captures with what is wanted, and takes the next step.

use chime::{NewCapture, PipelineStatus};
use domain::Error;
use domain::audit::{Event, Origin};
use domain::call::{Session, View};
use domain::error::{causes, reason};
use domain::id::{AppointmentId, CaptureId, PipelineId, RecordingId, SessionId, UserId};
use domain::operation::{Action, Executed, PendingOperation, StartCapture};
use domain::recording::capture::{self, CaptureStatus, PipelineReport};
use domain::recording::control::{Refusal, Request};
use domain::recording::plan::{self, RecordingChange, Snapshot, Step};
use domain::recording::{EndReason, Intent};
use domain::state::Role;
use store::captures::{
    CaptureChange, CaptureWrite, CapturesApplied, NewCapture as CaptureInsert, RecordingEntry, RecordingWrite,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::App;

/// The session is read again this often because something changed it meanwhile, or one step followed another.
const MAX_ATTEMPTS: usize = 8;

/// The prefix of a recorded capture's chunks in the bucket.
pub(crate) const CAPTURES: &str = "captures";
/// The prefix of chunks that are captured for their text only.
pub(crate) const SPEECH: &str = "speech";

/// A session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) appointment: AppointmentId,
    pub(crate) session: SessionId,
}

/// A request of a participant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) user: UserId,
    pub(crate) role: Role,
}

/// What is known of a pipeline with a report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Its ARN, where it is known for the first time.
    pub(crate) arn: Option<String>,
    /// When it happened, by Chime's clock; `None`: now.
    pub(crate) at: Option<OffsetDateTime>,
}

/// The result.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settled {
    /// A recording began.
    pub(crate) began: Option<RecordingId>,
    /// A recording ended because its captures failed.
    pub(crate) failed: bool,
    /// A capture is stuck in its state.
    pub(crate) stuck: bool,
    /// A capture goes on although its stop was requested a minute ago because of a refusal.
    pub(crate) not_stopped: bool,
}

impl App {
    /// Takes the steps that are due for a session until nothing is due: the participant's request first, if there is one.
    ///
    /// # Errors
    /// The refusal of the request; 503 when a backend is down: what was stored is continued by the schedule.
    pub(crate) async fn settle(
        &self,
        target: Target,
        asked: Option<Asked>,
        origin: &Origin,
    ) -> Result<Settled, Error> {
        let mut asked = asked;
        let mut settled = Settled::default();
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.store().load_session(target.appointment, target.session).await?;
            let Some(session) = view.session.as_ref() else { return Ok(settled) };
            let before = Snapshot::read(&view, new_id()?);
            let request = asked.map(|asked| asked.request);
            let decision = plan::decide(before.clone(), request, origin.now).map_err(refusal)?;
            if decision.changes.is_empty() {
                match decision.step {
                    Step::Keep | Step::WaitUntil(_) => return Ok(settled),
                    Step::Ask { capture, pipeline, alarm } => {
                        settled.stuck |= alarm;
                        settled.not_stopped |= alarm && is_revoked(&before);
                        if !self.ask_chime(target, session, capture, pipeline, origin).await? {
                            return Ok(settled);
                        }
                        continue;
                    }
                    Step::Open { .. } | Step::Stop { .. } => {}
                }
            }
            let change = self.change((&view, session), &before, &decision, origin.now)?;
            let actor = asked.map(|asked| (asked.user, asked.role));
            let store = self.calls.store();
            let Some(applied) = store.apply_captures(session.id, &before, &change, actor, origin).await?
            else {
                continue;
            };
            let begun = decision.changes.iter().find_map(|change| match change {
                RecordingChange::Begin { id, .. } => Some(*id),
                RecordingChange::Pause(_) | RecordingChange::Resume | RecordingChange::End(_) => None,
            });
            settled.began = settled.began.or(begun);
            let failed = RecordingChange::End(EndReason::CaptureFailed);
            settled.failed |= decision.changes.contains(&failed);
            let by_hand = asked.take().is_some();
            let without_capacity = self.follow(target, applied, origin).await?;
            if without_capacity && by_hand && begun.is_some() {
                self.end_without_capacity(target, origin).await?;
                return Err(Error::NoCapacity(reason::RECORDING_CAPACITY));
            }
        }
        // Others change the session again and again; the next event or the schedule goes on.
        Ok(settled)
    }

    /// Publishes the events of a change and executes its operations. Returns whether Chime has no capacity for a capture.
    async fn follow(&self, target: Target, applied: CapturesApplied, origin: &Origin) -> Result<bool, Error> {
        for event in applied.events {
            self.calls.publish(Some(event), origin).await;
        }
        let mut without_capacity = false;
        for operation in applied.operations {
            match self.execute_capture(target, &operation, origin).await {
                Ok(is_without) => without_capacity |= is_without,
                Err(error) => self.calls.release(&operation, &error, origin).await,
            }
        }
        Ok(without_capacity)
    }

    /// Executes an operation on a capture: its start, or its stop. Returns whether Chime has no capacity.
    ///
    /// # Errors
    /// Where Chime or the database is down: the operation is still open.
    pub(crate) async fn execute_capture(
        &self,
        target: Target,
        operation: &PendingOperation,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let without_capacity = match operation.action()? {
            Action::StartCapture(capture, of) => self.start_capture(target, capture, &of, origin).await?,
            Action::StopCapture(_, of) => {
                // Without a pipeline's id nothing can be deleted yet: what creates it deletes it.
                if let Some(pipeline) = of.pipeline_id {
                    self.calls.pipelines().delete_capture(&of.control_region, pipeline).await?;
                }
                false
            }
            Action::DeleteAttendee(..)
            | Action::UpdateCapabilities(..)
            | Action::DeleteMeeting(..)
            | Action::VerifyMeeting(..)
            | Action::PublishEvent(_)
            | Action::Concatenate(..)
            | Action::VerifySegment(..)
            | Action::DeleteChunks(..)
            | Action::DeleteRecording(..) => {
                return Err(Error::internal("an operation of another kind follows from no capture"));
            }
        };
        let executed = Executed { id: operation.id, payload: Some(operation.payload.clone()) };
        self.calls.store().complete_operations(&[executed], origin.now).await?;
        Ok(without_capacity)
    }

    /// Creates the pipeline of a capture, if it is still requested. Returns whether Chime has no capacity for it.
    async fn start_capture(
        &self,
        target: Target,
        capture: CaptureId,
        of: &StartCapture,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let view = self.calls.store().load_session(target.appointment, target.session).await?;
        let is_requested = view
            .captures
            .capture
            .is_some_and(|open| open.id == capture && open.status == CaptureStatus::Requested);
        if !is_requested {
            return Ok(false);
        }
        let sink = sink_of(&self.bucket_arn, capture, of);
        let created = self
            .calls
            .pipelines()
            .create_capture(NewCapture {
                capture,
                control_region: &of.control_region,
                meeting_arn: &of.meeting_arn,
                sink_arn: &sink,
                layout: of.layout,
            })
            .await;
        let (report, arn) = match created {
            Ok(created) => (PipelineReport::Created(created.id), Some(created.arn)),
            Err(
                error @ (chime::Error::Throttled(_)
                | chime::Error::Unavailable(_)
                | chime::Error::Conflict(_)),
            ) => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(capture = %capture, error = causes(&error), "Chime refused a capture");
                let capacity = matches!(error, chime::Error::Limit(_));
                (PipelineReport::Refused { capacity }, None)
            }
        };
        self.report(target, capture, report, Known { arn, at: None }, origin).await?;
        Ok(report == PipelineReport::Refused { capacity: true })
    }

    /// Applies what is known of a capture's pipeline. Returns whether it changed anything.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn report(
        &self,
        target: Target,
        capture: CaptureId,
        report: PipelineReport,
        known: Known,
        origin: &Origin,
    ) -> Result<bool, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.store().load_session(target.appointment, target.session).await?;
            let Some(session) = view.session.as_ref() else { return Ok(false) };
            let before = Snapshot::read(&view, new_id()?);
            let Some(open) = before.capture.filter(|open| open.id == capture) else {
                // The capture has ended: a pipeline that works for it must not exist.
                if let PipelineReport::Created(id) | PipelineReport::InProgress(id) = report {
                    self.delete_pipeline(&session.control_region, id).await;
                }
                return Ok(false);
            };
            // A time of Chime's is neither before the request nor ahead of ours.
            let at = known.at.map_or(origin.now, |at| at.max(open.requested_at).min(origin.now));
            let Some(advanced) = before.clone().report(report, at) else { return Ok(false) };
            if advanced.capture == open {
                return Ok(false);
            }
            let write = CaptureWrite::between(&open, &advanced.capture, known.arn.clone(), at);
            let change = CaptureChange { capture: Some(write), ..CaptureChange::default() };
            let applied =
                self.calls.store().apply_captures(session.id, &before, &change, None, origin).await?;
            let Some(applied) = applied else { continue };
            if let Some(id) = advanced.delete.filter(|id| open.pipeline != Some(*id)) {
                self.delete_pipeline(&session.control_region, id).await;
            }
            for event in applied.events {
                self.calls.publish(Some(event), origin).await;
            }
            for operation in applied.operations {
                if let Err(error) = Box::pin(self.execute_capture(target, &operation, origin)).await {
                    self.calls.release(&operation, &error, origin).await;
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Asks Chime for the pipeline of a capture. Returns whether that changed anything.
    async fn ask_chime(
        &self,
        target: Target,
        session: &Session,
        capture: CaptureId,
        pipeline: Option<PipelineId>,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let region = &session.control_region;
        let found = match pipeline {
            Some(id) => self.calls.pipelines().get(region, id).await?,
            None => self.listed(region, capture).await?,
        };
        let (report, arn) = match (found, pipeline) {
            (Some(found), _) => match found.status {
                PipelineStatus::Starting if pipeline.is_none() => {
                    (PipelineReport::Created(found.id), Some(found.arn))
                }
                PipelineStatus::Starting | PipelineStatus::Stopping => return Ok(false),
                PipelineStatus::Running => (PipelineReport::InProgress(found.id), Some(found.arn)),
                PipelineStatus::Stopped => (PipelineReport::Gone(found.id), Some(found.arn)),
                PipelineStatus::Failed => (PipelineReport::Failed(found.id), Some(found.arn)),
            },
            (None, Some(id)) => (PipelineReport::Gone(id), None),
            (None, None) => (PipelineReport::NotListed, None),
        };
        self.report(target, capture, report, Known { arn, at: None }, origin).await
    }

    /// The pipeline whose sink is a capture's, among those of the account.
    async fn listed(&self, region: &str, capture: CaptureId) -> Result<Option<chime::Pipeline>, Error> {
        for id in self.calls.pipelines().list(region).await? {
            let Some(pipeline) = self.calls.pipelines().get(region, id).await? else { continue };
            if pipeline.sink_arn.as_deref().and_then(|sink| capture_of(&self.bucket_arn, sink))
                == Some(capture)
            {
                return Ok(Some(pipeline));
            }
        }
        Ok(None)
    }

    /// Deletes a pipeline that must not exist. Where Chime does not answer, the schedule finds it by its sink.
    pub(crate) async fn delete_pipeline(&self, region: &str, id: PipelineId) {
        if let Err(error) = self.calls.pipelines().delete_capture(region, id).await {
            tracing::warn!(pipeline = %id, error = causes(&error), "orphan media pipeline not deleted");
        }
    }

    /// Ends a recording that could not begin, because the quota is exhausted.
    async fn end_without_capacity(&self, target: Target, origin: &Origin) -> Result<(), Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.store().load_session(target.appointment, target.session).await?;
            let before = Snapshot::read(&view, new_id()?);
            let Some(open) = view.captures.recording else { return Ok(()) };
            let end = RecordingChange::End(EndReason::Capacity);
            let mut change = CaptureChange::default();
            let mut write = RecordingWrite::of(open);
            apply(&mut write, end, origin.now);
            change.entries.push(entry(open.id, end));
            change.recording = Some(write);
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

/// The sink of a capture: the last part is its id.
fn sink_of(bucket_arn: &str, capture: CaptureId, of: &StartCapture) -> String {
    let prefix = if of.layout.is_some() { CAPTURES } else { SPEECH };
    format!("{bucket_arn}/{prefix}/{capture}")
}

/// The capture of a sink in our bucket.
pub(crate) fn capture_of(bucket_arn: &str, sink: &str) -> Option<CaptureId> {
    let key = sink.strip_prefix(bucket_arn)?.strip_prefix('/')?;
    let (prefix, id) = key.split_once('/')?;
    if prefix == CAPTURES || prefix == SPEECH { id.trim_end_matches('/').parse().ok() } else { None }
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
    RecordingEntry { event: event.as_str(), recording_id, reason, automatic }
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
