//! Data messages, among them live captions.

use bytes::Bytes;
use prost::Message as _;

use super::{ConnectionId, DataPayload, Room, TranscriptEvent, close};
use crate::attendee::AttendeeEvent;
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
/// The time of receipt that the SDK takes for "throttled" (`SendAndReceiveDataMessagesTask` of the SDK).
const THROTTLED: i64 = 0;
const NS_PER_MS: i64 = 1_000_000;

impl Room {
    /// Delivers the messages of a frame to everyone, their sender included, as one frame to each. One outside of the limits is dropped, one
    /// beyond the sender's rate goes back to the sender as throttled. One with a lifetime is kept for so long.
    pub(super) fn data(&mut self, connection: ConnectionId, payloads: Vec<DataPayload>, now_ns: i64) {
        let Some(member) = self.members.get_mut(&connection) else { return };
        let (mut accepted, mut throttled) = (Vec::new(), Vec::new());
        let (id, external_user_id) = (member.id(), member.attendee.external_user_id.clone());
        for payload in payloads {
            if !member.message_rate.hard.take(now_ns) {
                // What was accepted before it has not been sent: nobody receives a part of a frame.
                self.leave(connection, AttendeeEvent::Dropped);
                return self.close(connection, close::RECONNECT);
            }
            let length = payload.data.as_ref().map_or(0, Bytes::len);
            let in_rate = member.message_rate.soft.take(now_ns);
            if !is_topic(&payload.topic) || length > MAX_DATA_BYTES {
                continue;
            }
            let message = DataPayload {
                // A client's own statement about itself counts for nothing.
                sender_attendee_id: Some(id.clone()),
                sender_external_user_id: Some(external_user_id.clone()),
                ingest_time_ns: Some(if in_rate { now_ns } else { THROTTLED }),
                ..payload
            };
            if in_rate { &mut accepted } else { &mut throttled }.push(message);
        }
        for message in &accepted {
            self.keep(message, now_ns);
        }
        if !accepted.is_empty() {
            self.send_to_present(&Body::DataMessage(DataMessage { messages: accepted }));
        }
        if !throttled.is_empty() {
            self.send(connection, Body::DataMessage(DataMessage { messages: throttled }));
        }
    }

    fn keep(&mut self, message: &DataPayload, now_ns: i64) {
        let lifetime_ms = message.lifetime_ms.unwrap_or_default().min(MAX_LIFETIME_MS);
        if lifetime_ms > 0 {
            if self.kept.len() == MAX_KEPT_MESSAGES {
                self.kept.pop_front();
            }
            self.kept.push_back((now_ns.saturating_add(i64::from(lifetime_ms) * NS_PER_MS), message.clone()));
        }
    }

    /// Sends to one who has just connected what was sent earlier and has not expired. After a reconnect these are the same messages again:
    /// "Any attendee joining late or reconnecting will automatically receive the messages in this buffer once they connect"
    /// (<https://github.com/aws/amazon-chime-sdk-js/blob/main/guides/03_API_Overview.md#9-send-and-receive-data-messages-optional>).
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
