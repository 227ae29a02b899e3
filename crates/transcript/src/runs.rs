//! Compares a session's transcription with what is wanted, and takes the next step.

use domain::Error;
use domain::audit::{Event, Origin};
use domain::call::{Session, SessionOf, SessionState, View};
use domain::error::causes;
use domain::id::{ChimeMeetingId, RunId, UserId};
use domain::operation::{
    Action, Executed, Operation, PendingOperation, StartTranscription, StopTranscription,
};
use domain::recording::capture::CaptureStatus;
use domain::recording::permission::{Permission, Permissions};
use domain::recording::plan::ALONE_FOR;
use domain::recording::state::RunRow;
use domain::state::Role;
use domain::transcript::lines;
use domain::transcript::live::{self, Due, Effect, Mode, Run, RunEnd, RunEvent, RunStatus, Surroundings};
use domain::transcript::settings::RunSettings;
use runtime::metrics::{self, Metric};
use serde::Deserialize as _;
use store::transcripts::RunChange;
use time::OffsetDateTime;

use crate::App;
use crate::text::milliseconds;

/// The session is read again this often because something changed it meanwhile, or one step followed another.
pub(crate) const MAX_ATTEMPTS: usize = 8;

/// Files of 5 s in which words are looked for.
const LATEST_FILES: usize = 12;

/// The result of a comparison.
#[derive(Debug, Default)]
pub(crate) struct StepsTaken {
    /// Chime goes on to transcribe although its stop was requested a minute ago.
    pub(crate) not_stopped: bool,
    /// Chime could not be asked: it is asked again in the next run.
    pub(crate) failure: Option<Error>,
}

/// A report on a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) event: RunEvent,
    /// When it happened.
    pub(crate) at: OffsetDateTime,
    /// Chime's reason for a failure.
    pub(crate) message: Option<&'a str>,
    /// The participant of the request; `None`: the system.
    pub(crate) actor: Option<(UserId, Role)>,
}

impl Report<'_> {
    /// A report of the function's own.
    pub(crate) const fn of(event: RunEvent, at: OffsetDateTime) -> Self {
        Self { event, at, message: None, actor: None }
    }
}

impl App {
    /// Takes the steps that are due for a session until nothing is due.
    ///
    /// # Errors
    /// 503 when a backend is down: what was stored is continued by the schedule.
    pub(crate) async fn take_steps(&self, target: SessionOf, origin: &Origin) -> Result<StepsTaken, Error> {
        // On the heap: a call with all that follows from it takes 20 KB.
        Box::pin(self.take_each_step(target, origin)).await
    }

