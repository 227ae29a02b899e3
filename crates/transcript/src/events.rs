//! Events of Chime's transcription, of Transcribe's jobs, and those that announce a pending operation.

use std::time::Duration;

use bus::OPERATION_PENDING;
use chime::event::{self, TranscriptionEventKind};
use domain::Error;
use domain::audit::Origin;
use domain::call::SessionOf;
use domain::error::causes;
use domain::transcript::live::{self, RunEvent, RunStatus};
use domain::transcript::settings::RunSettings;
use runtime::{Answer, Envelope, Messages};
use serde::Deserialize;
use tokio::time::Instant;

use crate::App;
use crate::runs::{MAX_ATTEMPTS, Report};

/// Operations that an event makes due are executed at once for this long; the schedule continues.
const OPERATIONS_FOR: Duration = Duration::from_secs(20);
/// The last one of them has this long.
const LAST_OPERATION_FOR: Duration = Duration::from_mins(1);

/// Of the event of a job (<https://docs.aws.amazon.com/transcribe/latest/dg/monitoring-events.html>). Its status is asked for: the event
/// may come twice, or late.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JobEvent {
    transcription_job_name: String,
}

const JOB_EVENT: &str = "Transcribe Job State Change";

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
            Box::pin(self.run_operations((until, until + LAST_OPERATION_FOR), &messages.origin)).await
        {
            // The events were handled; the schedule executes what is left.
            tracing::warn!(error = causes(&error), "operations on transcripts not executed, will retry");
        }
        Ok(messages.answer(outcomes))
    }

    async fn handle_one(&self, event: &Envelope, origin: &Origin) -> Result<(), Error> {
        if event.detail_type == OPERATION_PENDING {
            return self.take_steps_after_event(bus::pending_session(event.detail.get())?, origin).await;
        }
        if event.detail_type == JOB_EVENT {
            let JobEvent { transcription_job_name: name } = serde_json::from_str(event.detail.get())
                .map_err(|_| Error::invalid("detail", "must have a TranscriptionJobName"))?;
            // The operation has a lease and a time limit, and is repeated for itself.
            return Ok(self.calls.store().check_job_now(&name, origin.now).await?);
        }
        let envelope = event::Envelope {
            id: &event.id,
            detail_type: &event.detail_type,
            region: &event.region,
            detail: event.detail.get(),
        };
        let Some(read) = event::read_transcription(envelope)? else { return Ok(()) };
        // A meeting of another application.
        let Some(found) = self.calls.store().find_meeting(read.meeting).await? else { return Ok(()) };
        let target = SessionOf { appointment: found.appointment_id, session: found.session_id };
        let at = read.at.unwrap_or(origin.now).min(origin.now);
        let of = match read.kind {
            TranscriptionEventKind::Started => RunEvent::Started,
            TranscriptionEventKind::Failed => RunEvent::Failed,
            TranscriptionEventKind::Stopped => RunEvent::Stopped,
            TranscriptionEventKind::Interrupted | TranscriptionEventKind::Resumed => {
                let ended = read.kind == TranscriptionEventKind::Resumed;
                self.calls.store().mark_interruption(target.session, at, ended).await?;
                return Ok(());
            }
        };
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.store().load_session(target.appointment, target.session).await?;
            let Some((session, row)) = view.session.as_ref().zip(view.captures.run.as_ref()) else {
                return Ok(());
            };
            if of == RunEvent::Started && !row.run.status.is_open() {
                // A stop was faster than its start.
                let Some(meeting) = session.meeting_id() else { return Ok(()) };
                return self.stop_unwanted(target, &session.control_region, meeting).await;
            }
            if live::is_outdated(&row.run, of, at) {
                return Ok(());
            }
            let report = Report { at, message: read.message.as_deref(), ..Report::of(of, at) };
            let advanced = live::advance(row.run, of, at.max(row.run.requested_at));
            if advanced.is_none() || self.apply(target, session, row, report, origin).await? {
                if advanced.is_some() && row.run.status == RunStatus::Starting {
                    self.remember(&row.settings, read.kind, read.message.as_deref(), origin).await?;
                }
                return self.take_steps_after_event(target, origin).await;
            }
        }
        Err(Error::Unavailable { backend: "database", source: "the run changes again and again".into() })
    }

    async fn take_steps_after_event(&self, target: SessionOf, origin: &Origin) -> Result<(), Error> {
        self.take_steps(target, origin).await?.failure.map_or(Ok(()), Err)
    }

    /// Stores the result of an attempt with a language in a region.
    async fn remember(
        &self,
        settings: &serde_json::Value,
        kind: TranscriptionEventKind,
        message: Option<&str>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let failure = match kind {
            TranscriptionEventKind::Started => None,
            TranscriptionEventKind::Failed => Some(message.unwrap_or("no reason")),
            TranscriptionEventKind::Stopped
            | TranscriptionEventKind::Interrupted
            | TranscriptionEventKind::Resumed => return Ok(()),
        };
        let settings = RunSettings::deserialize(settings).map_err(Error::internal)?;
        let Some(live) = settings.live else { return Ok(()) };
        let Some(code) = &live.code else { return Ok(()) };
        let key = (live.engine.as_str(), code.as_str(), live.region.as_str());
        Ok(self.calls.store().remember_language(key, failure, origin.now).await?)
    }
}
