//! Frames of the Chime SDK's signalling protocol, and how the socket carries them.
//!
//! The SDK ships no `.proto` file: the messages are those of `SignalingProtocol.js` in its npm package, version 3.32.0. A test
//! compares the bytes with those of the SDK's own encoder. Messages that nothing here reads are left out; a reader
//! skips them. Members of `Join` and `Subscribe` that only this comparison reads are kept. It is proto2: a member that is absent differs from one that is zero, and the SDK asks which it is.

mod media;
mod transcript;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use prost::{Message, Oneof};

pub(crate) use self::media::{
    Index, JoinAck, PauseResume, StreamAllocation, StreamDescriptor, Subscribe, SubscribeAck, TrackMapping,
    VIDEO,
};
pub(crate) use self::transcript::{
    Alternative, Entity, Item, LanguageWithScore, PRONUNCIATION, PUNCTUATION, Transcript, TranscriptEvent,
    TranscriptFrame, TranscriptResult, TranscriptionStatus,
};

/// The first byte of each binary message of the socket: the frame is one of the real-time protocol.
const FRAME_TYPE_RTC: u8 = 5;

/// Why a message of the socket is not a frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// Its first byte names another kind of message.
    #[error("a message of the type {0:?}, not 5")]
    Type(Option<u8>),
    /// The rest is not the protocol's.
    #[error("a frame that cannot be decoded")]
    Decode(#[from] prost::DecodeError),
}

/// `SdkSignalFrame.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum FrameType {
    Join = 1,
    JoinAck = 2,
    Subscribe = 3,
    SubscribeAck = 4,
    Index = 5,
    Pause = 7,
    Resume = 8,
    Leave = 9,
    LeaveAck = 10,
    Bitrates = 13,
    AudioControl = 16,
    AudioMetadata = 17,
    AudioStreamIdInfo = 18,
    PingPong = 19,
    AudioStatus = 20,
    ClientMetric = 21,
    DataMessage = 22,
    RemoteVideoUpdate = 24,
    PrimaryMeetingJoin = 25,
    PrimaryMeetingJoinAck = 26,
    PrimaryMeetingLeave = 27,
    Notification = 34,
    MeetingSessionTiming = 43,
}

/// `SdkSignalFrame`. `None` of `body` is a frame of a type that nothing here reads.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignalFrame {
    #[prost(uint64, required, tag = "1")]
    pub(crate) timestamp_ms: u64,
    #[prost(enumeration = "FrameType", required, tag = "2")]
    pub(crate) kind: i32,
    #[prost(message, optional, tag = "3")]
    pub(crate) error: Option<ErrorStatus>,
    #[prost(oneof = "Body", tags = "4, 5, 6, 7, 8, 10, 11, 12, 17, 18, 19, 20, 21, 23")]
    pub(crate) body: Option<Body>,
}

/// The one message that a frame carries. In the protocol these are independent members, of which the SDK fills one.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Body {
    #[prost(message, tag = "4")]
    Join(Join),
    #[prost(message, tag = "5")]
    JoinAck(JoinAck),
    #[prost(message, tag = "6")]
    Subscribe(Subscribe),
    #[prost(message, tag = "7")]
    SubscribeAck(SubscribeAck),
    #[prost(message, tag = "8")]
    Index(Index),
    /// Of the types PAUSE and RESUME.
    #[prost(message, tag = "10")]
    PauseResume(PauseResume),
    #[prost(message, tag = "11")]
    Leave(Empty),
    #[prost(message, tag = "12")]
    LeaveAck(Empty),
    #[prost(message, tag = "17")]
    AudioControl(AudioControl),
    #[prost(message, tag = "18")]
    AudioMetadata(AudioMetadata),
    #[prost(message, tag = "19")]
    AudioStreamIdInfo(AudioStreamIdInfo),
    #[prost(message, tag = "20")]
    PingPong(PingPong),
    #[prost(message, tag = "21")]
    AudioStatus(AudioStatus),
    #[prost(message, tag = "23")]
    DataMessage(DataMessage),
}

impl Body {
    /// The type that the frame of this message has. A `PauseResume` of the server resumes.
    fn frame_type(&self) -> FrameType {
        match self {
            Self::Join(_) => FrameType::Join,
            Self::JoinAck(_) => FrameType::JoinAck,
            Self::Subscribe(_) => FrameType::Subscribe,
            Self::SubscribeAck(_) => FrameType::SubscribeAck,
            Self::Index(_) => FrameType::Index,
            Self::PauseResume(_) => FrameType::Resume,
            Self::Leave(_) => FrameType::Leave,
            Self::LeaveAck(_) => FrameType::LeaveAck,
            Self::AudioControl(_) => FrameType::AudioControl,
            Self::AudioMetadata(_) => FrameType::AudioMetadata,
            Self::AudioStreamIdInfo(_) => FrameType::AudioStreamIdInfo,
            Self::PingPong(_) => FrameType::PingPong,
            Self::AudioStatus(_) => FrameType::AudioStatus,
            Self::DataMessage(_) => FrameType::DataMessage,
        }
    }
}

