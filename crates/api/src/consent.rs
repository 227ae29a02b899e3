//! Consent to recording and transcription.

use domain::consent::{ConsentDecision, ConsentPurpose};
use domain::id::{AppointmentId, SessionId, UserId};
use domain::state::{Role, SessionStatus};
use serde::{Deserialize, Serialize};

/// The caller's decisions on consent. At least one is required.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ConsentRequest {
    /// Consent to recording.
    recording: Option<bool>,
    /// Consent to transcription.
    transcription: Option<bool>,
}

impl From<ConsentRequest> for ConsentDecision {
    fn from(request: ConsentRequest) -> Self {
        Self { recording: request.recording, transcription: request.transcription }
    }
}

/// The answer to a consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsentResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call that the consent is for, and for no other.
    pub session_id: SessionId,
    /// The consents of the call now.
    pub consent: ConsentStatus,
}

/// The consents of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ConsentStatus {
    /// Consent to recording.
    pub recording: PurposeConsent,
    /// Consent to transcription.
    pub transcription: PurposeConsent,
}

/// The consents to one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PurposeConsent {
    /// The caller's own latest decision; null for none so far.
    pub granted: Option<bool>,
    /// Whether everyone who must consent does.
    pub allowed: bool,
    /// Users whose consent is missing.
    pub missing: Vec<UserId>,
}

/// The answer to start and to join while a capture of the call is open for a purpose to which the caller has not
/// consented. It contains no meeting, attendee or token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsentRequiredResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Always `active`: nothing is captured before or afterwards.
    pub call_status: SessionStatus,
    /// The caller's role.
    pub role: Role,
    /// Always `consent_required`.
    pub status: ConsentRequired,
    /// The purposes of open captures to which the caller has not consented.
    pub purposes: Vec<ConsentPurpose>,
    /// Those of the purposes whose capture is being stopped because consent was refused. The caller need not be asked for them
    /// again.
    pub stopping: Vec<ConsentPurpose>,
    /// The path to poll. When `me.consentRequired` is empty there, the client starts or joins again.
    pub poll: String,
    /// A sentence for people.
    pub message: &'static str,
}

/// The status of a caller whose consent is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConsentRequired {
    /// The only value.
    #[default]
    ConsentRequired,
}
