//! Consent: each person's own word on being recorded and transcribed.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target, View};
use domain::consent::{self, Kind, ConsentCheck, Taken, Words};
use domain::error::reason;
use domain::id::{AppointmentId, SessionId, UserId};
use domain::state::SessionStatus;
use serde::Serialize;

use crate::{Calls, ROUNDS, conflict_retry};

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
            let (allowed, missing) = match consent::may(kind, &view.people, &view.consents) {
                ConsentCheck::Allowed => (active, Vec::new()),
                ConsentCheck::Missing(users) => (false, users),
            };
            ConsentState { granted: consent::word(kind, user, &view.consents), allowed, missing }
        };
        Self { recording: state(Kind::Recording), transcription: state(Kind::Transcription) }
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
        words: Words,
        origin: &Origin,
    ) -> Result<Consented, Error> {
        let words = words.each()?;
        let target = Target::Appointment(appointment);
        let mut said = false;
        for _ in 0..ROUNDS {
            let view = self.look(actor, target, None).await?;
            let member = view.member()?;
            let Taken { session, new, one_too_many } = consent::decide(&view, &words)?;
            if said || new.is_empty() {
                if one_too_many {
                    return Err(Error::conflict(reason::CONSENT_CHANGED_TOO_OFTEN));
                }
                return Ok(Consented {
                    appointment_id: appointment,
                    session_id: session,
                    consent: Consents::new(&view, member.user),
                });
            }
            // How things stand then is what the next look shows.
            said = self.store.consent(session, (member.user, member.role), &new, origin).await?.is_some();
        }
        Err(conflict_retry())
    }
}
