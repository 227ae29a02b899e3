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
/// Limits of the messages that are kept for those who join later or reconnect
/// (<https://github.com/aws/amazon-chime-sdk-js/issues/399>).
const MAX_KEPT_MESSAGES: usize = 1_024;
const MAX_LIFETIME_MS: u32 = 300_000;
const NS_PER_MS: i64 = 1_000_000;

impl Room {
    /// Delivers a message to everyone, its sender included; one outside of the limits is dropped. One with a lifetime is kept for so long.
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
        let lifetime_ms = message.lifetime_ms.unwrap_or_default().min(MAX_LIFETIME_MS);
        if lifetime_ms > 0 {
            if self.kept.len() == MAX_KEPT_MESSAGES {
                self.kept.pop_front();
            }
            self.kept.push_back((now_ns.saturating_add(i64::from(lifetime_ms) * NS_PER_MS), message.clone()));
        }
        self.send_to_present(&Body::DataMessage(DataMessage { messages: vec![message] }));
    }

    /// Sends to one who has just connected what others received earlier and has not expired.
    pub(super) fn send_kept(&mut self, connection: ConnectionId, now_ns: i64) {
        self.forget_expired(now_ns);
        let messages: Vec<DataPayload> = self.kept.iter().map(|(_, message)| message.clone()).collect();
        if !messages.is_empty() {
            self.send(connection, Body::DataMessage(DataMessage { messages }));
        }
    }

    /// Whether messages wait for somebody who may come.
    pub(crate) fn keeps_messages(&mut self, now_ns: i64) -> bool {
        self.forget_expired(now_ns);
        !self.kept.is_empty()
    }

    fn forget_expired(&mut self, now_ns: i64) {
        self.kept.retain(|(expires_ns, _)| *expires_ns > now_ns);
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
