//! The media that travel over a connection.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use str0m::RtcConfig;
use str0m::format::{Codec, FormatParams, PayloadParams};
use str0m::media::{Frequency, MediaData};
use str0m::rtp::VideoOrientation;

/// The codecs of the Chime SDK for camera and content share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    Vp8,
    H264,
    Vp9,
    Av1,
}

impl VideoCodec {
    /// As RTP names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
        }
    }

    /// Exactly one payload type for each codec, so that a codec's name is enough to forward a frame: H.264 Constrained Baseline with
    /// packetization mode 1, which the SDK calls `h264ConstrainedBaselineProfile`, and VP9 with profile 0.
    pub(super) fn enable(self, mut config: RtcConfig) -> RtcConfig {
        let codecs = config.codec_config();
        match self {
            Self::Vp8 => codecs.enable_vp8(true),
            Self::H264 => codecs.add_h264(108.into(), Some(109.into()), true, 0x42_e0_1f),
            Self::Vp9 => codecs.add_config(
                98.into(),
                Some(99.into()),
                Codec::Vp9,
                Frequency::NINETY_KHZ,
                None,
                FormatParams { profile_id: Some(0), ..FormatParams::default() },
            ),
            Self::Av1 => codecs.enable_av1(true),
        }
        config
    }

    pub(super) fn of(params: &PayloadParams) -> Option<Self> {
        match params.spec().codec {
            Codec::Vp8 => Some(Self::Vp8),
            Codec::H264 => Some(Self::H264),
            Codec::Vp9 => Some(Self::Vp9),
            Codec::Av1 => Some(Self::Av1),
            _ => None,
        }
    }
}

impl From<VideoCodec> for Codec {
    fn from(codec: VideoCodec) -> Self {
        match codec {
            VideoCodec::Vp8 => Self::Vp8,
            VideoCodec::H264 => Self::H264,
            VideoCodec::Vp9 => Self::Vp9,
            VideoCodec::Av1 => Self::Av1,
        }
    }
}

/// One encoded picture: H.264 as Annex B, the others as their bit stream.
#[derive(Clone, Debug)]
pub(crate) struct VideoFrame {
    pub codec: VideoCodec,
    pub data: Bytes,
    /// In ticks of 90 kHz, extended to 64 bits.
    pub rtp_time: u64,
    pub keyframe: bool,
    /// Nothing is missing between the frame before and this one. Without that a frame that is no key frame cannot be decoded.
    pub contiguous: bool,
    /// A phone that is held upright sends its pictures as the camera sees them, and this.
    pub orientation: Option<VideoOrientation>,
}

impl VideoFrame {
    #[cfg(test)]
    pub(crate) fn new(codec: VideoCodec, data: Bytes, rtp_time: u64, keyframe: bool) -> Self {
        Self { codec, data, rtp_time, keyframe, contiguous: true, orientation: None }
    }

    pub(super) fn of(codec: VideoCodec, media: MediaData) -> Self {
        Self {
            codec,
            rtp_time: media.time.rebase(Frequency::NINETY_KHZ).numer(),
            keyframe: media.is_keyframe(),
            contiguous: media.contiguous,
            orientation: media.ext_vals.video_orientation,
            data: Bytes::from_owner(media.data),
        }
    }
}

#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    /// ICE and DTLS are done.
    Connected,
    /// ICE has heard nothing for 15 seconds, the other end has closed, or the connection cannot be used any more. It comes once.
    Lost,
    Audio {
        /// One Opus packet.
        packet: Bytes,
        /// In ticks of 48 kHz, extended to 64 bits.
        rtp_time: u64,
    },
    Video(VideoFrame),
    /// This participant needs a key frame of a stream that it receives: it says so, has just subscribed, or frames are missing.
    KeyframeRequested {
        stream_id: u32,
    },
}

#[derive(Debug)]
pub(crate) enum Poll {
    Transmit {
        to: SocketAddr,
        datagram: Vec<u8>,
    },
    Event(ConnectionEvent),
    /// Nothing more until a datagram arrives, or until `tick` at this time.
    Wait(Instant),
}

/// The answer to an offer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub sdp: String,
    /// The remote videos that this participant receives from now on.
    pub tracks: Vec<Track>,
    /// The participant's camera or screen is on.
    pub sends_video: bool,
    /// The formats that this participant can decode, of the codecs that an answer may contain.
    pub codecs: Vec<VideoCodec>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    pub stream_id: u32,
    pub ssrc: u32,
    pub label: String,
}
