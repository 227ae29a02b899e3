//! Consent: each person's own word on being recorded and transcribed.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target, View};
use domain::consent::{self, ConsentChange, ConsentCheck, ConsentDecision, ConsentPurpose};
use domain::error::reason;
use domain::id::{AppointmentId, SessionId, UserId};
use domain::state::SessionStatus;
use serde::Serialize;

use crate::{Calls, MAX_ATTEMPTS, conflict_retry};

/// The answer to a word on consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consented {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call that the word is on; it holds for no other.
    pub session_id: SessionId,
    /// How things stand now.
    pub consent: Consents,
}

/// Where consent stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Consents {
    /// To being recorded.
    pub recording: ConsentState,
    /// To being transcribed.
    pub transcription: ConsentState,
}

/// Where consent to one of them stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentState {
    /// The caller's own last word; none so far.
    pub granted: Option<bool>,
    /// Whether it may be done now.
    pub allowed: bool,
    /// Whose consent is missing.
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

    /// The same for someone who may not know of everyone in the call.
    pub(crate) fn known(mut self, known: impl Fn(&UserId) -> bool) -> Self {
        self.recording.missing.retain(&known);
        self.transcription.missing.retain(&known);
        self
    }
}

impl Calls {
    /// Takes the caller's words on consent, each new one a row and an audit entry. What they have said before changes
    /// nothing; may be repeated.
    ///
    /// # Errors
    /// 403 for strangers, 404 where no call is on, 409 for one yes too many (what was said with it is taken), 422 for no word at
    /// all, 503 when the database is down.
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
            // How things stand then is what the next look shows.
            stored = self.store.consent(session, (member.user, member.role), &new, origin).await?.is_some();
        }
        Err(conflict_retry())
    }
}
