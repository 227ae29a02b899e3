//! Pending operations on Chime's meetings and attendees: executed by the request that inserted them, by a repetition of that
//! request, or by the schedule.

use std::time::Duration;

use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::id::{SessionId, UserId};
use domain::operation::{self, Action, Executed, Operation, PendingOperation};

use tokio::time::timeout;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// Time for the stop of captures in a request that ends a call or revokes a consent.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(3);

impl Calls {
    /// Executes an operation that this request inserted, within its lease. Where Chime refuses or does not answer, the schedule
    /// executes it later and the caller gets the error.
    pub(crate) async fn execute(&self, operation: &PendingOperation, origin: &Origin) -> Result<(), Error> {
        let outcome = self.send_and_complete(operation, origin).await;
        if let Err(error) = &outcome {
            self.release(operation, error, origin).await;
        }
        outcome
    }

    /// Executes what an earlier request left open for a participant, of one kind. An update of capabilities is not completed,
    /// because the request that inserted it may still be sending an older one: the schedule repeats it after that lease.
    pub(crate) async fn run_for(
        &self,
        session: SessionId,
        user: UserId,
        kind: Operation,
        origin: &Origin,
    ) -> Result<(), Error> {
        for operation in self.store.participant_operations(session, user, kind).await? {
            match kind {
                Operation::UpdateCapabilities => self.send(&self.meetings, &operation).await?,
                Operation::DeleteAttendee
                | Operation::DeleteMeeting
                | Operation::VerifyMeeting
                | Operation::PublishEvent
                | Operation::StartCapture
                | Operation::StopCapture
                | Operation::Concatenate
                | Operation::VerifySegment
                | Operation::DeleteChunks
                | Operation::DeleteRecording
                | Operation::ApplyHold
                | Operation::StartTranscription
                | Operation::StopTranscription
                | Operation::TakeText
                | Operation::CompleteTranscript
                | Operation::DeleteTranscript
                | Operation::StartBatchJob
                | Operation::CheckBatchJob
                | Operation::FindEntities => {
                    self.send_and_complete(&operation, origin).await?;
                }
            }
        }
        Ok(())
    }

    /// Stops the transcription and the captures of a session whose stop was requested. A request answers without it: a stop that Chime
    /// does not accept in time, the schedule repeats.
    pub(crate) async fn stop_captures(&self, session: SessionId, origin: &Origin) {
        // At the same moment: none waits for the other where Chime is slow.
        let stop = |kind| self.execute_stops(session, kind, origin);
        tokio::join!(stop(Operation::StopTranscription), stop(Operation::StopCapture));
    }

    async fn execute_stops(&self, session: SessionId, kind: Operation, origin: &Origin) {
        let outcome = timeout(STOP_DEADLINE, async {
            for operation in self.store.session_operations(session, kind).await? {
                self.send_and_complete(&operation, origin).await?;
            }
            Ok::<_, Error>(())
        });
        let operation = kind.as_str();
        match outcome.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(operation, error = causes(&error), "pending operation failed, will retry");
            }
            Err(elapsed) => {
                tracing::warn!(operation, error = %elapsed, "pending operation failed, will retry");
            }
        }
    }

    /// Sends an operation to Chime and completes it. Where its payload changed meanwhile, the new one is sent too.
    async fn send_and_complete(&self, operation: &PendingOperation, origin: &Origin) -> Result<(), Error> {
        let mut operation = operation.clone();
        for _ in 0..MAX_ATTEMPTS {
            self.send(&self.meetings, &operation).await?;
            let executed = Executed { id: operation.id, payload: Some(operation.payload.clone()) };
            let changed = self.store.complete_operations(&[executed], origin.now).await?;
            match changed.into_iter().next() {
                None => return Ok(()),
                Some(changed) => operation.payload = changed.payload,
            }
        }
        Err(conflict_retry())
    }

    /// Sends an operation to Chime.
    pub(crate) async fn send(
        &self,
        meetings: &chime::Meetings,
        operation: &PendingOperation,
    ) -> Result<(), Error> {
        match operation.action()? {
            Action::DeleteAttendee(attendee, of) => {
                meetings.delete_attendee(&of.control_region, of.meeting_id, attendee).await?;
            }
            Action::UpdateCapabilities(attendee, of) => {
                meetings
                    .update_capabilities(&of.control_region, of.meeting_id, attendee, of.capabilities)
                    .await?;
            }
            Action::DeleteMeeting(meeting, of) => meetings.delete(&of.control_region, meeting).await?,
            Action::StopCapture(_, of) => {
                // Without a pipeline's id nothing can be deleted yet: the request that creates it deletes it.
                if let Some(pipeline) = of.pipeline_id {
                    self.pipelines.delete_capture(&of.control_region, pipeline).await?;
                }
            }
            Action::StopTranscription(_, of) => {
                meetings.stop_transcription(&of.control_region, of.meeting_id).await?;
            }
            Action::VerifyMeeting(..)
            | Action::PublishEvent(_)
            | Action::StartCapture(..)
            | Action::Concatenate(..)
            | Action::VerifySegment(..)
            | Action::DeleteChunks(..)
            | Action::DeleteRecording(..)
            | Action::ApplyHold(..)
            | Action::StartTranscription(..)
            | Action::TakeText(_)
            | Action::CompleteTranscript(_)
            | Action::DeleteTranscript(_)
            | Action::StartBatchJob(_)
            | Action::CheckBatchJob(_)
            | Action::FindEntities(_) => {
                return Err(Error::internal("the operation changes nothing at Chime"));
            }
        }
        Ok(())
    }

    /// Releases the lease of an operation that was not executed and sets when it is due again.
    pub async fn release(&self, operation: &PendingOperation, error: &Error, origin: &Origin) {
        let PendingOperation { id, operation: kind, attempts, .. } = operation;
        let cause = error.code();
        tracing::warn!(
            operation = kind.as_str(), id = %id, attempt = attempts, error = causes(error),
            "pending operation failed, will retry"
        );
        // Chime captures until it accepts the stop that a participant has demanded: each run tries it.
        let repeated = matches!(kind, Operation::StopCapture | Operation::StopTranscription);
        let attempts = if repeated { 0 } else { *attempts };
        let due = operation::next_attempt(attempts, origin.now);
        if let Err(error) = self.store.fail_operation(*id, cause, due).await {
            // Its lease expires by itself.
            tracing::warn!(operation = kind.as_str(), id = %id, error = causes(&error), "pending operation not released");
        }
    }
}
