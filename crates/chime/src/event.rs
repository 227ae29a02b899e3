//! Chime's state changes as `EventBridge` carries them (Chime SDK developer guide, "Automating with `EventBridge`").

use domain::Error;
use domain::id::{ChimeMeetingId, PipelineId, UserId};
use domain::presence::{ChimeEvent, ChimeEventKind, MeetingEvent};
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as UnknownKind;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use time::OffsetDateTime;

/// The detail type of events about meetings and attendees.
pub const MEETING_STATE_CHANGE: &str = "Chime Meeting State Change";

/// The detail type of events about media pipelines.
pub const PIPELINE_STATE_CHANGE: &str = "Chime Media Pipeline State Change";

/// The end of the year 9999, the latest time that both PostgreSQL and RFC 3339 text can represent.
const MAX_TIMESTAMP_MS: i64 = 253_402_300_799_999;

/// The `EventBridge` envelope of a `detail`, as far as it is used.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub id: &'a str,
    pub detail_type: &'a str,
    /// The event's region: the meeting's control region.
    pub region: &'a str,
    /// The detail, as JSON text.
    pub detail: &'a str,
}

/// An event after parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedEvent {
    /// A documented change of a meeting.
    Meeting(MeetingEvent),
    /// Another type of event, or one that is newer than this code: not an error, and nothing to do.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    event_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    meeting_id: ChimeMeetingId,
    timestamp: i64,
    #[serde(default, deserialize_with = "text_or_none")]
    attendee_id: Option<String>,
    #[serde(default, deserialize_with = "text_or_none")]
    external_user_id: Option<String>,
    #[serde(default, deserialize_with = "text_or_none")]
    external_meeting_id: Option<String>,
}

/// A text; any other JSON is as if it were not there, so that an odd optional member does not cost the event.
fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().map(str::to_owned))
}

/// Parses an event.
///
/// # Errors
/// 422 for an event of a known type that lacks a required member.
pub fn read(envelope: Envelope<'_>) -> Result<ParsedEvent, Error> {
    let Type { event_type } = serde_json::from_str(envelope.detail)
        .map_err(|_| Error::invalid("detail.eventType", "is required"))?;
    let kind = event_type.strip_prefix("chime:").and_then(known);
    let Some(kind) = kind.filter(|_| envelope.detail_type == MEETING_STATE_CHANGE) else {
        tracing::debug!(event = envelope.id, "event of another type ignored");
        return Ok(ParsedEvent::Other);
    };
    let detail: Detail = serde_json::from_str(envelope.detail)
        .map_err(|_| Error::invalid("detail", "must have a meetingId and a timestamp"))?;
    if !(0..=MAX_TIMESTAMP_MS).contains(&detail.timestamp) {
        return Err(Error::invalid("detail.timestamp", "must be milliseconds since 1970"));
    }
    // Ids of other applications may contain letters, spaces and tabs; those of this service never do.
    if detail.external_meeting_id.as_deref().is_some_and(|id| !is_plain(id, 64)) {
        return Ok(ParsedEvent::Other);
    }
    // `<attendeeId>#content` is the longest; Chime's own ids have 36 characters.
    if detail.attendee_id.as_deref().is_some_and(|id| !is_plain(id, 128)) {
        return Err(Error::invalid("detail.attendeeId", "must have 1 to 128 characters"));
    }
    if detail.attendee_id.is_none() && event_type.starts_with("chime:Attendee") {
        return Err(Error::invalid("detail.attendeeId", "is required"));
    }
    Ok(ParsedEvent::Meeting(MeetingEvent {
        meeting: detail.meeting_id,
        external_meeting_id: detail.external_meeting_id,
        control_region: envelope.region.to_owned(),
        event: ChimeEvent {
            id: envelope.id.to_owned(),
            kind,
            at_ms: detail.timestamp,
            attendee_id: detail.attendee_id,
            external_user_id: detail.external_user_id.filter(|id| is_plain(id, 128) && is_known(id)),
        },
    }))
}

/// Whether an external user id belongs to this service or to a recorder. That of another application may be an email
/// address, which is not stored.
fn is_known(id: &str) -> bool {
    id.starts_with("aws:MediaPipeline")
        || id.split('#').next().is_some_and(|user| user.parse::<UserId>().is_ok())
}

/// A change of a media pipeline: of a capture, or of a concatenation, which the event does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineEvent {
    pub pipeline: PipelineId,
    pub kind: PipelineEventKind,
    /// When it happened, by Chime's clock.
    pub at: Option<OffsetDateTime>,
    /// The meeting's control region.
    pub control_region: String,
}

