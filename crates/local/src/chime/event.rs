//! Meeting events as `EventBridge` carries them, and what they say about who is connected.

use local_media::CaptionStatusKind;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::happening::{Happening, TranscriptionDetail};
use super::meeting::{Meeting, date};

/// An event to happen, as `POST /_local/chime/meetings/{meetingId}/events` takes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewEvent {
    /// `chime:AttendeeJoined`; `AttendeeJoined` means the same.
    pub event_type: String,
    /// The attendee's id; a screen share is `<attendeeId>#content`.
    pub attendee_id: Option<String>,
    /// `detail.timestamp`, ms since 1970; the cloud's clock when absent.
    pub timestamp: Option<i64>,
    /// The event's id; a new one when absent. Giving the same twice is how a double is made.
    pub id: Option<String>,
    /// `detail.message` of `TranscriptionInterrupted` and `TranscriptionFailed`.
    pub message: Option<String>,
}

/// Why an event is rejected.
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
    /// The event is about a transcription, and nobody has started one.
    #[error("the transcription of meeting {0} was never started")]
    NotTranscribed(String),
}

/// The effect of an event on the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    Ends,
    Connects,
    Disconnects,
    Transcription(CaptionStatusKind),
}

struct EventKind {
    name: &'static str,
    about_attendee: bool,
    network_type: bool,
    effect: Effect,
}

const fn kind(name: &'static str, about_attendee: bool, network_type: bool, effect: Effect) -> EventKind {
    EventKind { name, about_attendee, network_type, effect }
}

const KINDS: [EventKind; 20] = [
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
    kind("TranscriptionStarted", false, false, Effect::Transcription(CaptionStatusKind::Started)),
    kind("TranscriptionInterrupted", false, false, Effect::Transcription(CaptionStatusKind::Interrupted)),
    kind("TranscriptionResumed", false, false, Effect::Transcription(CaptionStatusKind::Resumed)),
    kind("TranscriptionStopped", false, false, Effect::Transcription(CaptionStatusKind::Stopped)),
    kind("TranscriptionFailed", false, false, Effect::Transcription(CaptionStatusKind::Failed)),
];

/// A happening as it goes onto the bus.
pub(super) fn of(happening: &Happening, meeting: &Meeting, account: &str) -> Result<Value, EventError> {
    let event = NewEvent {
        event_type: happening.name.to_owned(),
        attendee_id: happening.attendee.clone(),
        timestamp: Some(happening.at_ms),
        ..NewEvent::default()
    };
    let transcription = happening.transcription.clone();
    whole(meeting, account, kind_of(&event)?, event, transcription, happening.at_ms)
}

/// Lets an event happen to a meeting and answers it as it goes onto the bus. An ended meeting may still have events:
/// they come late.
pub(super) fn happen(
    meeting: &mut Meeting,
    account: &str,
    event: NewEvent,
    now_ms: i64,
) -> Result<Value, EventError> {
    let kind = kind_of(&event)?;
    // A screen share does not keep a meeting alive.
    let person = event.attendee_id.clone().filter(|id| !id.contains('#'));
    let at_ms = event.timestamp.unwrap_or(now_ms);
    let transcription = match kind.effect {
        Effect::Transcription(status) => {
            let unknown = || EventError::NotTranscribed(meeting.id.clone());
            Some(meeting.transcription_detail(status, event.message.clone()).ok_or_else(unknown)?)
        }
        Effect::Nothing | Effect::Ends | Effect::Connects | Effect::Disconnects => None,
    };
    let envelope = whole(meeting, account, kind, event, transcription.clone(), at_ms)?;
    match (kind.effect, person.as_deref()) {
        (Effect::Transcription(status), _) => {
            meeting.set_transcription(status, transcription.and_then(|it| it.message), now_ms);
        }
        (Effect::Ends, _) => meeting.close(now_ms),
        (Effect::Connects, Some(id)) => meeting.connect(id),
        (Effect::Disconnects, Some(id)) => drop(meeting.disconnect(id, now_ms)),
        (Effect::Connects | Effect::Disconnects, None) | (Effect::Nothing, _) => {}
    }
    Ok(envelope)
}

fn kind_of(event: &NewEvent) -> Result<&'static EventKind, EventError> {
    let name = event.event_type.strip_prefix("chime:").unwrap_or(&event.event_type);
    KINDS
        .iter()
        .find(|kind| kind.name == name)
        .ok_or_else(|| EventError::UnknownType(event.event_type.clone()))
}

fn whole(
    meeting: &Meeting,
    account: &str,
    kind: &EventKind,
    event: NewEvent,
    transcription: Option<TranscriptionDetail>,
    timestamp: i64,
) -> Result<Value, EventError> {
    let mut detail = json!({
        "version": "0",
        "eventType": format!("chime:{}", kind.name),
        "timestamp": timestamp,
        "meetingId": meeting.id,
        "externalMeetingId": meeting.external_id,
        "mediaRegion": meeting.media_region,
    });
    if kind.about_attendee {
        let id = event.attendee_id.ok_or(EventError::MissingAttendee(event.event_type))?;
        let (own, share) = id.strip_suffix("#content").map_or((id.as_str(), ""), |own| (own, "#content"));
        let Some(attendee) = meeting.attendees.iter().find(|attendee| attendee.id == own) else {
            return Err(EventError::UnknownAttendee(id));
        };
        detail["externalUserId"] = format!("{}{share}", attendee.external_id).into();
        detail["attendeeId"] = id.into();
    }
    if let Some(TranscriptionDetail { region, configuration, message }) = transcription {
        detail["transcriptionRegion"] = region.into();
        detail["transcriptionConfiguration"] = configuration.into();
        if let Some(message) = message {
            detail["message"] = message.into();
        }
    }
    if kind.network_type {
        detail["networkType"] = "Voip".into();
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
