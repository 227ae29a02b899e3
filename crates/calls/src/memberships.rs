//! Memberships that the host application ends during a call: at the next request about it, or by the reconciler.

use domain::Error;
use domain::audit::Origin;
use domain::call::View;
use domain::error::causes;
use domain::membership::MembershipChange;
use domain::operation::Operation;
use store::sessions::CloseReason;

use crate::Calls;

impl Calls {
    /// Applies what the host application's change makes necessary and returns whether there was one: then the call is to be
    /// read again. Once it is stored, the former participant cannot join any more; a deletion at Chime that fails is left to
    /// the schedule, because it is no failure of this request.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn apply_membership_change(&self, view: &View, origin: &Origin) -> Result<bool, Error> {
        let Some(((session, meeting), change)) = view.membership_change() else { return Ok(false) };
        match change {
            MembershipChange::EndCall => {
                let reason = CloseReason::AppointmentDeleted;
                if self.store.begin_end(session.id, None, reason, true, origin).await?
                    && let Err(error) = self.finish_end(session, meeting.id, origin).await
                {
                    let operation = Operation::DeleteMeeting.as_str();
                    tracing::warn!(operation, error = causes(&error), "pending operation failed, will retry");
                }
            }
            MembershipChange::End(ended) => {
                let Some(ended) = self.store.end_memberships(session.id, &ended, true, origin).await? else {
                    return Ok(true);
                };
                for operation in &ended.attendees {
                    // It logs its failure.
                    drop(self.execute(operation, origin).await);
                }
                for event in ended.events {
                    self.publish(Some(event), origin).await;
                }
            }
        }
        Ok(true)
    }
}
