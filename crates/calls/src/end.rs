//! End: the server owns the state of a call, so its end is stored and published exactly once.

use api::call::EndResponse;
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Session, Target, View};
use domain::end::{self, End};
use domain::error::causes;
use domain::id::{ChimeMeetingId, SessionId};
use domain::state::SessionStatus;
use domain::transcript::live::{Mode, RunStatus};
use store::sessions::CloseReason;

use tokio::time::timeout;

use crate::operations::STOP_DEADLINE;
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
                        let capture = self.stop_open_capture(&view, session);
                        let transcription = self.stop_open_transcription(&view, session, meeting);
                        // On the heap: each request to Chime takes 5 KB.
                        let stops = Box::pin(async { tokio::join!(transcription, capture) });
                        let (_, ended) = tokio::join!(stops, self.finish_end(session, meeting, origin));
                        if let Some(ended) = ended? {
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

    /// Stops the capture of a call that ends: with its meeting it ends as well, and this only saves the seconds until then. The
    /// event of its end, or the schedule, changes its row.
    async fn stop_open_capture(&self, view: &View, session: &Session) {
        let Some(pipeline) = view.captures.capture.as_ref().and_then(|capture| capture.pipeline_id) else {
            return;
        };
        let stop = self.pipelines.delete_capture(&session.control_region, pipeline);
        match timeout(STOP_DEADLINE, stop).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(pipeline = %pipeline, error = causes(&error), "capture not stopped at the end of its call");
            }
            Err(elapsed) => {
                tracing::warn!(pipeline = %pipeline, error = %elapsed, "capture not stopped at the end of its call");
            }
        }
    }

    /// Stops the transcription of a call that ends: with its meeting it ends as well, and this only saves the seconds until then.
    async fn stop_open_transcription(&self, view: &View, session: &Session, meeting: ChimeMeetingId) {
        let run = view.captures.run.as_ref().map(|row| (row.run.mode, row.run.status));
        if !matches!(run, Some((Mode::Live, RunStatus::Starting | RunStatus::Running))) {
            return;
        }
        let stop = self.meetings.stop_transcription(&session.control_region, meeting);
        match timeout(STOP_DEADLINE, stop).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(meeting = %meeting, error = causes(&error), "transcription not stopped at the end of its call");
            }
            Err(elapsed) => {
                tracing::warn!(meeting = %meeting, error = %elapsed, "transcription not stopped at the end of its call");
            }
        }
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
