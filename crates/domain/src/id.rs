//! Ids. Each has its own type and is only created by parsing, so every value is well formed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not a valid id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID, 36 characters with hyphens")]
pub struct NotAnId;

/// Accepts the hyphenated form only. The UUID crate also accepts braces, URNs and 32 digits; several spellings of one
/// id would give it several spellings in logs and URLs.
fn parse(text: &str) -> Result<Uuid, NotAnId> {
    if text.len() != 36 {
        return Err(NotAnId);
    }
    Uuid::try_parse(text).map_err(|_| NotAnId)
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// The id in the database driver's type.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        #[cfg(feature = "openapi")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": "uuid" })
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.hyphenated())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

uuid_id!(
    /// An appointment of the host application (`call_appointments.id`).
    AppointmentId
);
uuid_id!(
    /// A user of the host application (`call_users.id`), also the `ExternalUserId` of attendees.
    UserId
);
uuid_id!(
    /// One call of an appointment (`video_call_sessions.id`), also Chime's `ClientRequestToken`.
    SessionId
);
uuid_id!(
    /// A meeting's id as Chime assigns it (GUID, Chime SDK meetings API reference, `Meeting$MeetingId`).
    ChimeMeetingId
);
uuid_id!(
    /// An attendee's id as Chime assigns it; the existing app calls it the attendee token.
    ChimeAttendeeId
);
uuid_id!(
    /// A pending operation (`pending_operations.id`).
    OperationId
);
uuid_id!(
    /// A capture of a call's media (`media_captures.id`), also Chime's `ClientRequestToken` and the last part of the `SinkArn`.
    CaptureId
);
uuid_id!(
    /// A recording (`recordings.id`), also the prefix of its files.
    RecordingId
);
uuid_id!(
    /// The transcript of a call (`transcripts.id`), also the prefix of what its batch jobs write.
    TranscriptId
);
uuid_id!(
    /// A run of a call's transcription (`transcription_runs.id`).
    RunId
);
uuid_id!(
    /// A media pipeline's id as Chime assigns it (GUID, media pipelines API reference, `MediaPipelineId`).
    PipelineId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let good = "7d9f1c5e-0000-4000-8000-000000000001";
        assert_eq!(good.parse::<UserId>().map(String::from), Ok(good.to_owned()));
        let upper = "7D9F1C5E-0000-4000-8000-000000000001";
        assert_eq!(upper.parse::<UserId>().map(String::from), Ok(good.to_owned()), "one spelling comes out");
        for bad in [
            "",
            "x",
            "7d9f1c5e000040008000000000000001",
            "{7d9f1c5e-0000-4000-8000-000000000001}",
            "urn:uuid:7d9f1c5e-0000-4000-8000-000000000001",
            "7d9f1c5e-0000-4000-8000-00000000000'",
            "7d9f1c5e-0000-4000-8000-00000000000\0",
            "7d9f1c5e-0000-4000-8000-0000000000011",
        ] {
            assert_eq!(bad.parse::<UserId>(), Err(NotAnId), "{bad:?}");
        }
        assert_eq!("9".repeat(10_000).parse::<UserId>(), Err(NotAnId));
    }
}