/// The kinds of changes of a media pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineEventKind {
    InProgress,
    /// It stopped cleanly; a concatenation is done.
    Deleted,
    /// It works no more, and another one is needed.
    PermanentFailure,
}

/// Parses an event of a media pipeline. `None`: a change that makes no difference, as a temporary failure, or one that is newer
/// than this code.
///
/// # Errors
/// 422 for an event of another type, or one that lacks a required member.
pub fn read_pipeline(envelope: Envelope<'_>) -> Result<Option<PipelineEvent>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Detail {
        event_type: String,
        media_pipeline_id: PipelineId,
        #[serde(default)]
        timestamp: Option<i64>,
    }
    if envelope.detail_type != PIPELINE_STATE_CHANGE {
        return Err(Error::invalid("detail-type", format!("must be {PIPELINE_STATE_CHANGE}")));
    }
    let detail: Detail = serde_json::from_str(envelope.detail)
        .map_err(|_| Error::invalid("detail", "must have an eventType and a mediaPipelineId"))?;
    let kind = match detail.event_type.as_str() {
        "chime:MediaPipelineInProgress" | "chime:MediaPipelineResumed" => PipelineEventKind::InProgress,
        "chime:MediaPipelineDeleted" => PipelineEventKind::Deleted,
        "chime:MediaPipelinePermanentFailure" => PipelineEventKind::PermanentFailure,
        // Chime resumes the pipeline after a temporary failure, or reports a permanent one.
        _ => {
            tracing::debug!(event = envelope.id, "event of another type ignored");
            return Ok(None);
        }
    };
    let control_region = envelope.region.to_owned();
    Ok(Some(PipelineEvent {
        pipeline: detail.media_pipeline_id,
        kind,
        at: time_of(detail.timestamp),
        control_region,
    }))
}

/// A change of a meeting's transcription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptionEvent {
    pub meeting: ChimeMeetingId,
    pub kind: TranscriptionEventKind,
    /// When it happened, by Chime's clock.
    pub at: Option<OffsetDateTime>,
    /// Chime's reason for a failure, at most 500 characters.
    pub message: Option<String>,
}

/// The kinds of changes of a transcription
/// (<https://docs.aws.amazon.com/chime-sdk/latest/dg/automating-chime-with-cloudwatch-events.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptionEventKind {
    Started,
    Stopped,
    Interrupted,
    Resumed,
    Failed,
}

/// The longest message that is kept of an event, in characters.
const MAX_MESSAGE_CHARACTERS: usize = 500;

/// Parses an event of a transcription. `None`: a change that is newer than this code.
///
/// # Errors
/// 422 for an event of another type, or one that lacks a required member.
pub fn read_transcription(envelope: Envelope<'_>) -> Result<Option<TranscriptionEvent>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Detail {
        event_type: String,
        meeting_id: ChimeMeetingId,
        #[serde(default)]
        timestamp: Option<i64>,
        #[serde(default, deserialize_with = "text_or_none")]
        message: Option<String>,
    }
    if envelope.detail_type != MEETING_STATE_CHANGE {
        return Err(Error::invalid("detail-type", format!("must be {MEETING_STATE_CHANGE}")));
    }
    let detail: Detail = serde_json::from_str(envelope.detail)
        .map_err(|_| Error::invalid("detail", "must have an eventType and a meetingId"))?;
    let kind = match detail.event_type.as_str() {
        "chime:TranscriptionStarted" => TranscriptionEventKind::Started,
        "chime:TranscriptionStopped" => TranscriptionEventKind::Stopped,
        "chime:TranscriptionInterrupted" => TranscriptionEventKind::Interrupted,
        "chime:TranscriptionResumed" => TranscriptionEventKind::Resumed,
        "chime:TranscriptionFailed" => TranscriptionEventKind::Failed,
        _ => {
            tracing::debug!(event = envelope.id, "event of another type ignored");
            return Ok(None);
        }
    };
    // PostgreSQL accepts no NUL in a text.
    let message = detail.message.map(|text| {
        text.chars().filter(|one| !one.is_control()).take(MAX_MESSAGE_CHARACTERS).collect::<String>()
    });
    Ok(Some(TranscriptionEvent { meeting: detail.meeting_id, kind, at: time_of(detail.timestamp), message }))
}

