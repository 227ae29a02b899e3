//! Strict parsing of requests: members that the service model does not have are refused, because on AWS they
//! would be lost in silence.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::Refusal;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateMeeting {
    pub(super) client_request_token: String,
    pub(super) media_region: String,
    pub(super) external_meeting_id: String,
    pub(super) meeting_host_id: Option<String>,
    pub(super) notifications_configuration: Option<Notifications>,
    #[serde(default)]
    pub(super) meeting_features: Features,
    pub(super) primary_meeting_id: Option<String>,
    pub(super) tenant_ids: Option<Vec<String>>,
    pub(super) tags: Option<Vec<Tag>>,
    #[expect(dead_code, reason = "read only to refuse what is not in the enumeration")]
    pub(super) media_placement_network_type: Option<NetworkType>,
    /// Only `CreateMeetingWithAttendees` has them, and must.
    pub(super) attendees: Option<Vec<NewAttendee>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the service model's")]
pub(super) struct Notifications {
    pub(super) lambda_function_arn: Option<String>,
    pub(super) sns_topic_arn: Option<String>,
    pub(super) sqs_queue_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
pub(super) enum NetworkType {
    Ipv4Only,
    DualStack,
}

/// A meeting's features, with AWS's defaults for absent ones.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct Features {
    pub(super) audio: AudioFeatures,
    pub(super) video: VideoFeatures,
    pub(super) content: ContentFeatures,
    pub(super) attendee: AttendeeFeatures,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct AudioFeatures {
    echo_reduction: FeatureStatus,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum FeatureStatus {
    Available,
    #[default]
    Unavailable,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct VideoFeatures {
    pub(super) max_resolution: VideoResolution,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum VideoResolution {
    None,
    #[default]
    #[serde(rename = "HD")]
    Hd,
    #[serde(rename = "FHD")]
    Fhd,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct ContentFeatures {
    pub(super) max_resolution: ContentResolution,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum ContentResolution {
    None,
    #[default]
    #[serde(rename = "FHD")]
    Fhd,
    #[serde(rename = "UHD")]
    Uhd,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct AttendeeFeatures {
    pub(super) max_count: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct NewAttendee {
    pub(super) external_user_id: String,
    #[serde(default)]
    pub(super) capabilities: Capabilities,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct BatchCreateAttendee {
    pub(super) attendees: Vec<NewAttendee>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UpdateCapabilities {
    pub(super) capabilities: Capabilities,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UpdateCapabilitiesExcept {
    pub(super) excluded_attendee_ids: Vec<AttendeeIdItem>,
    pub(super) capabilities: Capabilities,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct AttendeeIdItem {
    pub(super) attendee_id: String,
}

/// An attendee's capabilities; all three are required where they are given.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Capabilities {
    pub(super) audio: Direction,
    pub(super) video: Direction,
    pub(super) content: Direction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Direction {
    #[default]
    SendReceive,
    Send,
    Receive,
    None,
}

impl Direction {
    pub(super) fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::Receive)
    }
}

/// Reads a body; the refusal names the member that is wrong.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        Refusal::BadRequest(format!("{place}{}", error.inner()))
    })
}
