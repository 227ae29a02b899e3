//! A call: start, status, end, link.

use domain::Error;
use domain::call::Target;
use domain::capabilities::Capabilities;
use domain::consent::ConsentPurpose;
use domain::id::{
    AppointmentId, ChimeAttendeeId, ChimeMeetingId, RecordingId, SessionId, TranscriptId, UserId,
};
use domain::recording::rights::Right;
use domain::state::{ParticipantStatus, Role, SessionStatus};
use domain::transcript::live::Mode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;
use crate::consent::ConsentStatus;
use crate::fields::null_as_default;

/// Names a call by its appointment.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppointmentSelector {
    /// The appointment.
    pub appointment_id: AppointmentId,
}

/// Names a call by its appointment or by its meeting, as the existing app does. One of them is required.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CallSelector {
    appointment_id: Option<AppointmentId>,
    meeting_id: Option<ChimeMeetingId>,
}

impl CallSelector {
    /// The call. Where both are named, the meeting has precedence, because it names one session.
    ///
    /// # Errors
    /// 422 where neither is named.
    pub fn target(self) -> Result<Target, Error> {
        match (self.meeting_id, self.appointment_id) {
            (Some(meeting), _) => Ok(Target::Meeting(meeting)),
            (None, Some(appointment)) => Ok(Target::Appointment(appointment)),
            (None, None) => Err(Error::invalid("appointmentId", "or meetingId is required")),
        }
    }
}

/// The body of a start. All of it is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StartRequest {
    /// Whether the call is to be recorded, once everyone consents.
    #[serde(default, deserialize_with = "null_as_default")]
    pub enable_recording: bool,
    /// Whether the call is to be transcribed, once everyone consents.
    #[serde(default, deserialize_with = "null_as_default")]
    pub enable_transcription: bool,
    /// A language tag like `en-US`.
    pub transcription_language: Option<String>,
    /// Where the media of the call is processed: one of the regions that the deployment allows. Without it, the deployment's
    /// own region. A call that is recorded is in the region of the deployment's stack. An active call keeps its region.
    pub media_region: Option<String>,
    /// The client could not connect to the meeting it was given: ask Chime before answering.
    #[serde(default, deserialize_with = "null_as_default")]
    pub checked: bool,
}

impl StartRequest {
    /// The language tag, if there is one; platforms also spell it `fr_FR` (Dart, Java) or `fr_FR.UTF-8` (POSIX). Whether live
    /// transcription knows the language is for the transcription to say.
    ///
    /// # Errors
    /// 422 for a text that is no language tag.
    pub fn language(&self) -> Result<Option<String>, Error> {
        self.transcription_language.as_deref().filter(|text| !text.is_empty()).map(language_tag).transpose()
    }
}

fn language_tag(text: &str) -> Result<String, Error> {
    let tag = text.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    let (language, rest) =
        tag.split_once('-').map_or((tag.as_str(), None), |(first, rest)| (first, Some(rest)));
    let language_is_plain =
        matches!(language.len(), 2 | 3) && language.chars().all(|character| character.is_ascii_alphabetic());
    let plain = |part: &str| {
        matches!(part.len(), 2..=8) && part.chars().all(|character| character.is_ascii_alphanumeric())
    };
    if text.len() <= 35
        && tag.len() <= 16
        && language_is_plain
        && rest.is_none_or(|rest| rest.split('-').all(plain))
    {
        let rest = rest.map(|rest| format!("-{rest}")).unwrap_or_default();
        Ok(format!("{}{rest}", language.to_ascii_lowercase()))
    } else {
        Err(Error::invalid("transcriptionLanguage", "must be a language tag like en-US"))
    }
}

/// Which session to end.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndRequest {
    /// Only this session, so that a late repetition never ends a later call.
    pub session_id: Option<SessionId>,
}

/// The answer to start, and to join where the caller may connect: what `new MeetingSessionConfiguration(meeting,
/// attendee)` takes. It has the join token: for its owner only, and not `Debug`.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JoinInfo {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// This call of it.
    pub session_id: SessionId,
    /// Chime's id of it.
    pub meeting_id: ChimeMeetingId,
    /// The caller's role.
    pub role: Role,
    /// Chime's `Meeting`, unchanged.
    #[cfg_attr(feature = "openapi", schemars(with = "serde_json::Map<String, Value>"))]
    pub meeting: Value,
    /// Chime's `Attendee`, unchanged, with the join token.
    #[cfg_attr(feature = "openapi", schemars(with = "serde_json::Map<String, Value>"))]
    pub attendee: Value,
    /// The attendee's id, as the existing app calls it.
    pub attendee_token: ChimeAttendeeId,
    /// Whether recording was requested.
    pub recording_enabled: bool,
    /// Whether transcription was requested.
    pub transcription_enabled: bool,
}

/// The answer to status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the answer's shape is the app's contract")]
pub struct StatusResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// Its open session, else its latest.
    pub session_id: Option<SessionId>,
    /// Chime's id of it, once it is known.
    pub meeting_id: Option<ChimeMeetingId>,
    /// The state of the call.
    pub call_status: CallState,
    /// Whether it is active.
    pub has_active_call: bool,
    /// Whether the caller may join now: a join returns a meeting, or makes the caller wait.
    pub can_join: bool,
    /// Why the caller may not enter the appointment's call, whether or not it has begun; null where they may.
    pub join_refusal: Option<JoinRefusal>,
    /// From when on the call may be entered, where the deployment limits that.
    pub join_from: Option<Timestamp>,
    /// Until when the call may be entered, where the deployment limits that.
    pub join_until: Option<Timestamp>,
    /// Whether the caller is the appointment's provider.
    pub is_provider: bool,
    /// Whether the caller is the appointment's patient.
    pub is_patient: bool,
    /// The provider's name.
    pub provider_name: Option<String>,
    /// The users who are connected.
    pub present: Vec<UserId>,
    /// Recording.
    pub recording: FeatureStatus,
    /// Transcription.
    pub transcription: FeatureStatus,
    /// The caller's own part in the call.
    pub me: CallerStatus,
    /// Participants who wait to be admitted; visible to the provider only.
    pub waiting: Vec<WaitingParticipant>,
    /// When the call ends by itself, because the caller has been alone in it for long: to be asked, and confirmed by a join with
    /// `stay`.
    pub ends_at: Option<Timestamp>,
    /// Whether the call may be recorded and transcribed.
    pub consent: ConsentStatus,
}

