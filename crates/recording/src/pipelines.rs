//! The pipelines of captures: created, deleted, and what Chime reports of them.

use chime::{NewCapture, PipelineStatus};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Session, SessionOf};
use domain::consent::ConsentPurpose;
use domain::error::causes;
use domain::id::{CaptureId, PipelineId};
use domain::operation::{Action, Executed, Operation, PendingOperation, StartCapture};
use domain::recording::capture::{self, Capture, CaptureStatus, PipelineReport, Tail};
use domain::recording::plan::Snapshot;
use runtime::metrics::{self, Metric};
use store::captures::{CaptureChange, CaptureWrite};
use time::OffsetDateTime;

use crate::App;
use crate::steps::{MAX_ATTEMPTS, new_id};

/// The prefix of a recorded capture's chunks in the bucket.
pub(crate) const CAPTURES: &str = "captures";
/// The prefix of chunks that are captured for their text only.
pub(crate) const SPEECH: &str = "speech";

/// Whether the request that executes an operation has inserted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    Yes,
    No,
}

/// Facts of a pipeline beside a report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Its ARN, where it is known for the first time.
    pub(crate) arn: Option<String>,
    /// When it happened, by Chime's clock; `None`: now.
    pub(crate) at: Option<OffsetDateTime>,
}

impl App {
    /// Executes an operation on a capture: its start, or its stop. Returns whether Chime has no capacity.
    ///
    /// # Errors
    /// Where Chime or the database is down: the operation is still open.
    pub(crate) async fn execute_capture(
        &self,
        target: SessionOf,
        operation: &PendingOperation,
        fresh: Fresh,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let without_capacity = match operation.action()? {
            Action::StartCapture(capture, of) => {
                if fresh == Fresh::Yes || self.is_requested(target, capture).await? {
                    self.start_capture(target, capture, &of, origin).await?
                } else {
                    false
                }
            }
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
            | Action::DeleteRecording(..)
            | Action::ApplyHold(..)
            | Action::StartTranscription(..)
            | Action::StopTranscription(..)
            | Action::TakeText(_)
            | Action::CompleteTranscript(_)
            | Action::DeleteTranscript(_)
            | Action::StartBatchJob(_)
            | Action::CheckBatchJob(_)
            | Action::FindEntities(_) => {
                return Err(Error::internal("an operation of another kind follows from no capture"));
            }
        };
        let executed = Executed { id: operation.id, payload: Some(operation.payload.clone()) };
        self.calls.store().complete_operations(&[executed], origin.now).await?;
        Ok(without_capacity)
    }

    /// Whether the pipeline of a capture is still to be created.
    async fn is_requested(&self, target: SessionOf, capture: CaptureId) -> Result<bool, Error> {
        let view = self.calls.store().load_session(target.appointment, target.session).await?;
        let open = view.captures.capture;
        Ok(open.is_some_and(|open| open.id == capture && open.status == CaptureStatus::Requested))
    }

    /// Creates the pipeline of a capture. Returns whether Chime has no capacity for it.
    async fn start_capture(
        &self,
        target: SessionOf,
        capture: CaptureId,
        of: &StartCapture,
        origin: &Origin,
    ) -> Result<bool, Error> {
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
        target: SessionOf,
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
            if let Some(tail) = tail_of(&advanced.capture, at).filter(|tail| tail.exceeds_limit()) {
                let seconds = tail.length.whole_seconds();
                tracing::error!(capture = %capture, seconds, "captured for long after a revocation");
                metrics::emit(&[(Metric::CapturesNotStopped, 1)]);
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
            if open.purposes.transcription && open.status != advanced.capture.status {
                // Chime is asked to transcribe what is captured, and the text of a capture that ended is taken.
                let kind = Operation::StartTranscription;
                self.calls.announce(kind, target.appointment, target.session).await;
            }
            for operation in applied.operations {
                if let Err(error) =
                    Box::pin(self.execute_capture(target, &operation, Fresh::Yes, origin)).await
                {
                    self.calls.release(&operation, &error, origin).await;
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Asks Chime for the pipeline of a capture. Returns whether that changed anything.
    pub(crate) async fn ask_chime(
        &self,
        target: SessionOf,
        session: &Session,
        (capture, pipeline): (CaptureId, Option<PipelineId>),
        before: &Snapshot,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let region = &session.control_region;
        let found = match pipeline {
            Some(id) => self.calls.pipelines().get(region, id).await?,
            None => self.listed(region, capture, origin.now).await?,
        };
        let is_stopping = before.capture.is_some_and(|open| open.status == CaptureStatus::Stopping);
        if let Some(found) = &found
            && is_stopping
        {
            match found.status {
                // The request to delete it was lost, or came before Chime knew the pipeline.
                PipelineStatus::Starting | PipelineStatus::Running | PipelineStatus::Failed => {
                    self.calls.pipelines().delete_capture(region, found.id).await?;
                }
                PipelineStatus::Stopping | PipelineStatus::Stopped => {}
            }
        }
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

    /// Deletes a pipeline that must not exist. Where Chime does not answer, the schedule finds it by its sink.
    pub(crate) async fn delete_pipeline(&self, region: &str, id: PipelineId) {
        if let Err(error) = self.calls.pipelines().delete_capture(region, id).await {
            tracing::warn!(pipeline = %id, error = causes(&error), "orphan media pipeline not deleted");
        }
    }
}

/// The tail of a capture that has ended.
fn tail_of(ended: &Capture, at: OffsetDateTime) -> Option<Tail> {
    let stop = ended.stop.filter(|_| !ended.status.is_open())?;
    capture::tail(ConsentPurpose::Recording, ended.began_at?, stop, at)
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
