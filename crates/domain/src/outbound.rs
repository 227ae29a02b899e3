//! Events that are published for the host application, so that it can notify people. Their names are its contract: they are
//! never renamed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The detail types on the bus (`events/bus/`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// A call became active. Addressed to the appointment's users but the one who started it.
    CallStarted,
    /// A participant waits to be admitted. Addressed to the appointment's provider.
    ParticipantWaiting,
    /// A participant lost membership of the appointment. Addressed to the other users of the call.
    MembershipEnded,
    /// A call ended. Addressed to the users of the call.
    CallEnded,
    /// A call is being recorded. Addressed to the users of the call.
    RecordingStarted,
    /// Each segment of a recording was verified, or as many as could be. Addressed to the appointment's provider.
    RecordingReady,
    /// A recording has no file. Addressed to the appointment's provider.
    RecordingFailed,
    /// A transcript is finished. Addressed to the appointment's provider.
    TranscriptReady,
    /// A transcript has no text. Addressed to the appointment's provider.
    TranscriptFailed,
}

impl EventType {
    /// The detail type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallStarted => "Call Started",
            Self::ParticipantWaiting => "Participant Waiting",
            Self::MembershipEnded => "Membership Ended",
            Self::CallEnded => "Call Ended",
            Self::RecordingStarted => "Recording Started",
            Self::RecordingReady => "Recording Ready",
            Self::RecordingFailed => "Recording Failed",
            Self::TranscriptReady => "Transcript Ready",
            Self::TranscriptFailed => "Transcript Failed",
        }
    }
}

/// The payload of a `publish_event` operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventPayload {
    /// The detail type.
    pub detail_type: String,
    /// The detail: ids and times, no personal or health data.
    pub detail: Box<RawValue>,
}

/// An event that waits to be published.
#[derive(Clone, Debug)]
pub struct OutboundEvent {
    /// Its id, also `eventId` in its detail: the same each time it is published.
    pub id: Uuid,
    /// Detail type and detail.
    pub payload: EventPayload,
}