/// A time of Chime's, where it is one.
fn time_of(timestamp: Option<i64>) -> Option<OffsetDateTime> {
    let ms = timestamp.filter(|ms| (0..=MAX_TIMESTAMP_MS).contains(ms))?;
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

fn known(name: &str) -> Option<ChimeEventKind> {
    let name: serde::de::value::StrDeserializer<'_, UnknownKind> = name.into_deserializer();
    ChimeEventKind::deserialize(name).ok()
}

/// Whether an id has only the characters that this service and Chime use. PostgreSQL accepts no NUL in a text.
fn is_plain(id: &str, max_bytes: usize) -> bool {
    (1..=max_bytes).contains(&id.len()) && !id.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(detail: &Value) -> Result<ParsedEvent, Error> {
        read(Envelope {
            id: "e-1",
            detail_type: MEETING_STATE_CHANGE,
            region: "us-east-1",
            detail: &detail.to_string(),
        })
    }

    fn joined() -> Value {
        json!({
            "version": "0",
            "eventType": "chime:AttendeeJoined",
            "timestamp": 12_344_566_754_i64,
            "meetingId": "87654321-4321-4321-1234-111122223333",
            "attendeeId": "87654321-4321-4321-1234-111122223333",
            "externalUserId": "87654321-4321-4321-1234-111122223333",
            "networkType": "Voip",
            "mediaRegion": "us-east-1",
        })
    }

    #[test]
    fn an_event_of_a_transcription_keeps_what_chime_says_of_a_failure() {
        let read = |event_type: &str, message: Value| {
            let detail = json!({
                "version": "0", "eventType": event_type, "timestamp": 1_627_503_649_251_i64,
                "meetingId": "1e6bf4f5-f4b5-4917-b8c9-bda45c340706", "message": message,
                "mediaRegion": "us-east-1", "transcriptionRegion": "us-west-2", "transcriptionConfiguration": "{}",
            });
            let detail = detail.to_string();
            read_transcription(Envelope {
                id: "e-1",
                detail_type: MEETING_STATE_CHANGE,
                region: "us-east-1",
                detail: &detail,
            })
            .expect("an event")
        };
        let failed =
            read("chime:TranscriptionFailed", json!("Internal\u{0} server error")).expect("a known one");
        assert_eq!(failed.kind, TranscriptionEventKind::Failed);
        assert_eq!(failed.message.as_deref(), Some("Internal server error"));
        let long = read("chime:TranscriptionFailed", json!("x".repeat(10_000))).expect("a known one");
        assert_eq!(long.message.map(|text| text.len()), Some(MAX_MESSAGE_CHARACTERS));
        let started = read("chime:TranscriptionStarted", json!(7)).expect("a known one");
        assert_eq!((started.kind, started.message), (TranscriptionEventKind::Started, None));
        assert_eq!(read("chime:TranscriptionWhispered", Value::Null), None);
    }

    #[test]
    fn an_event_of_a_pipeline_is_read_by_its_kind_and_another_detail_type_is_rejected() {
        let read = |detail_type: &str, event_type: &str| {
            let detail = json!({
                "version": "0", "eventType": event_type, "timestamp": 1_627_503_649_251_i64,
                "meetingId": "1e6bf4f5-f4b5-4917-b8c9-bda45c340706",
                "mediaPipelineId": "e40ee45e-2ed1-408e-9156-f52b8208a491", "mediaRegion": "us-east-1",
            });
            let detail = detail.to_string();
            read_pipeline(Envelope { id: "e-1", detail_type, region: "us-east-1", detail: &detail })
                .map(|event| event.map(|event| event.kind))
        };
        let kind = |event_type: &str| read(PIPELINE_STATE_CHANGE, event_type).expect("an event");
        assert_eq!(kind("chime:MediaPipelineInProgress"), Some(PipelineEventKind::InProgress));
        assert_eq!(kind("chime:MediaPipelineResumed"), Some(PipelineEventKind::InProgress));
        assert_eq!(kind("chime:MediaPipelineDeleted"), Some(PipelineEventKind::Deleted));
        assert_eq!(kind("chime:MediaPipelinePermanentFailure"), Some(PipelineEventKind::PermanentFailure));
        assert_eq!(kind("chime:MediaPipelineTemporaryFailure"), None);
        assert!(read(MEETING_STATE_CHANGE, "chime:MediaPipelineDeleted").is_err());
        let without = Envelope { id: "e", detail_type: PIPELINE_STATE_CHANGE, region: "r", detail: "{}" };
        assert!(read_pipeline(without).is_err());
    }

    #[test]
    fn an_optional_member_that_is_no_text_is_left_out() {
        for (name, value) in
            [("externalUserId", json!(5)), ("externalMeetingId", Value::Null), ("networkType", json!([1]))]
        {
            let mut event = joined();
            event[name] = value;
            assert!(matches!(parse(&event), Ok(ParsedEvent::Meeting(_))), "{event}");
        }
        let mut event = joined();
        event["attendeeId"] = json!(5);
        assert!(parse(&event).is_err(), "an attendee's event needs its attendee");
    }

    #[test]
    fn a_documented_event_is_parsed_with_or_without_external_meeting_id() {
        let parsed = parse_meeting(&joined());
        assert_eq!((parsed.event.kind, parsed.event.at_ms), (ChimeEventKind::AttendeeJoined, 12_344_566_754));
        assert_eq!((parsed.external_meeting_id, parsed.control_region.as_str()), (None, "us-east-1"));
        let mut named = joined();
        named["externalMeetingId"] = "medzen-1".into();
        assert_eq!(parse_meeting(&named).external_meeting_id.as_deref(), Some("medzen-1"));
    }

    #[test]
    fn every_documented_kind_of_a_meeting_and_its_attendees_is_known() {
        let attendees = [
            "Added",
            "Authorized",
            "Joined",
            "VideoStarted",
            "VideoStopped",
            "ContentJoined",
            "ContentVideoStarted",
            "ContentVideoStopped",
            "ContentLeft",
            "ContentDropped",
            "Left",
            "Dropped",
            "Deleted",
        ];
        for kind in attendees {
            let mut event = joined();
            event["eventType"] = format!("chime:Attendee{kind}").into();
            assert_eq!(parse_meeting(&event).event.kind.as_str(), format!("Attendee{kind}"));
        }
        for kind in ["Started", "Ended"] {
            let mut event = joined();
            event["eventType"] = format!("chime:Meeting{kind}").into();
            for name in ["attendeeId", "externalUserId", "networkType"] {
                event.as_object_mut().expect("an object").remove(name);
            }
            event["externalMeetingId"] = "medzen-1".into();
            assert_eq!(parse_meeting(&event).event.kind.as_str(), format!("Meeting{kind}"));
        }
    }

    #[test]
    fn external_user_ids_of_other_applications_are_dropped() {
        for (id, kept) in [
            ("someone@example.com", None),
            (
                "87654321-4321-4321-1234-111122223333#content",
                Some("87654321-4321-4321-1234-111122223333#content"),
            ),
            ("aws:MediaPipeline-1", Some("aws:MediaPipeline-1")),
        ] {
            let mut event = joined();
            event["externalUserId"] = id.into();
            assert_eq!(parse_meeting(&event).event.external_user_id.as_deref(), kept);
        }
    }

    fn parse_meeting(detail: &Value) -> MeetingEvent {
        match parse(detail) {
            Ok(ParsedEvent::Meeting(event)) => event,
            other => unreachable!("{detail} is {other:?}"),
        }
    }

    #[test]
    fn unknown_event_types_are_ignored() {
        for kind in ["chime:AttendeeWaved", "chime:TranscriptionStarted", "AttendeeJoined", "chime:", ""] {
            let mut event = joined();
            event["eventType"] = kind.into();
            assert_eq!(parse(&event).ok(), Some(ParsedEvent::Other), "{kind}");
        }
        let of_a_pipeline = Envelope {
            id: "e-1",
            detail_type: "Chime Media Pipeline State Change",
            region: "us-east-1",
            detail: &joined().to_string(),
        };
        assert_eq!(read(of_a_pipeline).ok(), Some(ParsedEvent::Other));
    }

    /// Chime allows more (`ExternalMeetingId` and `ExternalUserId` of its API reference) than this service ever uses.
    #[test]
    fn unusual_ids_of_other_applications_are_accepted() {
        for name in ["\u{e9}".repeat(64), "a\tb".to_owned(), "a b\u{ff}".to_owned()] {
            let mut event = joined();
            event["externalUserId"] = name.clone().into();
            assert_eq!(parse_meeting(&event).event.external_user_id, None, "{name:?}");
            event["externalMeetingId"] = name.clone().into();
            match parse(&event) {
                Ok(ParsedEvent::Other) => {}
                Ok(ParsedEvent::Meeting(parsed)) => {
                    assert_eq!(parsed.external_meeting_id, Some(name), "the prefix decides");
                }
                Err(error) => unreachable!("{name:?}: {error}"),
            }
        }
    }

    #[test]
    fn a_known_event_without_a_required_member_is_rejected() {
        let lacking: [(&str, Value); 8] = [
            ("meetingId", Value::Null),
            ("meetingId", "none".into()),
            ("timestamp", Value::Null),
            ("timestamp", (-1).into()),
            ("timestamp", (MAX_TIMESTAMP_MS + 1).into()),
            ("timestamp", "now".into()),
            ("attendeeId", Value::Null),
            ("attendeeId", "a\0b".into()),
        ];
        for (member, value) in lacking {
            let mut event = joined();
            event[member] = value.clone();
            assert!(matches!(parse(&event), Err(Error::Invalid { .. })), "{member}: {value}");
        }
        assert!(parse(&json!({})).is_err());
    }
}
