//! Meeting events as `EventBridge` carries them, and what they say about who is connected.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::meeting::{Meeting, date};

/// An event to happen, as `POST /_local/chime/meetings/{meetingId}/events` takes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewEvent {
    /// `chime:AttendeeJoined`; `AttendeeJoined` means the same.
    pub event_type: String,
    /// Whom it is about; a screen share is `<attendeeId>#content`.
    pub attendee_id: Option<String>,
    /// `detail.timestamp`, ms since 1970; the cloud's clock when absent.
    pub timestamp: Option<i64>,
    /// The event's id; a new one when absent. Giving the same twice is how a double is made.
    pub id: Option<String>,
}

/// Why an event cannot happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The engine never made this meeting.
    #[error("there is no meeting {0}")]
    UnknownMeeting(String),
    /// Chime has no such event.
    #[error("there is no event {0}")]
    UnknownType(String),
    /// The event is about an attendee, and names none.
    #[error("{0} needs an attendeeId")]
    MissingAttendee(String),
    /// The meeting never had this attendee.
    #[error("the meeting has no attendee {0}")]
    UnknownAttendee(String),
}

/// What an event does to the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    Ends,
    Connects,
    Disconnects,
}

struct Kind {
    name: &'static str,
    about_attendee: bool,
    network_type: bool,
    effect: Effect,
}

const fn kind(name: &'static str, about_attendee: bool, network_type: bool, effect: Effect) -> Kind {
    Kind { name, about_attendee, network_type, effect }
}

const KINDS: [Kind; 15] = [
    kind("MeetingStarted", false, false, Effect::Nothing),
    kind("MeetingEnded", false, false, Effect::Ends),
    kind("AttendeeAdded", true, false, Effect::Nothing),
    kind("AttendeeDeleted", true, false, Effect::Disconnects),
    kind("AttendeeAuthorized", true, false, Effect::Nothing),
    kind("AttendeeJoined", true, true, Effect::Connects),
    kind("AttendeeLeft", true, true, Effect::Disconnects),
    kind("AttendeeDropped", true, true, Effect::Disconnects),
    kind("AttendeeVideoStarted", true, false, Effect::Nothing),
    kind("AttendeeVideoStopped", true, false, Effect::Nothing),
    kind("AttendeeContentJoined", true, false, Effect::Nothing),
    kind("AttendeeContentLeft", true, false, Effect::Nothing),
    kind("AttendeeContentDropped", true, true, Effect::Nothing),
    kind("AttendeeContentVideoStarted", true, false, Effect::Nothing),
    kind("AttendeeContentVideoStopped", true, false, Effect::Nothing),
];

/// Lets an event happen to a meeting and answers it as it goes onto the bus. An ended meeting may still have events:
/// they come late.
pub(super) fn happen(
    meeting: &mut Meeting,
    account: &str,
    event: NewEvent,
    now_ms: i64,
) -> Result<Value, EventError> {
    let name = event.event_type.strip_prefix("chime:").unwrap_or(&event.event_type);
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        return Err(EventError::UnknownType(event.event_type));
    };
    let timestamp = event.timestamp.unwrap_or(now_ms);
    let mut detail = json!({
        "version": "0",
        "eventType": format!("chime:{}", kind.name),
        "timestamp": timestamp,
        "meetingId": meeting.id,
        "externalMeetingId": meeting.external_id,
        "mediaRegion": meeting.media_region,
    });
    if kind.about_attendee {
        let id = event.attendee_id.ok_or_else(|| EventError::MissingAttendee(event.event_type.clone()))?;
        let (own, share) = match id.strip_suffix("#content") {
            Some(own) => (own, "#content"),
            None => (id.as_str(), ""),
        };
        let Some(attendee) = meeting.attendees.iter().find(|attendee| attendee.id == own) else {
            return Err(EventError::UnknownAttendee(id));
        };
        detail["externalUserId"] = format!("{}{share}", attendee.external_id).into();
        // A screen share is no person: it keeps nobody's meeting alive.
        if share.is_empty() {
            let deleted = attendee.deleted;
            match kind.effect {
                Effect::Connects if !deleted => meeting.connect(&id),
                Effect::Disconnects => meeting.disconnect(&id, now_ms),
                Effect::Connects | Effect::Ends | Effect::Nothing => {}
            }
        }
        detail["attendeeId"] = id.into();
    }
    if kind.network_type {
        detail["networkType"] = "Voip".into();
    }
    if kind.effect == Effect::Ends {
        meeting.end(now_ms);
    }
    Ok(json!({
        "version": "0",
        "id": event.id.unwrap_or_else(|| Uuid::new_v4().to_string()),
        "detail-type": "Chime Meeting State Change",
        "source": "aws.chime",
        "account": account,
        // EventBridge counts seconds only.
        "time": date(timestamp.div_euclid(1000) * 1000),
        "region": meeting.region,
        "resources": [],
        "detail": detail,
    }))
}
