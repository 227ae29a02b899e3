//! One meeting and its life.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::happening::Happening;
use super::input::{Capabilities, CreateMeeting, Features, NewAttendee};
use super::media::MediaChange;
use super::region;
use super::transcription::{Speech, Transcription};

const MAX_LIFE_MS: i64 = 24 * 60 * 60 * 1000;
const MAX_ALONE_MS: i64 = 5 * 60 * 1000;
const MAX_ATTENDEES: i64 = 250;

#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) id: String,
    /// The control region: only there it is known.
    pub(super) region: String,
    pub(super) token: String,
    pub(super) external_id: String,
    pub(super) media_region: String,
    pub(super) primary: Option<String>,
    pub(super) features: Features,
    /// As `CreateMeeting` answers it.
    pub(super) json: Value,
    pub(super) created_ms: i64,
    pub(super) ended_ms: Option<i64>,
    /// The time at which the last attendee disconnected.
    alone_since_ms: i64,
    connected: BTreeSet<String>,
    pub(super) attendees: Vec<Attendee>,
    /// Those that came with the meeting: a repeated request answers them.
    pub(super) first: Vec<String>,
    /// Events that the engine itself has caused and has not sent yet.
    pub(super) happened: Vec<Happening>,
    /// Changes that the media plane does not have yet.
    pub(super) media_changes: Vec<MediaChange>,
    /// The one that was started last.
    pub(super) transcription: Option<Transcription>,
    pub(super) speech: Speech,
}

#[derive(Debug)]
pub(super) struct Attendee {
    pub(super) id: String,
    pub(super) external_id: String,
    pub(super) join_token: String,
    pub(super) capabilities: Capabilities,
    /// Kept, because events about it may still come.
    pub(super) deleted: bool,
    /// It is a media pipeline, of which Chime itself made an attendee.
    pub(super) recorder: bool,
}

impl Attendee {
    pub(super) fn json(&self) -> Value {
        json!({
            "ExternalUserId": self.external_id,
            "AttendeeId": self.id,
            "JoinToken": self.join_token,
            "Capabilities": self.capabilities,
        })
    }
}

impl Meeting {
    /// `signaling`: where clients find the media plane, in place of Chime's hosts.
    pub(super) fn new(
        region: &str,
        account: &str,
        input: &CreateMeeting,
        signaling: Option<SocketAddr>,
        now_ms: i64,
    ) -> Self {
        let mut id = Uuid::new_v4().to_string();
        id.replace_range(32.., &region::id_suffix(region));
        let mut features = input.meeting_features.clone();
        features.attendee.max_count.get_or_insert(MAX_ATTENDEES);
        let json = json!({
            "MeetingId": id,
            "MeetingHostId": null,
            "ExternalMeetingId": input.external_meeting_id,
            "MediaRegion": input.media_region,
            "MediaPlacement": placement(&id, &input.media_region, signaling),
            "MeetingFeatures": features,
            "PrimaryMeetingId": input.primary_meeting_id,
            "TenantIds": input.tenant_ids.clone().unwrap_or_default(),
            "MeetingArn": super::meeting_arn(region, account, &id),
        });
        Self {
            id,
            region: region.to_owned(),
            token: input.client_request_token.clone(),
            external_id: input.external_meeting_id.clone(),
            media_region: input.media_region.clone(),
            primary: input.primary_meeting_id.clone(),
            features,
            json,
            created_ms: now_ms,
            ended_ms: None,
            alone_since_ms: now_ms,
            connected: BTreeSet::new(),
            attendees: Vec::new(),
            first: Vec::new(),
            happened: vec![Happening::of_meeting("MeetingStarted", now_ms)],
            media_changes: Vec::new(),
            transcription: None,
            speech: Speech::default(),
        }
    }