impl SignalFrame {
    /// A frame that carries this message, without a time: the server stamps it when it sends it.
    pub(crate) fn new(body: Body) -> Self {
        Self { timestamp_ms: 0, kind: body.frame_type().into(), error: None, body: Some(body) }
    }

    /// A frame that only reports an error. The SDK reads `error` of a frame of any type.
    pub(crate) fn error(status: u32, description: &str) -> Self {
        let error = ErrorStatus { status: Some(status), description: Some(description.to_owned()) };
        Self { timestamp_ms: 0, kind: FrameType::Bitrates.into(), error: Some(error), body: None }
    }

    /// Reads a binary message of the socket.
    pub(crate) fn from_message(message: &[u8]) -> Result<Self, FrameError> {
        match message.split_first() {
            Some((&FRAME_TYPE_RTC, frame)) => Ok(Self::decode(frame)?),
            other => Err(FrameError::Type(other.map(|(first, _)| *first))),
        }
    }

    /// The binary message of the socket that carries this frame, stamped with the time.
    pub(crate) fn into_message(mut self, timestamp_ms: u64) -> Bytes {
        self.timestamp_ms = timestamp_ms;
        let mut message = Vec::with_capacity(1 + self.encoded_len());
        message.push(FRAME_TYPE_RTC);
        message.extend(self.encode_to_vec());
        message.into()
    }

    /// The type, if it is a known one.
    pub(crate) fn frame_type(&self) -> Option<FrameType> {
        FrameType::try_from(self.kind).ok()
    }
}

/// `SdkErrorFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErrorStatus {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) status: Option<u32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) description: Option<String>,
}

/// `SdkLeaveFrame`, `SdkLeaveAckFrame`: without members.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Empty {}

/// `SdkJoinFrame`. It names no attendee: that is the join token's part.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Join {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) protocol_version: Option<u32>,
    #[prost(uint64, optional, tag = "6")]
    pub(crate) audio_session_id: Option<u64>,
    #[prost(bool, optional, tag = "7")]
    pub(crate) wants_compressed_sdp: Option<bool>,
}

/// `SdkAudioControlFrame`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct AudioControl {
    #[prost(bool, optional, tag = "1")]
    pub(crate) muted: Option<bool>,
}

/// `SdkAudioMetadataFrame`: how loud participants are.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AudioMetadata {
    #[prost(message, repeated, tag = "1")]
    pub(crate) attendee_states: Vec<AttendeeState>,
}

/// `SdkAudioAttendeeState`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct AttendeeState {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) audio_stream_id: Option<u32>,
    /// In -dBov, as in the RTP header extension of RFC 6464: at most 14 is full volume, at least 42 is silence.
    #[prost(uint32, optional, tag = "2")]
    pub(crate) volume: Option<u32>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) muted: Option<bool>,
    /// 0 to 2.
    #[prost(uint32, optional, tag = "4")]
    pub(crate) signal_strength: Option<u32>,
}

/// `SdkAudioStreamIdInfoFrame`: who is present.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AudioStreamIdInfo {
    #[prost(message, repeated, tag = "1")]
    pub(crate) streams: Vec<AudioStream>,
}

/// `SdkAudioStreamIdInfo`: with an attendee they are present, with `muted` alone they are muted or not, with nothing but the id they
/// are gone.
#[derive(Clone, PartialEq, Message)]
#[expect(clippy::struct_field_names, reason = "the protocol's name")]
pub(crate) struct AudioStream {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) audio_stream_id: Option<u32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) attendee_id: Option<String>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) muted: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub(crate) external_user_id: Option<String>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) dropped: Option<bool>,
}

pub(crate) const PING: i32 = 1;
pub(crate) const PONG: i32 = 2;

/// `SdkPingPongFrame`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct PingPong {
    #[prost(int32, required, tag = "1")]
    pub(crate) kind: i32,
    #[prost(uint32, required, tag = "2")]
    pub(crate) ping_id: u32,
}

/// `SdkAudioStatusFrame`: a status that resembles HTTP's.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct AudioStatus {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) audio_status: Option<u32>,
}

/// `SdkDataMessageFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DataMessage {
    #[prost(message, repeated, tag = "1")]
    pub(crate) messages: Vec<DataPayload>,
}

/// `SdkDataMessagePayload`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DataPayload {
    #[prost(string, required, tag = "1")]
    pub(crate) topic: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) data: Option<Bytes>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) lifetime_ms: Option<u32>,
    #[prost(string, optional, tag = "4")]
    pub(crate) sender_attendee_id: Option<String>,
    /// Nanoseconds since 1970. The SDK takes 0 for "throttled".
    #[prost(int64, optional, tag = "5")]
    pub(crate) ingest_time_ns: Option<i64>,
    #[prost(string, optional, tag = "6")]
    pub(crate) sender_external_user_id: Option<String>,
}
