//! Events of media pipelines, and those that announce a pending operation.

use std::time::Duration;

use bus::OPERATION_PENDING;
use chime::event::{self, PipelineEventKind};
use domain::Error;
use domain::audit::Origin;
use domain::call::SessionOf;
use domain::error::causes;
use domain::recording::capture::PipelineReport;
use domain::recording::segment::SegmentEvent;
use runtime::{Answer, Envelope, Messages};
use tokio::time::Instant;

use crate::App;
use crate::pipelines::{Known, capture_of};
use crate::segments::STEP;

/// Operations that an event makes due are executed at once for this long; the schedule continues.
const OPERATIONS_FOR: Duration = Duration::from_secs(20);

impl App {
    /// Handles a batch. An event that fails returns to the queue alone.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn handle(&self, messages: &Messages) -> Result<Answer, Error> {
        let mut outcomes = Vec::with_capacity(messages.list.len());
        for message in &messages.list {
            outcomes.push(self.handle_one(&message.event, &messages.origin).await);
        }
        let until = Instant::now() + OPERATIONS_FOR;
        if let Err(error) =
            Box::pin(self.run_segment_operations((until, until + STEP), &messages.origin)).await
        {
            // The events were handled; the schedule executes what is left.
            tracing::warn!(error = causes(&error), "operations on segments not executed, will retry");
        }
        Ok(messages.answer(outcomes))
    }

    async fn handle_one(&self, event: &Envelope, origin: &Origin) -> Result<(), Error> {
        if event.detail_type == OPERATION_PENDING {
            return self.take_steps_after_event(bus::pending_session(event.detail.get())?, origin).await;
        }
        let envelope = event::Envelope {
            id: &event.id,
            detail_type: &event.detail_type,
            region: &event.region,
            detail: event.detail.get(),
        };
        let Some(read) = event::read_pipeline(envelope)? else { return Ok(()) };
        let mut found = self.calls.store().find_pipeline(Some(read.pipeline), None).await?;
        let mut arn = None;
        if found.is_none() {
            // The answer to its creation was lost, or has not come yet: its sink names the capture.
            let pipeline = self.calls.pipelines().get(&read.control_region, read.pipeline).await?;
            let Some(pipeline) = pipeline else { return Ok(()) };
            let capture = pipeline.sink_arn.as_deref().and_then(|sink| capture_of(&self.bucket_arn, sink));
            // A pipeline of another application.
            let Some(capture) = capture else { return Ok(()) };
            found = self.calls.store().find_pipeline(None, Some(capture)).await?;
            arn = Some(pipeline.arn);
        }
        let Some(found) = found else { return Ok(()) };
        if found.concatenation {
            let event = match read.kind {
                PipelineEventKind::InProgress => return Ok(()),
                PipelineEventKind::Deleted => SegmentEvent::Ended(read.pipeline),
                PipelineEventKind::PermanentFailure => SegmentEvent::Failed(read.pipeline),
            };
            return self.report_concatenation(found.capture_id, event, origin).await;
        }
        let report = match read.kind {
            PipelineEventKind::InProgress => PipelineReport::InProgress(read.pipeline),
            PipelineEventKind::Deleted => PipelineReport::Gone(read.pipeline),
            PipelineEventKind::PermanentFailure => PipelineReport::Failed(read.pipeline),
        };
        let target = SessionOf { appointment: found.appointment_id, session: found.session_id };
        self.report(target, found.capture_id, report, Known { arn, at: read.at }, origin).await?;
        self.take_steps_after_event(target, origin).await
    }

    async fn take_steps_after_event(&self, target: SessionOf, origin: &Origin) -> Result<(), Error> {
        self.take_steps(target, None, origin).await?.failure.map_or(Ok(()), Err)
    }
}