    async fn take_each_step(&self, target: SessionOf, origin: &Origin) -> Result<StepsTaken, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.store().load_session(target.appointment, target.session).await?;
            let Some(session) = view.session.as_ref() else { break };
            let Some(row) = view.captures.run.as_ref() else {
                if !self.begin_by_itself(target, &view, origin).await? {
                    break;
                }
                continue;
            };
            match live::due(&row.run, surroundings(&view, session, row, origin.now), origin.now) {
                Due::Apply(event) => {
                    if event == RunEvent::Abandoned
                        && let Some(meeting) = session.meeting_id()
                    {
                        // That Chime had stopped is known from one event alone.
                        self.calls.meetings().stop_transcription(&session.control_region, meeting).await?;
                    }
                    self.apply(target, session, row, Report::of(event, origin.now), origin).await?;
                }
                Due::Look if self.has_text(&view, row).await? => {
                    let report = Report::of(RunEvent::Started, origin.now);
                    self.apply(target, session, row, report, origin).await?;
                }
                Due::Look | Due::Nothing => break,
                Due::Restart => {
                    let (after, effect) = live::restart(row.run, origin.now);
                    tracing::warn!(run = %after.id, attempt = after.attempt, "transcription not confirmed, started again");
                    self.write(
                        target,
                        session,
                        row,
                        (after, effect),
                        Report::of(RunEvent::Captured, origin.now),
                        origin,
                    )
                    .await?;
                    break;
                }
                Due::StopAgain { alarm } => {
                    let Some(meeting) = session.meeting_id() else { break };
                    let stopped =
                        self.calls.meetings().stop_transcription(&session.control_region, meeting).await;
                    if let Err(error) = stopped {
                        return Ok(StepsTaken { not_stopped: alarm, failure: Some(error.into()) });
                    }
                    let report = Report::of(RunEvent::Stopped, origin.now);
                    self.apply(target, session, row, report, origin).await?;
                }
            }
        }
        Ok(StepsTaken::default())
    }

    /// Applies a report to a run. Returns whether it changed anything; not where something else changed the run meanwhile.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn apply(
        &self,
        target: SessionOf,
        session: &Session,
        row: &RunRow,
        report: Report<'_>,
        origin: &Origin,
    ) -> Result<bool, Error> {
        // A time of Chime's is neither before the request nor ahead of ours.
        let at = report.at.min(origin.now).max(row.run.requested_at);
        match live::advance(row.run, report.event, at) {
            Some(change) => self.write(target, session, row, change, report, origin).await,
            None => Ok(false),
        }
    }

    /// Writes a change of a run and executes what follows from it at Chime.
    async fn write(
        &self,
        target: SessionOf,
        session: &Session,
        row: &RunRow,
        (after, effect): (Run, Effect),
        Report { message, actor, .. }: Report<'_>,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let before = row.run;
        let operation = operation(session, &after, effect)?;
        let event = match (before.status, after.status) {
            (RunStatus::Running, RunStatus::Running)
            | (RunStatus::Stopping, RunStatus::Stopping)
            | (_, RunStatus::Requested | RunStatus::Starting) => None,
            (_, RunStatus::Running) => Some(Event::TranscriptionStarted),
            (_, RunStatus::Stopping) => Some(Event::TranscriptionStopRequested),
            (_, RunStatus::Stopped | RunStatus::Failed) => Some(Event::TranscriptionEnded),
        };
        let change = RunChange { before, after, message, operation, event, actor };
        let Some(applied) = self.calls.store().apply_run(target.session, &change, origin).await? else {
            return Ok(false);
        };
        if after.status == RunStatus::Failed {
            let reason = after.end_reason.map_or("", RunEnd::as_str);
            tracing::error!(run = %after.id, reason, "transcription failed");
            metrics::emit(&[(Metric::TranscriptionsFailed, 1)]);
        }
        if before.status.needs_capture() != after.status.needs_capture() {
            // The captures follow from it.
            self.calls.announce(Operation::StartCapture, target.appointment, target.session).await;
        }
        if let Some(operation) = applied.operation {
            match Box::pin(self.execute(target, &operation, origin)).await {
                Ok(()) => self.mark_executed(operation, origin).await?,
                Err(error) => self.calls.release(&operation, &error, origin).await,
            }
        }
        Ok(true)
    }

    /// Executes the start or the stop of a run at Chime. The caller completes the operation.
    ///
    /// # Errors
    /// Where Chime or the database is down: the operation is still open.
    pub(crate) async fn execute(
        &self,
        target: SessionOf,
        operation: &PendingOperation,
        origin: &Origin,
    ) -> Result<(), Error> {
        match operation.action()? {
            Action::StartTranscription(run, of) => {
                let accepted = self.start_at_chime(target, (run, &of), operation.attempts, origin).await?;
                if accepted && !self.is_starting(target, run, of.attempt).await? {
                    // A stop was faster: what Chime has accepted must not run.
                    self.stop_unwanted(target, &of.control_region, of.meeting_id).await?;
                }
            }
            Action::StopTranscription(run, of) => {
                self.calls.meetings().stop_transcription(&of.control_region, of.meeting_id).await?;
                for _ in 0..MAX_ATTEMPTS {
                    let view = self.calls.store().load_session(target.appointment, target.session).await?;
                    let current = view.session.as_ref().zip(view.captures.run.as_ref());
                    let current = current.filter(|(_, row)| row.run.id == run && row.run.status.is_open());
                    let Some((session, row)) = current else { break };
                    let report = Report::of(RunEvent::Stopped, origin.now);
                    if self.apply(target, session, row, report, origin).await? {
                        break;
                    }
                }
            }
            Action::DeleteAttendee(..)
            | Action::UpdateCapabilities(..)
            | Action::DeleteMeeting(..)
            | Action::VerifyMeeting(..)
            | Action::PublishEvent(_)
            | Action::StartCapture(..)
            | Action::StopCapture(..)
            | Action::Concatenate(..)
            | Action::VerifySegment(..)
            | Action::DeleteChunks(..)
            | Action::DeleteRecording(..)
            | Action::ApplyHold(..)
            | Action::TakeText(_)
            | Action::CompleteTranscript(_)
            | Action::DeleteTranscript(_)
            | Action::StartBatchJob(_)
            | Action::CheckBatchJob(_)
            | Action::FindEntities(_) => {
                return Err(Error::internal("an operation of another kind changes no run"));
            }
        }
        Ok(())
    }

    /// Completes an operation whose payload is still the one that was executed: a restart of the run is another payload.
    ///
    /// # Errors
    /// 503 when the database is down: the operation is repeated.
    pub(crate) async fn mark_executed(
        &self,
        operation: PendingOperation,
        origin: &Origin,
    ) -> Result<(), Error> {
        let executed = Executed { id: operation.id, payload: Some(operation.payload) };
        self.calls.store().complete_operations(&[executed], origin.now).await?;
        Ok(())
    }

    /// Whether a run waits for this start.
    async fn is_starting(&self, target: SessionOf, run: RunId, attempt: u32) -> Result<bool, Error> {
        let view = self.calls.store().load_session(target.appointment, target.session).await?;
        Ok(view.captures.run.is_some_and(|row| waits_for(&row, run, attempt)))
    }

    /// Stops what Chime transcribes for no open run.
    ///
    /// # Errors
    /// Where Chime or the database is down.
    pub(crate) async fn stop_unwanted(
        &self,
        target: SessionOf,
        control_region: &str,
        meeting: ChimeMeetingId,
    ) -> Result<(), Error> {
        let view = self.calls.store().load_session(target.appointment, target.session).await?;
        let wanted = view.captures.run.is_some_and(|row| {
            matches!(row.run.status, RunStatus::Starting | RunStatus::Running) && row.run.mode == Mode::Live
        });
        if !wanted {
            self.calls.meetings().stop_transcription(control_region, meeting).await?;
        }
        Ok(())
    }

    /// Asks Chime to transcribe. Returns whether it accepted that.
    async fn start_at_chime(
        &self,
        target: SessionOf,
        (run, of): (RunId, &StartTranscription),
        attempts: i32,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let view = self.calls.store().load_session(target.appointment, target.session).await?;
        let current = view.session.as_ref().zip(view.captures.run.as_ref());
        let Some((session, row)) = current.filter(|(_, row)| waits_for(row, run, of.attempt)) else {
            return Ok(false);
        };
        let settings = RunSettings::deserialize(&row.settings).map_err(Error::internal)?;
        let live = settings.live.ok_or_else(|| Error::internal("a live run without settings"))?;
        let meetings = self.calls.meetings();
        if of.attempt > 1 {
            meetings.stop_transcription(&of.control_region, of.meeting_id).await?;
        }
        let refused = match meetings.start_transcription(&of.control_region, of.meeting_id, &live).await {
            Ok(()) => return Ok(true),
            // It runs already: the answer to an earlier execution was lost, and its event says when it began.
            Err(chime::Error::Conflict(_)) if of.attempt == 1 && attempts > 0 => return Ok(true),
            // Another one runs, with other settings perhaps.
            Err(error @ chime::Error::Conflict(_)) => {
                meetings.stop_transcription(&of.control_region, of.meeting_id).await?;
                return Err(error.into());
            }
            Err(error @ (chime::Error::Throttled(_) | chime::Error::Unavailable(_))) => {
                return Err(error.into());
            }
            // The meeting has ended, which is reported a moment later.
            Err(chime::Error::NotFound) => return Ok(false),
            Err(error @ (chime::Error::Limit(_) | chime::Error::Refused { .. })) => error,
        };
        tracing::warn!(run = %row.run.id, error = causes(&refused), "Chime refused a transcription");
        let report = Report { message: Some(refused.reason()), ..Report::of(RunEvent::Refused, origin.now) };
        self.apply(target, session, row, report, origin).await?;
        Ok(false)
    }

    /// Whether the open capture has text of this start: words, because states of the transcription are lines too.
    async fn has_text(&self, view: &View, row: &RunRow) -> Result<bool, Error> {
        let Some(open) = &view.captures.capture else { return Ok(false) };
        let listed = self.list_files(open.id, open.purposes.recording).await?.texts;
        // The files of the last minute; the next run looks again.
        let latest = &listed[listed.len().saturating_sub(LATEST_FILES)..];
        let bodies = self.read(latest).await?;
        let since = milliseconds(row.run.confirmed_at);
        let has_words = |line: &[u8]| lines::parse(line).results.iter().any(|result| result.end_ms > since);
        Ok(bodies.iter().any(|body| body.split(|byte| *byte == b'\n').any(has_words)))
    }
}

