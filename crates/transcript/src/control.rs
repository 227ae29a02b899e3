//! The provider's requests on the transcription of a call, and the one that the call makes by itself.

use api::transcripts::{StartTranscriptionRequest, Transcription};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, SessionOf, SessionState, Target, View};
use domain::consent::ConsentPurpose;
use domain::error::reason;
use domain::id::AppointmentId;
use domain::recording::permission::{Permission, Permissions};
use domain::recording::rights::Right;
use domain::recording::state::RunRow;
use domain::transcript::live::{Mode, RunEnd, RunEvent, RunStatus};
use domain::transcript::settings::RunSettings;
use runtime::metrics::{self, Metric};
use store::transcripts::{NewRun, Refusal};
use time::{Duration, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::App;
use crate::languages::Wanted;
use crate::runs::{MAX_ATTEMPTS, Report};

/// A run that is to stop has stopped within this time.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);

/// The result of a start.
pub(crate) struct Started {
    pub(crate) transcription: Transcription,
    /// Whether this request began it.
    pub(crate) new: bool,
}

impl App {
    /// Starts the transcription of a call, unless one is on.
    ///
    /// # Errors
    /// 403 without the right, 404 without an active call, 409 where consent is missing, 422 for a language that is not transcribed,
    /// 429 where the day's budget is used up, 503 where a backend is down.
    pub(crate) async fn start(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        request: &StartTranscriptionRequest,
        origin: &Origin,
    ) -> Result<Started, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.load_view(actor, Target::Appointment(appointment), None, origin).await?;
            let member = view.member()?;
            self.rights.check(member.role, Right::Control)?;
            let (session, _) = view.active().ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
            let target = SessionOf { appointment, session: session.id };
            if view.captures.run.as_ref().is_some_and(|row| row.run.status == RunStatus::Stopping) {
                return Err(Error::Conflict { reason: reason::CALL_NOT_READY, retry_after: Some(SOON) });
            }
            if is_captured_for_another_job(&view) {
                return Err(Error::Conflict { reason: reason::CALL_NOT_READY, retry_after: Some(SOON) });
            }
            if let Some(row) = view.captures.run.as_ref().filter(|row| row.run.status.is_open()) {
                return Ok(Started { transcription: shown(target, row)?, new: false });
            }
            match Permissions::read(&view.participants, &view.consents).transcription {
                Permission::Allowed => {}
                missing => return Err(Error::ConsentRequired { missing: missing.missing().to_vec() }),
            }
            let wanted = Wanted::of(request, session.transcription_language.as_deref());
            let settings = self.resolve(&wanted, &session.media_region, origin.now).await?;
            let new = new_run(&settings)?;
            let by = Some((member.user, member.role));
            let begun = self.calls.store().begin_run(session.id, &new, &self.limits, by, origin).await?;
            let Some(begun) = begun else { continue };
            if begun.begun {
                self.calls
                    .announce(domain::operation::Operation::StartCapture, appointment, session.id)
                    .await;
                // A capture of the speech may run already.
                self.take_steps(target, origin).await?;
                let now = self.calls.store().load_session(appointment, session.id).await?;
                let row = now.captures.run.as_ref().ok_or_else(|| Error::internal("a run that is gone"))?;
                return Ok(Started { transcription: shown(target, row)?, new: true });
            }
            if begun.deleting {
                return Err(Error::conflict(reason::TRANSCRIPT_DELETED));
            }
            if begun.allowed {
                let retry_after = until_next_day(origin.now);
                return Err(Error::BudgetUsed { seconds_left: begun.left.unwrap_or(0), retry_after });
            }
            // Somebody joined, or changed a decision, or another request was faster.
        }
        Err(Error::conflict(reason::CONSENT_REQUIRED))
    }

    /// Stops the transcription of a call. May be repeated.
    ///
    /// # Errors
    /// 403 without the right, 404 without a transcription of the call, 503 where a backend is down.
    pub(crate) async fn stop(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        origin: &Origin,
    ) -> Result<Transcription, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let view = self.calls.load_view(actor, Target::Appointment(appointment), None, origin).await?;
            let member = view.member()?;
            self.rights.check(member.role, Right::Control)?;
            let none = || Error::NotFound(reason::TRANSCRIPT_NOT_FOUND);
            let session = view.session.as_ref().ok_or_else(none)?;
            let row = view.captures.run.as_ref().ok_or_else(none)?;
            let target = SessionOf { appointment, session: session.id };
            let report = Report {
                event: RunEvent::Stop(RunEnd::Requested),
                at: origin.now,
                message: None,
                actor: Some((member.user, member.role)),
            };
            if !row.run.status.needs_capture() || self.apply(target, session, row, report, origin).await? {
                let now = self.calls.store().load_session(appointment, session.id).await?;
                let row = now.captures.run.as_ref().ok_or_else(none)?;
                return shown(target, row);
            }
        }
        Err(Error::Conflict { reason: reason::CALL_NOT_READY, retry_after: Some(SOON) })
    }

    /// Begins the transcription of a call that was started with it, once everyone has consented. Once per call: afterwards it is
    /// started by hand.
    pub(crate) async fn begin_by_itself(
        &self,
        target: SessionOf,
        view: &View,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let Some(session) = view.session.as_ref().filter(|session| session.transcription_enabled) else {
            return Ok(false);
        };
        let allowed = Permissions::read(&view.participants, &view.consents).transcription;
        if !matches!(session.state, SessionState::Active(_)) || allowed != Permission::Allowed {
            return Ok(false);
        }
        let wanted = Wanted::by_itself(session.transcription_language.as_deref());
        let new = match self.resolve(&wanted, &session.media_region, origin.now).await {
            Ok(settings) => new_run(&settings)?,
            Err(Error::Invalid { reason, .. }) => {
                let language = self.language(&wanted).to_owned();
                let settings = RunSettings { language, unconfirmed: false, live: None, batch: None };
                let refusal = Refusal { reason: RunEnd::LanguageUnsupported, message: reason };
                NewRun { mode: Mode::Live, refusal: Some(refusal), ..new_run(&settings)? }
            }
            Err(error) => return Err(error),
        };
        let begun = self.calls.store().begin_run(session.id, &new, &self.limits, None, origin).await?;
        let Some(begun) = begun.filter(|begun| begun.begun) else { return Ok(false) };
        match begun.refused {
            Some(reason) => {
                tracing::warn!(session = %session.id, reason = reason.as_str(), "a call that was to be transcribed is not");
                metrics::emit(&[(Metric::TranscriptionsFailed, 1)]);
            }
            None => {
                self.calls
                    .announce(domain::operation::Operation::StartCapture, target.appointment, target.session)
                    .await;
            }
        }
        Ok(true)
    }
}