    /// Lets everything happen that is due, and ends the meeting if its time was over before `now_ms`.
    pub(super) fn advance(&mut self, now_ms: i64) {
        if let Some(end_ms) = self.ends_ms() {
            self.advance_speech(end_ms.min(now_ms));
        }
        if let Some(end_ms) = self.ends_ms().filter(|end_ms| *end_ms <= now_ms) {
            self.end(end_ms);
        }
    }

    /// The time of its end if no attendee connects or disconnects any more. `None`: it has ended.
    pub(super) fn ends_ms(&self) -> Option<i64> {
        let longest = self.created_ms + MAX_LIFE_MS;
        let alone = if self.connected.is_empty() { self.alone_since_ms + MAX_ALONE_MS } else { longest };
        self.live().then_some(longest.min(alone))
    }

    pub(super) fn live(&self) -> bool {
        self.ended_ms.is_none()
    }

    pub(super) fn end(&mut self, at_ms: i64) {
        if self.live() {
            self.close(at_ms);
            self.happened.push(Happening::of_meeting("MeetingEnded", at_ms));
        }
    }

    /// Ends it without an event of its own, but with one for each connected attendee.
    pub(super) fn close(&mut self, at_ms: i64) {
        if self.live() {
            self.end_transcription(at_ms);
            self.ended_ms = Some(at_ms);
            self.media_changes.push(MediaChange::Ended);
        }
        for attendee in std::mem::take(&mut self.connected) {
            self.happened.push(Happening::of("AttendeeLeft", &attendee, at_ms));
        }
    }

    /// A deleted attendee cannot reconnect.
    pub(super) fn connect(&mut self, attendee: &str) {
        if self.live() && self.people().any(|known| known.id == attendee) {
            self.connected.insert(attendee.to_owned());
        }
    }

    /// Whether they were connected.
    pub(super) fn disconnect(&mut self, attendee: &str, now_ms: i64) -> bool {
        let was = self.connected.remove(attendee);
        if was && self.connected.is_empty() {
            self.alone_since_ms = now_ms;
        }
        was
    }

    /// Deletes an attendee, which throws them out.
    pub(super) fn delete(&mut self, attendee: &str, now_ms: i64) {
        for known in self.attendees.iter_mut().filter(|known| known.id == attendee) {
            known.deleted = true;
        }
        self.media_changes.push(MediaChange::Removed { attendee: attendee.to_owned() });
        if self.disconnect(attendee, now_ms) {
            self.happened.push(Happening::of("AttendeeDropped", attendee, now_ms));
        }
        self.happened.push(Happening::of("AttendeeDeleted", attendee, now_ms));
    }

    /// Sets what an attendee may send and receive; those who are connected feel it at once.
    pub(super) fn set_capabilities(&mut self, attendee: &str, capabilities: Capabilities) {
        for known in self.attendees.iter_mut().filter(|known| known.id == attendee) {
            known.capabilities = capabilities;
        }
        let change =
            MediaChange::Capabilities { attendee: attendee.to_owned(), capabilities: capabilities.into() };
        self.media_changes.push(change);
    }

    /// Attendees that are not deleted, connected or not.
    pub(super) fn present_attendees(&self) -> impl Iterator<Item = &Attendee> {
        self.attendees.iter().filter(|attendee| !attendee.deleted)
    }

    /// Those of them that were made by a request: they count.
    pub(super) fn people(&self) -> impl Iterator<Item = &Attendee> {
        self.present_attendees().filter(|attendee| !attendee.recorder)
    }

    pub(super) fn connected_attendees(&self) -> impl Iterator<Item = &Attendee> {
        self.people().filter(|attendee| self.connected.contains(&attendee.id))
    }

    /// A media pipeline joins. It neither counts towards limits nor keeps the meeting alive.
    pub(super) fn add_recorder(&mut self, external_id: &str, at_ms: i64) -> String {
        let id = Uuid::new_v4().to_string();
        self.attendees.push(Attendee {
            id: id.clone(),
            external_id: external_id.to_owned(),
            join_token: Uuid::new_v4().to_string(),
            capabilities: Capabilities::default(),
            deleted: false,
            recorder: true,
        });
        self.happened.push(Happening::of("AttendeeJoined", &id, at_ms));
        id
    }