fn waits_for(row: &RunRow, run: RunId, attempt: u32) -> bool {
    row.run.id == run && row.run.status == RunStatus::Starting && row.run.attempt == attempt
}

fn operation(
    session: &Session,
    after: &Run,
    effect: Effect,
) -> Result<Option<(Operation, serde_json::Value)>, Error> {
    let Some(meeting_id) = session.meeting_id() else { return Ok(None) };
    let control_region = session.control_region.clone();
    let (kind, payload) = match effect {
        Effect::None => return Ok(None),
        Effect::Start => {
            let payload = StartTranscription { control_region, meeting_id, attempt: after.attempt };
            (Operation::StartTranscription, serde_json::to_value(payload))
        }
        Effect::Stop => {
            let payload = StopTranscription { control_region, meeting_id };
            (Operation::StopTranscription, serde_json::to_value(payload))
        }
    };
    Ok(Some((kind, payload.map_err(Error::internal)?)))
}

/// The call around a run.
fn surroundings(view: &View, session: &Session, row: &RunRow, now: OffsetDateTime) -> Surroundings {
    let captured = view
        .captures
        .capture
        .as_ref()
        .is_some_and(|open| open.status == CaptureStatus::Running && open.purposes.transcription);
    let since = row.captured_until.map_or(row.run.requested_at, |until| until.max(row.run.requested_at));
    Surroundings { forbidden: forbidden(view, session, now), uncaptured_since: (!captured).then_some(since) }
}

/// Why the call may not be transcribed any more.
fn forbidden(view: &View, session: &Session, now: OffsetDateTime) -> Option<RunEnd> {
    let SessionState::Active(call) = &session.state else { return Some(RunEnd::CallEnded) };
    let empty_since = call.last_left_at.filter(|_| call.connected_count == 0);
    match Permissions::read(&view.participants, &view.consents).transcription {
        Permission::Allowed => None,
        Permission::Undecided(_) | Permission::Refused(_) => Some(RunEnd::ConsentRevoked),
        // Somebody may come back.
        Permission::Empty => {
            empty_since.filter(|since| now - *since >= ALONE_FOR).map(|_| RunEnd::EveryoneLeft)
        }
    }
}
