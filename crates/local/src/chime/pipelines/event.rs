//! The events of a pipeline (<https://docs.aws.amazon.com/chime-sdk/latest/dg/media-pipe-events.html>).

use serde_json::{Value, json};
use uuid::Uuid;

use super::pipeline::Pipeline;
use crate::chime::meeting::{Meeting, date};

/// A change of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    InProgress,
    /// It has ended as it should.
    Deleted,
    TemporaryFailure,
    Resumed,
    PermanentFailure,
}

impl EventKind {
    const ALL: [Self; 5] =
        [Self::InProgress, Self::Deleted, Self::TemporaryFailure, Self::Resumed, Self::PermanentFailure];

    /// The event's name, without `chime:`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "MediaPipelineInProgress",
            Self::Deleted => "MediaPipelineDeleted",
            Self::TemporaryFailure => "MediaPipelineTemporaryFailure",
            Self::Resumed => "MediaPipelineResumed",
            Self::PermanentFailure => "MediaPipelinePermanentFailure",
        }
    }

    /// By its name, with or without `chime:`.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix("chime:").unwrap_or(name);
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An event as `EventBridge` carries it.
pub(super) fn envelope(
    pipeline: &Pipeline,
    meeting: &Meeting,
    account: &str,
    kind: EventKind,
    at_ms: i64,
    id: Option<String>,
) -> Value {
    json!({
        "version": "0",
        "id": id.unwrap_or_else(|| Uuid::new_v4().to_string()),
        "detail-type": "Chime Media Pipeline State Change",
        "source": "aws.chime",
        "account": account,
        // EventBridge counts seconds only.
        "time": date(at_ms.div_euclid(1000) * 1000),
        "region": pipeline.region,
        "resources": [],
        "detail": {
            "version": "0",
            "eventType": format!("chime:{}", kind.name()),
            "timestamp": at_ms,
            "meetingId": meeting.id,
            "externalMeetingId": meeting.external_id,
            "mediaPipelineId": pipeline.id,
            "mediaRegion": meeting.media_region,
        },
    })
}
