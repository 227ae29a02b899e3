//! Leave: a participant leaves, the call continues.

use api::attendees::LeaveResponse;
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::leave::{self, Leave};

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

impl Calls {
    /// Stores that the caller leaves. The attendee stays valid while the call lasts. May be repeated.
    ///
    /// # Errors
    /// 403 for strangers, 404 where there never was a call or the caller was never in it, 503 when the database is down.
    pub async fn leave(
        &self,
        actor: &Actor,
        target: Target,
        origin: &Origin,
    ) -> Result<LeaveResponse, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, target, None, origin).await?;
            match leave::decide(&view)? {
                Leave::Nothing { can_rejoin } => {
                    return Ok(LeaveResponse { message: "You are not in the call.", can_rejoin });
                }
                Leave::Store(session) => {
                    let member = view.member()?;
                    if self.store.leave(session.id, member.user, origin).await? {
                        return Ok(LeaveResponse { message: "You have left the call.", can_rejoin: true });
                    }
                }
            }
        }
        Err(conflict_retry())
    }
}
