//! The operation of the meetings API that a method, path and query name.

use http::Method;
use percent_encoding::percent_decode_str;

/// A call with what its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    CreateMeeting,
    CreateMeetingWithAttendees,
    GetMeeting { meeting: String },
    DeleteMeeting { meeting: String },
    CreateAttendee { meeting: String },
    BatchCreateAttendee { meeting: String },
    ListAttendees { meeting: String, max_results: Option<String>, next_token: Option<String> },
    GetAttendee { meeting: String, attendee: String },
    DeleteAttendee { meeting: String, attendee: String },
    UpdateAttendeeCapabilities { meeting: String, attendee: String },
    BatchUpdateAttendeeCapabilitiesExcept { meeting: String },
    StartMeetingTranscription { meeting: String },
    StopMeetingTranscription { meeting: String },
}

impl Call {
    /// None: the API has no such operation.
    pub(crate) fn parse(method: &Method, path: &str, query: &str) -> Option<Self> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let parameter = |name: &str| {
            let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
        };
        let operation = parameter("operation");
        let own = |id: &str| id.to_owned();
        Some(match (method.as_str(), &segments[..], operation.as_deref()) {
            ("POST", ["meetings"], None) => Self::CreateMeeting,
            ("POST", ["meetings"], Some("create-attendees")) => Self::CreateMeetingWithAttendees,
            ("GET", ["meetings", id], None) => Self::GetMeeting { meeting: own(id) },
            ("DELETE", ["meetings", id], None) => Self::DeleteMeeting { meeting: own(id) },
            ("POST", ["meetings", id, "transcription"], Some("start")) => {
                Self::StartMeetingTranscription { meeting: own(id) }
            }
            ("POST", ["meetings", id, "transcription"], Some("stop")) => {
                Self::StopMeetingTranscription { meeting: own(id) }
            }
            ("POST", ["meetings", id, "attendees"], None) => Self::CreateAttendee { meeting: own(id) },
            ("POST", ["meetings", id, "attendees"], Some("batch-create")) => {
                Self::BatchCreateAttendee { meeting: own(id) }
            }
            ("GET", ["meetings", id, "attendees"], None) => Self::ListAttendees {
                meeting: own(id),
                max_results: parameter("max-results"),
                next_token: parameter("next-token"),
            },
            ("PUT", ["meetings", id, "attendees", "capabilities"], Some("batch-update-except")) => {
                Self::BatchUpdateAttendeeCapabilitiesExcept { meeting: own(id) }
            }
            ("GET", ["meetings", id, "attendees", attendee], None) => {
                Self::GetAttendee { meeting: own(id), attendee: own(attendee) }
            }
            ("DELETE", ["meetings", id, "attendees", attendee], None) => {
                Self::DeleteAttendee { meeting: own(id), attendee: own(attendee) }
            }
            ("PUT", ["meetings", id, "attendees", attendee, "capabilities"], None) => {
                Self::UpdateAttendeeCapabilities { meeting: own(id), attendee: own(attendee) }
            }
            _ => return None,
        })
    }

    /// The operation's name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::CreateMeeting => "CreateMeeting",
            Self::CreateMeetingWithAttendees => "CreateMeetingWithAttendees",
            Self::GetMeeting { .. } => "GetMeeting",
            Self::DeleteMeeting { .. } => "DeleteMeeting",
            Self::CreateAttendee { .. } => "CreateAttendee",
            Self::BatchCreateAttendee { .. } => "BatchCreateAttendee",
            Self::ListAttendees { .. } => "ListAttendees",
            Self::GetAttendee { .. } => "GetAttendee",
            Self::DeleteAttendee { .. } => "DeleteAttendee",
            Self::UpdateAttendeeCapabilities { .. } => "UpdateAttendeeCapabilities",
            Self::BatchUpdateAttendeeCapabilitiesExcept { .. } => "BatchUpdateAttendeeCapabilitiesExcept",
            Self::StartMeetingTranscription { .. } => "StartMeetingTranscription",
            Self::StopMeetingTranscription { .. } => "StopMeetingTranscription",
        }
    }

    /// The meeting it is about, unless it makes one.
    pub(crate) fn meeting_id(&self) -> Option<&str> {
        match self {
            Self::CreateMeeting | Self::CreateMeetingWithAttendees => None,
            Self::GetMeeting { meeting }
            | Self::DeleteMeeting { meeting }
            | Self::CreateAttendee { meeting }
            | Self::BatchCreateAttendee { meeting }
            | Self::ListAttendees { meeting, .. }
            | Self::GetAttendee { meeting, .. }
            | Self::DeleteAttendee { meeting, .. }
            | Self::UpdateAttendeeCapabilities { meeting, .. }
            | Self::BatchUpdateAttendeeCapabilitiesExcept { meeting }
            | Self::StartMeetingTranscription { meeting }
            | Self::StopMeetingTranscription { meeting } => Some(meeting),
        }
    }

    /// The meeting that a role must allow it for. None: the action has no resource type.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonchime.html>
    pub(crate) fn authorized_meeting_id(&self) -> Option<&str> {
        match self {
            Self::StartMeetingTranscription { .. } | Self::StopMeetingTranscription { .. } => None,
            other => other.meeting_id(),
        }
    }
}
