//! The frames of signalling that a participant of the bench sends and reads, as the SDK's `SignalingProtocol.js` declares them.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;

/// The first byte of each binary message.
const FRAME_TYPE_RTC: u8 = 5;

pub(crate) const JOIN: i32 = 1;
pub(crate) const SUBSCRIBE: i32 = 3;
pub(crate) const PING_PONG: i32 = 19;
/// `SdkPingPongType.PING`.
pub(crate) const PING: i32 = 1;
/// `SdkStreamServiceType.DUPLEX`: the participant sends pictures as well.
pub(crate) const DUPLEX: i32 = 3;
/// `SdkStreamMediaType.VIDEO`.
pub(crate) const VIDEO: i32 = 2;

/// `SdkSignalFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignalFrame {
    #[prost(uint64, required, tag = "1")]
    pub(crate) timestamp_ms: u64,
    #[prost(int32, required, tag = "2")]
    pub(crate) kind: i32,
    #[prost(message, optional, tag = "4")]
    pub(crate) join: Option<Join>,
    #[prost(message, optional, tag = "6")]
    pub(crate) subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "7")]
    pub(crate) subscribe_ack: Option<SubscribeAck>,
    #[prost(message, optional, tag = "8")]
    pub(crate) index: Option<Index>,
    #[prost(message, optional, tag = "20")]
    pub(crate) ping_pong: Option<PingPong>,
}

/// `SdkJoinFrame`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Join {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) protocol_version: Option<u32>,
}

/// `SdkSubscribeFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Subscribe {
    #[prost(int32, optional, tag = "1")]
    pub(crate) duplex: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) send_streams: Vec<StreamDescriptor>,
    /// The stream of each video section of the offer, or 0.
    #[prost(uint32, repeated, packed = "false", tag = "3")]
    pub(crate) receive_stream_ids: Vec<u32>,
    #[prost(string, optional, tag = "4")]
    pub(crate) sdp_offer: Option<String>,
}

/// `SdkSubscribeAckFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SubscribeAck {
    #[prost(string, optional, tag = "3")]
    pub(crate) sdp_answer: Option<String>,
}

/// `SdkIndexFrame`: the streams of the others.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Index {
    #[prost(message, repeated, tag = "2")]
    pub(crate) sources: Vec<StreamDescriptor>,
}

/// `SdkStreamDescriptor`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct StreamDescriptor {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) stream_id: Option<u32>,
    #[prost(int32, optional, tag = "9")]
    pub(crate) media_type: Option<i32>,
}

/// `SdkPingPongFrame`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct PingPong {
    #[prost(int32, required, tag = "1")]
    pub(crate) kind: i32,
    #[prost(uint32, required, tag = "2")]
    pub(crate) ping_id: u32,
}

impl SignalFrame {
    pub(crate) fn into_message(self) -> Bytes {
        let mut message = BytesMut::with_capacity(1 + self.encoded_len());
        message.put_u8(FRAME_TYPE_RTC);
        message.put_slice(&self.encode_to_vec());
        message.freeze()
    }

    /// `None`: a message of another kind.
    pub(crate) fn from_message(message: &[u8]) -> Result<Option<Self>, prost::DecodeError> {
        match message.split_first() {
            Some((&FRAME_TYPE_RTC, frame)) => Self::decode(frame).map(Some),
            Some(_) | None => Ok(None),
        }
    }
}
