//! The job that compares active calls with the host's appointments and accounts: former participants lose their attendee.

use domain::Error;
use domain::audit::Origin;
use domain::membership::{self, MembershipChange};
use store::sessions::CloseReason;

use crate::Calls;

/// Calls that one run compares beyond those without a change.
const MAX_CALLS: i64 = 20;

impl Calls {
    /// Ends memberships and the calls of deleted appointments, and returns how many memberships. The deletions at Chime are
    /// enqueued; this run executes them next.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(super) async fn end_memberships(&self, origin: &Origin) -> Result<u64, Error> {
        let mut count = 0;
        for call in self.store.membership_page(MAX_CALLS).await? {
            let change =
                membership::compare(call.appointment.as_ref(), call.appointment_deleted, call.participants);
            match change {
                None => {}
                Some(MembershipChange::EndCall) => {
                    let reason = CloseReason::AppointmentDeleted;
                    self.store.begin_end(call.id, None, reason, false, origin).await?;
                }
                Some(MembershipChange::End(ended)) => {
                    let ended = self.store.end_memberships(call.id, &ended, false, origin).await?;
                    count += ended.map_or(0, |ended| ended.ended);
                }
            }
        }
        Ok(count)
    }
}