/// Why a join is rejected, as the join itself answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JoinRefusal {
    /// The code, for example `APPOINTMENT_CANCELLED`.
    pub code: &'static str,
    /// A sentence for people.
    pub error: &'static str,
}

/// The state of an appointment's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// The appointment has no session.
    NotStarted,
    /// The meeting is being created.
    Creating,
    /// Members may join.
    Active,
    /// It is being ended.
    Ending,
    /// It has ended.
    Ended,
    /// The meeting could not be created.
    Failed,
}

impl From<Option<SessionStatus>> for CallState {
    fn from(status: Option<SessionStatus>) -> Self {
        match status {
            None => Self::NotStarted,
            Some(SessionStatus::Creating) => Self::Creating,
            Some(SessionStatus::Active) => Self::Active,
            Some(SessionStatus::Ending) => Self::Ending,
            Some(SessionStatus::Ended) => Self::Ended,
            Some(SessionStatus::Failed) => Self::Failed,
        }
    }
}

/// The caller's own part in the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CallerStatus {
    /// Null for a caller without a part in the call.
    pub status: Option<ParticipantStatus>,
    /// Whether a join returns a meeting: the caller was admitted, or need not be.
    pub admitted: bool,
    /// Since when the participant waits, if so.
    pub waiting_since: Option<Timestamp>,
    /// The directions in which the caller may, or would be allowed to, send and receive.
    pub capabilities: Capabilities,
    /// The purposes for which the call is being captured and to which the caller has not consented. With any, start and join
    /// return no meeting.
    pub consent_required: Vec<ConsentPurpose>,
    /// The caller's rights to the recordings of the appointment.
    pub rights: Vec<Right>,
}

/// A participant who waits to be admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WaitingParticipant {
    /// The user id.
    pub user_id: UserId,
    /// The display name.
    pub display_name: Option<String>,
    /// The role.
    pub role: Role,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Recording or transcription of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FeatureStatus {
    /// Its state.
    pub state: FeatureState,
    /// The reason of the state, if there is one: `requested` or `consent_missing` for a pause; why a transcription ended; for
    /// `unavailable` `deployment`, which does not record, or `media_region`, in which it cannot.
    pub reason: Option<String>,
    /// Chime's reason why a transcription failed.
    pub message: Option<String>,
    /// The recording, while it is started and has not ended.
    pub recording_id: Option<RecordingId>,
    /// The transcript of the call, once its transcription was started.
    pub transcript_id: Option<TranscriptId>,
    /// Whether the text of a transcription is made while the call is in progress, or afterwards.
    pub mode: Option<Mode>,
    /// Whether Chime's recorder is in the call for this, if there is one: its presence alone does not say for what it captures.
    pub recorder: bool,
}

impl FeatureStatus {
    /// A state that needs no more words.
    #[must_use]
    pub const fn of(state: FeatureState, recorder: bool) -> Self {
        Self {
            state,
            reason: None,
            message: None,
            recording_id: None,
            transcript_id: None,
            mode: None,
            recorder,
        }
    }
}

/// The state of recording or transcription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FeatureState {
    /// Nobody requested it.
    Off,
    /// There is none in this call; `reason` says why.
    Unavailable,
    /// It was requested and waits for the consent of everyone in the call. The first of a call begins by itself then.
    Requested,
    /// It was started; nothing is captured yet, or for a moment.
    Starting,
    /// The call is being captured.
    Active,
    /// It was paused; `reason` says why.
    Paused,
    /// It has failed; `reason` says why. It can be started again.
    Failed,
}

/// The answer to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndResponse {
    /// The session that has ended.
    pub session_id: SessionId,
    /// `ended`, or `failed` for one whose meeting was never created.
    pub call_status: SessionStatus,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How long it was active, in seconds.
    pub duration_seconds: i32,
    /// A sentence for people.
    pub message: &'static str,
}

/// The answer to link. A link contains the appointment's id and nothing else: the user signs in after opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LinkResponse {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// Opens the app.
    pub deep_link: String,
    /// Opens the call page.
    pub web_link: String,
    /// The provider's name.
    pub provider_name: Option<String>,
    /// When the appointment begins.
    pub scheduled_start: Option<Timestamp>,
    /// A sentence for people, to send with the link.
    pub message: &'static str,
}

/// The answer of a healthy service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct HealthResponse {
    /// Always `ok`: anything else is an error.
    pub status: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_tag_is_read_in_the_spelling_of_each_platform() {
        for (text, tag) in [
            ("en-US", "en-US"),
            ("fr_FR", "fr-FR"),
            ("fr_CM.UTF-8", "fr-CM"),
            ("sr_Latn_RS@latin", "sr-Latn-RS"),
            ("FR", "fr"),
        ] {
            assert_eq!(language_tag(text).ok().as_deref(), Some(tag), "{text}");
        }
        for text in ["english", "x", "e1", "en-", "en-U", "en--US", "en US", "_", ".UTF-8", "fr_FR_\u{0}"] {
            assert!(language_tag(text).is_err(), "{text}");
        }
    }
}
