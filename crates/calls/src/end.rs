//! End: the server owns the state of a call, so its end is stored and published exactly once.

use api::call::EndResponse;
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Session, Target};
use domain::end::{self, End};
use domain::id::{ChimeMeetingId, SessionId};
use domain::state::SessionStatus;
use store::sessions::CloseReason;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

impl Calls {
    /// Ends a call for everyone. With `session` only that session, so that a late repetition never ends a later call.
    /// May be repeated.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 only where there never was such a call, 503 when Chime or the database
    /// is down: then the call has ended or is `ending`, and a repetition finishes it.
    pub async fn end(
        &self,
        actor: &Actor,
        target: Target,
        session: Option<SessionId>,
        origin: &Origin,
    ) -> Result<EndResponse, Error> {
        let mut only = session;
        let mut ours = false;
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, target, only, origin).await?;
            let member = view.member()?;
            match end::decide(&view)? {
                End::Already(session, closed) => {
                    let message = if ours { "The call has ended." } else { "The call had ended before." };
                    return Ok(EndResponse {
                        session_id: session.id,
                        call_status: session.status(),
                        ended_at: Some(closed.ended_at.into()),
                        duration_seconds: closed.duration_seconds,
                        message,
                    });
                }
                End::Begin(session, meeting) => {
                    only = Some(session.id);
                    let reason = CloseReason::EndedByProvider;
                    if self.store.begin_end(session.id, Some(member.user), reason, true, origin).await? {
                        ours = true;
                        if let Some(ended) = self.finish_end(session, meeting, origin).await? {
                            return Ok(ended);
                        }
                    }
                }
                End::Finish(session, meeting) => {
                    only = Some(session.id);
                    if let Some(ended) = self.finish_end(session, meeting, origin).await? {
                        return Ok(ended);
                    }
                }
                End::Abandon(session) => {
                    only = Some(session.id);
                    let reason = CloseReason::EndedByProvider;
                    let from = SessionStatus::Creating;
                    // The session was never active: no event is published.
                    ours = self
                        .store
                        .close(session.id, from, reason, Some(member.user), origin)
                        .await?
                        .is_some();
                }
            }
        }
        Err(conflict_retry())
    }

    /// Deletes the meeting of a session that is `ending`, then closes the session. `None`: another request did.
    pub(crate) async fn finish_end(
        &self,
        session: &Session,
        meeting: ChimeMeetingId,
        origin: &Origin,
    ) -> Result<Option<EndResponse>, Error> {
        self.meetings.delete(&session.control_region, meeting).await?;
        let reason = CloseReason::EndedByProvider;
        let closed = self.store.close(session.id, SessionStatus::Ending, reason, None, origin).await?;
        let Some(closed) = closed else { return Ok(None) };
        self.publish(closed.event, origin).await;
        Ok(Some(EndResponse {
            session_id: session.id,
            call_status: SessionStatus::Ended,
            ended_at: Some(closed.ended_at.into()),
            duration_seconds: closed.duration_seconds,
            message: "The call has ended.",
        }))
    }
}