/// Whether a capture goes on that a run in batch mode has left: its job is asked for one language.
fn is_captured_for_another_job(view: &View) -> bool {
    let left = view
        .captures
        .run
        .as_ref()
        .is_some_and(|row| !row.run.status.is_open() && row.run.mode == Mode::Batch);
    left && view.captures.capture.as_ref().is_some_and(|capture| {
        capture.status.is_open() && capture.purposes.contains(ConsentPurpose::Transcription)
    })
}

fn new_run(settings: &RunSettings) -> Result<NewRun, Error> {
    let id = || Uuid::new_v4().to_string();
    Ok(NewRun {
        id: id().parse().map_err(Error::internal)?,
        transcript_id: id().parse().map_err(Error::internal)?,
        mode: if settings.live.is_some() { Mode::Live } else { Mode::Batch },
        settings: serde_json::to_value(settings).map_err(Error::internal)?,
        refusal: None,
    })
}

/// A run as it is shown.
pub(crate) fn shown(target: SessionOf, row: &RunRow) -> Result<Transcription, Error> {
    let settings: RunSettings = serde_json::from_value(row.settings.clone()).map_err(Error::internal)?;
    let live = settings.live.as_ref();
    Ok(Transcription {
        transcript_id: row.run.transcript_id,
        appointment_id: target.appointment,
        session_id: target.session,
        mode: row.run.mode,
        state: row.run.status.into(),
        language: settings.language,
        engine: live.map(|live| live.engine),
        region: live.map(|live| live.region.clone()),
        unconfirmed: settings.unconfirmed,
        reason: row.run.end_reason,
        message: row.message.clone(),
        started_at: row.run.started_at.map(Into::into),
        stopped_at: row.run.ended_at.map(Into::into),
        limit_at: row.run.limit_at.map(Into::into),
    })
}

/// The time until the next UTC day, when the budget is new.
fn until_next_day(now: OffsetDateTime) -> std::time::Duration {
    let now = now.to_offset(UtcOffset::UTC);
    let next = (now + Duration::DAY).replace_time(time::Time::MIDNIGHT);
    (next - now).unsigned_abs()
}
