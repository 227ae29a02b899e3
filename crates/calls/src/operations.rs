//! Pending operations on Chime's meetings and attendees: executed by the request that inserted them, by a repetition of that
//! request, or by the schedule.

use domain::Error;
use domain::audit::Origin;
use domain::id::{SessionId, UserId};
use domain::operation::{self, Action, Executed, Operation, PendingOperation};
use domain::state::SessionStatus;
use store::sessions::CloseReason;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

impl Calls {
    /// Executes an operation that this request inserted, within its lease. Where Chime refuses or does not answer, the schedule
    /// executes it later and the caller gets the error.
    pub(crate) async fn execute(&self, operation: &PendingOperation, origin: &Origin) -> Result<(), Error> {
        let outcome = self.send_and_complete(&self.meetings, operation, origin).await;
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
                Operation::DeleteAttendee | Operation::DeleteMeeting | Operation::PublishEvent => {
                    self.send_and_complete(&self.meetings, &operation, origin).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends an operation to Chime and completes it. Where its payload changed meanwhile, the new one is sent too.
    pub(crate) async fn send_and_complete(
        &self,
        meetings: &chime::Meetings,
        operation: &PendingOperation,
        origin: &Origin,
    ) -> Result<(), Error> {
        let mut operation = operation.clone();
        for _ in 0..MAX_ATTEMPTS {
            self.send(meetings, &operation).await?;
            match self.complete(&operation, origin).await? {
                None => return Ok(()),
                Some(payload) => operation.payload = payload,
            }
        }
        Err(conflict_retry())
    }

    async fn send(&self, meetings: &chime::Meetings, operation: &PendingOperation) -> Result<(), Error> {
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
            Action::PublishEvent(_) => return Err(Error::internal("an event is no operation on Chime")),
        }
        Ok(())
    }

    /// Completes an operation that was sent; else returns the payload that is to be sent now. The deletion of a meeting whose
    /// session is `ending` closes the session, which completes the operation in the same statement.
    async fn complete(
        &self,
        operation: &PendingOperation,
        origin: &Origin,
    ) -> Result<Option<serde_json::Value>, Error> {
        if let Action::DeleteMeeting(_, of) = operation.action()? {
            match operation.session_id {
                Some(session) if !of.orphan => {
                    let reason = CloseReason::EndedByProvider;
                    let closed =
                        self.store.close(session, SessionStatus::Ending, reason, None, origin).await?;
                    if let Some(closed) = closed {
                        self.publish(closed.event, origin).await;
                        return Ok(None);
                    }
                }
                _ => {
                    self.store.complete_orphan_deletion(operation.id, origin).await?;
                    return Ok(None);
                }
            }
        }
        let executed = Executed { id: operation.id, payload: Some(operation.payload.clone()) };
        let changed = self.store.complete_operations(&[executed], origin.now).await?;
        Ok(changed.into_iter().next().map(|changed| changed.payload))
    }

    /// Releases the lease of an operation that was not executed and sets when it is due again.
    pub(crate) async fn release(&self, operation: &PendingOperation, error: &Error, origin: &Origin) {
        let PendingOperation { id, operation: kind, attempts, .. } = operation;
        let cause = error.code();
        tracing::warn!(
            operation = kind.as_str(), id = %id, attempt = attempts, error = %error,
            "pending operation failed, will retry"
        );
        let due = operation::next_attempt(*attempts, origin.now);
        if let Err(error) = self.store.fail_operation(*id, cause, due).await {
            // Its lease expires by itself.
            tracing::warn!(operation = kind.as_str(), id = %id, error = %error, "pending operation not released");
        }
    }
}
