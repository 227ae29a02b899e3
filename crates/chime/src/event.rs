//! Chime's state changes as `EventBridge` carries them (Chime SDK developer guide, "Automating with `EventBridge`").

use domain::Error;
use domain::id::{ChimeMeetingId, UserId};
use domain::presence::{ChimeEvent, ChimeEventKind, MeetingEvent};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as UnknownKind;

/// The detail type of what happens to meetings and those in them.
pub const MEETING_STATE_CHANGE: &str = "Chime Meeting State Change";

/// The end of the year 9999, the last that both the database and a timestamp's text can bear.
const LATEST_MS: i64 = 253_402_300_799_999;

/// What `EventBridge` puts around a `detail`, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The event's id.
    pub id: &'a str,
    /// Its detail type.
    pub detail_type: &'a str,
    /// Where it comes from: the meeting's control region.
    pub region: &'a str,
    /// The detail, as JSON text.
    pub detail: &'a str,
}

/// What an event is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParsedEvent {
    /// It is one of the documented changes of a meeting.
    Meeting(MeetingEvent),
    /// It is something else, or newer than this code: no fault, and nothing to be done.
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
    attendee_id: Option<String>,
    external_user_id: Option<String>,
    external_meeting_id: Option<String>,
}

/// Reads an event.
///
/// # Errors
/// 422 for one of a known type that does not bear what such an event always bears.
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
    if !(0..=LATEST_MS).contains(&detail.timestamp) {
        return Err(Error::invalid("detail.timestamp", "must be milliseconds since 1970"));
    }
    // Other applications' may have letters, spaces and tabs that ours never have.
    if detail.external_meeting_id.as_deref().is_some_and(|id| !is_plain(id, 64)) {
        return Ok(ParsedEvent::Other);
    }
    // `<attendeeId>#content` is the longest; ids of Chime's have 36 characters.
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

/// Whether an external user id is one of ours, or a recorder's. Of other applications it may be an address, which is not kept.
fn is_known(id: &str) -> bool {
    id.starts_with("aws:MediaPipeline")
        || id.split('#').next().is_some_and(|user| user.parse::<UserId>().is_ok())
}

fn known(name: &str) -> Option<ChimeEventKind> {
    let name: serde::de::value::StrDeserializer<'_, UnknownKind> = name.into_deserializer();
    ChimeEventKind::deserialize(name).ok()
}

/// Whether an id is of the kind that ours and Chime's own are. PostgreSQL takes no NUL in a text.
fn is_plain(id: &str, most: usize) -> bool {
    (1..=most).contains(&id.len()) && !id.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn heard(detail: &Value) -> Result<ParsedEvent, Error> {
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
    fn a_documented_event_is_told_whether_or_not_it_names_its_meeting() {
        let told = told(&joined());
        assert_eq!((told.event.kind, told.event.at_ms), (ChimeEventKind::AttendeeJoined, 12_344_566_754));
        assert_eq!((told.external_meeting_id, told.control_region.as_str()), (None, "us-east-1"));
        let mut named = joined();
        named["externalMeetingId"] = "medzen-1".into();
        assert_eq!(self::told(&named).external_meeting_id.as_deref(), Some("medzen-1"));
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
            assert_eq!(told(&event).event.kind.as_str(), format!("Attendee{kind}"));
        }
        for kind in ["Started", "Ended"] {
            let mut event = joined();
            event["eventType"] = format!("chime:Meeting{kind}").into();
            for name in ["attendeeId", "externalUserId", "networkType"] {
                event.as_object_mut().expect("an object").remove(name);
            }
            event["externalMeetingId"] = "medzen-1".into();
            assert_eq!(told(&event).event.kind.as_str(), format!("Meeting{kind}"));
        }
    }

    #[test]
    fn whom_another_application_means_is_not_kept() {
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
            assert_eq!(told(&event).event.external_user_id.as_deref(), kept);
        }
    }

    fn told(detail: &Value) -> MeetingEvent {
        match heard(detail) {
            Ok(ParsedEvent::Meeting(told)) => told,
            other => unreachable!("{detail} is {other:?}"),
        }
    }

    #[test]
    fn what_is_new_or_another_s_is_no_fault() {
        for kind in ["chime:AttendeeWaved", "chime:TranscriptionStarted", "AttendeeJoined", "chime:", ""] {
            let mut event = joined();
            event["eventType"] = kind.into();
            assert_eq!(heard(&event).ok(), Some(ParsedEvent::Other), "{kind}");
        }
        let of_a_pipeline = Envelope {
            id: "e-1",
            detail_type: "Chime Media Pipeline State Change",
            region: "us-east-1",
            detail: &joined().to_string(),
        };
        assert_eq!(read(of_a_pipeline).ok(), Some(ParsedEvent::Other));
    }

    /// What Chime allows them (`ExternalMeetingId` and `ExternalUserId` of its API reference) is more than we ever use.
    #[test]
    fn names_that_only_another_application_gives_are_no_fault() {
        for name in ["\u{e9}".repeat(64), "a\tb".to_owned(), "a b\u{ff}".to_owned()] {
            let mut event = joined();
            event["externalUserId"] = name.clone().into();
            assert_eq!(told(&event).event.external_user_id, None, "{name:?}");
            event["externalMeetingId"] = name.clone().into();
            match heard(&event) {
                Ok(ParsedEvent::Other) => {}
                Ok(ParsedEvent::Meeting(told)) => {
                    assert_eq!(told.external_meeting_id, Some(name), "the prefix decides");
                }
                Err(error) => unreachable!("{name:?}: {error}"),
            }
        }
    }

    #[test]
    fn a_known_event_that_lacks_what_it_must_bear_is_refused() {
        let lacking: [(&str, Value); 8] = [
            ("meetingId", Value::Null),
            ("meetingId", "none".into()),
            ("timestamp", Value::Null),
            ("timestamp", (-1).into()),
            ("timestamp", (LATEST_MS + 1).into()),
            ("timestamp", "now".into()),
            ("attendeeId", Value::Null),
            ("attendeeId", "a\0b".into()),
        ];
        for (member, value) in lacking {
            let mut event = joined();
            event[member] = value.clone();
            assert!(matches!(heard(&event), Err(Error::Invalid { .. })), "{member}: {value}");
        }
        assert!(heard(&json!({})).is_err());
    }
}
