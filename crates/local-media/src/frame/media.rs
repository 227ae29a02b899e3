//! Messages about streams: which there are, and which a participant sends and receives.

use bytes::Bytes;
use prost::Message;

/// `SdkStreamMediaType.VIDEO`.
pub(crate) const VIDEO: i32 = 2;

/// `SdkJoinAckFrame`. TURN credentials are left out: with an address in them the client would use nothing but TURN.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct JoinAck {
    #[prost(uint32, optional, tag = "2")]
    pub(crate) video_subscription_limit: Option<u32>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) wants_compressed_sdp: Option<bool>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) default_server_side_network_adaption: Option<i32>,
}

/// `SdkSubscribeFrame`: an offer for all that a participant sends and receives from now on.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Subscribe {
    #[prost(int32, optional, tag = "1")]
    pub(crate) duplex: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) send_streams: Vec<StreamDescriptor>,
    /// For each `m=video` section of the offer, in order: the stream that it receives, or 0.
    #[prost(uint32, repeated, packed = "false", tag = "3")]
    pub(crate) receive_stream_ids: Vec<u32>,
    #[prost(string, optional, tag = "4")]
    pub(crate) sdp_offer: Option<String>,
    #[prost(bool, optional, tag = "7")]
    pub(crate) audio_muted: Option<bool>,
    #[prost(bytes = "bytes", optional, tag = "8")]
    pub(crate) compressed_sdp_offer: Option<Bytes>,
}

/// `SdkSubscribeAckFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SubscribeAck {
    #[prost(message, repeated, tag = "2")]
    pub(crate) allocations: Vec<StreamAllocation>,
    #[prost(string, optional, tag = "3")]
    pub(crate) sdp_answer: Option<String>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) tracks: Vec<TrackMapping>,
}

/// `SdkStreamAllocation`: the number of the stream that the participant sends.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamAllocation {
    #[prost(string, optional, tag = "1")]
    pub(crate) track_label: Option<String>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) group_id: Option<u32>,
}

/// `SdkTrackMapping`: where a stream is found in the answer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TrackMapping {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) ssrc: Option<u32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) track_label: Option<String>,
}

/// `SdkIndexFrame`: all streams that the receiver of the frame could receive.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Index {
    #[prost(bool, optional, tag = "1")]
    pub(crate) at_capacity: Option<bool>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) sources: Vec<StreamDescriptor>,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) num_participants: Option<u32>,
    /// `SdkVideoCodecCapability` of all codecs that everyone can decode: the SDK sends none but these.
    #[prost(int32, repeated, packed = "false", tag = "5")]
    pub(crate) supported_receive_codec_intersection: Vec<i32>,
}

/// `SdkStreamDescriptor`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamDescriptor {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) stream_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) framerate: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) max_bitrate_kbps: Option<u32>,
    #[prost(string, optional, tag = "4")]
    pub(crate) track_label: Option<String>,
    #[prost(uint32, optional, tag = "6")]
    pub(crate) group_id: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub(crate) avg_bitrate_bps: Option<u32>,
    #[prost(string, optional, tag = "8")]
    pub(crate) attendee_id: Option<String>,
    #[prost(int32, optional, tag = "9")]
    pub(crate) media_type: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub(crate) external_user_id: Option<String>,
    #[prost(uint32, optional, tag = "11")]
    pub(crate) width: Option<u32>,
    #[prost(uint32, optional, tag = "12")]
    pub(crate) height: Option<u32>,
}

/// `SdkPauseResumeFrame`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PauseResume {
    #[prost(uint32, repeated, packed = "false", tag = "1")]
    pub(crate) stream_ids: Vec<u32>,
}
