//! Consent: each participant's own decisions on recording and transcription.

use api::consent::{ConsentResponse, ConsentStatus, PurposeConsent};
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Session, Target, View};
use domain::consent::{self, ConsentChange, ConsentCheck, ConsentDecision, ConsentPurpose};
use domain::error::reason;
use domain::id::{AppointmentId, SessionId, UserId};
use domain::operation::Operation;
use store::consents::Consented;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// Whether the call may be recorded and transcribed, as far as a caller may know.
pub(crate) fn status(view: &View, user: UserId, can_see: impl Fn(&UserId) -> bool) -> ConsentStatus {
    let active = view.session.as_ref().is_some_and(|session| session.active().is_some());
    let of = |purpose| {
        let (allowed, mut missing) = match consent::check(purpose, &view.participants, &view.consents) {
            ConsentCheck::Allowed => (active, Vec::new()),
            ConsentCheck::Missing(users) => (false, users),
        };
        missing.retain(&can_see);
        PurposeConsent { granted: consent::latest_decision(purpose, user, &view.consents), allowed, missing }
    };
    ConsentStatus {
        recording: of(ConsentPurpose::Recording),
        transcription: of(ConsentPurpose::Transcription),
    }
}

impl Calls {
    /// Stores the caller's decisions, each new one as a row with an audit entry. Repeating a decision has no effect.
    ///
    /// # Errors
    /// 403 for strangers, 404 without an active call, 409 above the limit of grants (other decisions of the request
    /// are stored), 422 for a request without a decision, 503 when the database is down.
    pub async fn consent(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        decision: ConsentDecision,
        origin: &Origin,
    ) -> Result<ConsentResponse, Error> {
        let decisions = decision.decisions()?;
        let target = Target::Appointment(appointment);
        let mut stored = false;
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, target, None, origin).await?;
            let member = view.member()?;
            let ConsentChange { session, new, limit_reached } = consent::decide(&view, &decisions)?;
            if stored || new.is_empty() {
                if limit_reached {
                    return Err(Error::conflict(reason::CONSENT_CHANGED_TOO_OFTEN));
                }
                return Ok(ConsentResponse {
                    appointment_id: appointment,
                    session_id: session,
                    consent: status(&view, member.user, |_| true),
                });
            }
            // The next iteration reads the resulting consents.
            let consented = self.store.consent(session, (member.user, member.role), &new, origin).await?;
            stored = consented.is_some();
            if let Some(consented) = consented {
                self.follow_consent(&view, session, consented, origin).await;
            }
        }
        Err(conflict_retry())
    }

    /// Follows decisions on consent: the captures that were refused are stopped at once, and a recording that waits for consent may
    /// begin, which its function decides.
    async fn follow_consent(&self, view: &View, session: SessionId, consented: Consented, origin: &Origin) {
        if consented.captures_stopped > 0 {
            self.stop_captures(session, origin).await;
        }
        let captures = &view.captures;
        let is_wanted = view.session.as_ref().is_some_and(|session| session.recording_requested);
        if consented.new == 0 {
            return;
        }
        let Some(appointment) = &view.appointment else { return };
        if captures.recording.is_some() || is_wanted && !captures.has_recording {
            self.announce(Operation::StartCapture, appointment.id, session).await;
        }
        let is_run = captures.run.as_ref().is_some_and(|row| row.run.status.is_open());
        let is_wanted = view.session.as_ref().is_some_and(|session| session.transcription_enabled);
        if is_run || is_wanted && captures.run.is_none() {
            self.announce(Operation::StartTranscription, appointment.id, session).await;
        }
    }

    /// Before somebody joins who has refused a purpose, its captures are stopped. Returns whether that was requested now: then
    /// the call is to be read again.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn stop_refused(
        &self,
        view: &View,
        session: &Session,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let user = view.member()?.user;
        let stopped = consent::stops_capture(&view.consent_required, user, &view.consents)
            && self.store.stop_refused_captures(session.id, user, origin).await? > 0;
        if stopped {
            self.stop_captures(session.id, origin).await;
        }
        Ok(stopped)
    }
}