    /// A media pipeline leaves.
    pub(super) fn remove_recorder(&mut self, id: &str, at_ms: i64) {
        for recorder in self.attendees.iter_mut().filter(|attendee| attendee.id == id) {
            recorder.deleted = true;
        }
        self.happened.push(Happening::of("AttendeeLeft", id, at_ms));
    }

    pub(super) fn is_full(&self, limit: usize) -> bool {
        let own = self.features.attendee.max_count.and_then(|count| usize::try_from(count).ok());
        self.people().count() >= limit.min(own.unwrap_or(limit))
    }

    /// Each call makes a new attendee, also for an `ExternalUserId` that is there: the stricter reading of the model,
    /// whose "idempotency token" is unconfirmed.
    pub(super) fn add(&mut self, new: &NewAttendee, now_ms: i64) -> Value {
        let id = Uuid::new_v4().to_string();
        let join_token = STANDARD.encode(format!("{}:{}", &id[..8], Uuid::new_v4()));
        let attendee = Attendee {
            id,
            external_id: new.external_user_id.clone(),
            join_token,
            capabilities: new.capabilities,
            deleted: false,
            recorder: false,
        };
        let json = attendee.json();
        self.happened.push(Happening::of("AttendeeAdded", &attendee.id, now_ms));
        self.attendees.push(attendee);
        json
    }

    /// As `GET /_local/chime/meetings` lists it.
    pub(super) fn listed(&self) -> Value {
        let attendees = self.present_attendees().map(|attendee| {
            json!({
                "attendeeId": attendee.id,
                "externalUserId": attendee.external_id,
                "capabilities": attendee.capabilities,
            })
        });
        json!({
            "meetingId": self.id,
            "externalMeetingId": self.external_id,
            "live": self.live(),
            "createdAt": date(self.created_ms),
            "endedAt": self.ended_ms.map(date),
            "attendees": attendees.collect::<Vec<_>>(),
            "transcription": self.transcription.as_ref().map(Transcription::listed),
        })
    }
}

/// An instant as ISO 8601 in UTC.
pub(crate) fn date(ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// Hosts and paths as AWS builds them. Of these the SDK for JavaScript reaches for signalling and the ingestion of its events, which
/// `signaling` replaces.
fn placement(id: &str, media_region: &str, signaling: Option<SocketAddr>) -> Value {
    let host = format!("m1.{}.app.chime.aws", region::short(media_region));
    let cell: String = id.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let signaling_url = signaling.map_or_else(
        || format!("wss://signal.{host}/control/{id}"),
        |address| format!("ws://{address}/control/{id}"),
    );
    let ingestion_url = signaling.map_or_else(
        || format!("https://data.svc.{}.ingest.chime.aws/v1/client-events", region::short(media_region)),
        |address| format!("http://{address}/v1/client-events"),
    );
    json!({
        "AudioHostUrl": format!("{cell}.k.{host}:3478"),
        "AudioFallbackUrl": format!("wss://wss.k.{host}:443/calls/{id}"),
        "SignalingUrl": signaling_url,
        "TurnControlUrl": format!("https://{}.cell.{media_region}.meetings.chime.aws/v2/turn_sessions", &id[32..]),
        "ScreenDataUrl": format!("wss://bitpw.{host}:443/v2/screen/{id}"),
        "ScreenViewingUrl": format!("wss://bitpw.{host}:443/ws/connect?passcode=null&viewer_uuid=null&X-BitHub-Call-Id={id}"),
        "ScreenSharingUrl": format!("wss://bitpw.{host}:443/v2/screen/{id}"),
        "EventIngestionUrl": ingestion_url,
    })
}
