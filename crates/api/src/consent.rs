//! Consent to recording and transcription.

use domain::consent::ConsentDecision;
use domain::id::{AppointmentId, SessionId, UserId};
use serde::{Deserialize, Serialize};

/// What the caller consents to, or not. At least one is required.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ConsentRequest {
    /// To being recorded.
    recording: Option<bool>,
    /// To being transcribed.
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
    /// To being recorded.
    pub recording: PurposeConsent,
    /// To being transcribed.
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
    /// Those whose consent is missing.
    pub missing: Vec<UserId>,
}
