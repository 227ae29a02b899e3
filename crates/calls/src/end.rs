//! End: the server owns the state of a call, so its end is stored and published exactly once.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Session, Target};
use domain::end::{self, End};
use domain::id::SessionId;
use domain::state::SessionStatus;
use serde::Serialize;
use store::sessions::CloseReason;
use time::OffsetDateTime;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    pub session_id: SessionId,
    /// `ended`, or `failed` for a session whose meeting was never created.
    pub call_status: SessionStatus,
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub ended_at: Option<OffsetDateTime>,
    /// Active time in seconds.
    pub duration_seconds: i32,
    pub message: &'static str,
}

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
    ) -> Result<Ended, Error> {
        let mut only = session;
        let mut ours = false;
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, target, only).await?;
            let member = view.member()?;
            match end::decide(&view)? {
                End::Already(session) => {
                    let message = if ours { "The call has ended." } else { "The call had ended before." };
                    return Ok(Ended {
                        session_id: session.id,
                        call_status: session.status,
                        ended_at: session.ended_at,
                        duration_seconds: session.duration_seconds.unwrap_or(0),
                        message,
                    });
                }
                End::Begin(session) => {
                    only = Some(session.id);
                    if self.store.begin_end(session.id, member.user, origin).await? {
                        ours = true;
                        if let Some(ended) = self.finish_end(session, origin).await? {
                            return Ok(ended);
                        }
                    }
                }
                End::Finish(session) => {
                    only = Some(session.id);
                    if let Some(ended) = self.finish_end(session, origin).await? {
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
        origin: &Origin,
    ) -> Result<Option<Ended>, Error> {
        if let Some(meeting) = session.meeting_id {
            self.meetings.delete(&session.control_region, meeting).await?;
        }
        let reason = CloseReason::EndedByProvider;
        let closed = self.store.close(session.id, SessionStatus::Ending, reason, None, origin).await?;
        let Some(closed) = closed else { return Ok(None) };
        self.publish(closed.event, origin).await;
        Ok(Some(Ended {
            session_id: session.id,
            call_status: SessionStatus::Ended,
            ended_at: Some(closed.ended_at),
            duration_seconds: closed.duration_seconds,
            message: "The call has ended.",
        }))
    }
}
