//! Data messages, among them live captions.

use bytes::Bytes;
use prost::Message as _;

use super::{ConnectionId, DataPayload, Room, TranscriptEvent};
use crate::frame::{Body, DataMessage, TranscriptFrame};

/// The topic of the SDK's transcription controller.
const TRANSCRIPTION_TOPIC: &str = "aws:chime:transcription";
/// Limits of `realtimeSendDataMessage`
/// (<https://aws.github.io/amazon-chime-sdk-js/modules/apioverview.html#9-send-and-receive-data-messages>).
const MAX_DATA_BYTES: usize = 2048;
const MAX_TOPIC_CHARACTERS: usize = 36;

impl Room {
    /// Delivers a message to everyone, its sender included; one outside of the limits is dropped.
    pub(super) fn data(&mut self, connection: ConnectionId, payload: DataPayload, now_ns: i64) {
        let Some(member) = self.members.get(&connection) else { return };
        let length = payload.data.as_ref().map_or(0, Bytes::len);
        if !is_topic(&payload.topic) || length > MAX_DATA_BYTES {
            return;
        }
        let message = DataPayload {
            // A client's own statement about itself counts for nothing.
            sender_attendee_id: Some(member.id()),
            sender_external_user_id: Some(member.attendee.external_user_id.clone()),
            ingest_time_ns: Some(now_ns),
            ..payload
        };
        self.send_to_present(&Body::DataMessage(DataMessage { messages: vec![message] }));
    }

    /// Sends an event of the transcription to everyone.
    pub(super) fn transcript(&mut self, event: TranscriptEvent, now_ns: i64) {
        let frame = TranscriptFrame { events: vec![event] };
        let message = DataPayload {
            topic: TRANSCRIPTION_TOPIC.to_owned(),
            data: Some(frame.encode_to_vec().into()),
            lifetime_ms: Some(0),
            sender_attendee_id: Some("transcription-service".to_owned()),
            ingest_time_ns: Some(now_ns),
            sender_external_user_id: Some("transcription".to_owned()),
        };
        self.send_to_present(&Body::DataMessage(DataMessage { messages: vec![message] }));
    }
}

fn is_topic(topic: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=MAX_TOPIC_CHARACTERS).contains(&topic.chars().count()) && topic.chars().all(allowed)
}
