//! Consent to recording and transcription.

use domain::consent::ConsentDecision;
use domain::id::{AppointmentId, SessionId, UserId};
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
