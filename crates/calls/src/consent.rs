//! Consent: each participant's own decisions on recording and transcription.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target, View};
use domain::consent::{self, ConsentChange, ConsentCheck, ConsentDecision, ConsentPurpose};
use domain::error::reason;
use domain::id::{AppointmentId, SessionId, UserId};
use domain::state::SessionStatus;
use serde::Serialize;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// The answer to a consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consented {
    pub appointment_id: AppointmentId,
    /// The call that the decisions apply to, and no other.
    pub session_id: SessionId,
    /// The consents of the call now.
    pub consent: Consents,
}

/// The consents of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Consents {
    /// Consent to recording.
    pub recording: ConsentState,
    /// Consent to transcription.
    pub transcription: ConsentState,
}

/// The consents to one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentState {
    /// The caller's own latest decision; `None` before the first.
    pub granted: Option<bool>,
    /// Whether everyone who must consent does.
    pub allowed: bool,
    /// Users whose consent is missing.
    pub missing: Vec<UserId>,
}

impl Consents {
    pub(crate) fn new(view: &View, user: UserId) -> Self {
        let active = view.session.as_ref().is_some_and(|session| session.status == SessionStatus::Active);
        let state = |kind| {
            let (allowed, missing) = match consent::check(kind, &view.participants, &view.consents) {
                ConsentCheck::Allowed => (active, Vec::new()),
                ConsentCheck::Missing(users) => (false, users),
            };
            ConsentState { granted: consent::latest_decision(kind, user, &view.consents), allowed, missing }
        };
        Self {
            recording: state(ConsentPurpose::Recording),
            transcription: state(ConsentPurpose::Transcription),
        }
    }

    /// The same, limited to the users that the caller may see.
    pub(crate) fn known(mut self, known: impl Fn(&UserId) -> bool) -> Self {
        self.recording.missing.retain(&known);
        self.transcription.missing.retain(&known);
        self
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
    ) -> Result<Consented, Error> {
        let decisions = decision.decisions()?;
        let target = Target::Appointment(appointment);
        let mut stored = false;
        for _ in 0..MAX_ATTEMPTS {
            let view = self.load_view(actor, target, None).await?;
            let member = view.member()?;
            let ConsentChange { session, new, limit_reached } = consent::decide(&view, &decisions)?;
            if stored || new.is_empty() {
                if limit_reached {
                    return Err(Error::conflict(reason::CONSENT_CHANGED_TOO_OFTEN));
                }
                return Ok(Consented {
                    appointment_id: appointment,
                    session_id: session,
                    consent: Consents::new(&view, member.user),
                });
            }
            // The next iteration reads the resulting consents.
            stored = self.store.consent(session, (member.user, member.role), &new, origin).await?.is_some();
        }
        Err(conflict_retry())
    }
}
