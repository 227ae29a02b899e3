//! One participant's WebRTC connection, without a socket: bytes go in and out by calls.
//!
//! `str0m` requires that its output is read completely after each change. Each method here does so and keeps the output, so that a caller
//! may call them in any order and reads with [`Connection::poll`] when it suits.

mod engine;
mod media;
mod sending;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::change::SdpOffer;
use str0m::error::{IceError, SdpError};
use str0m::format::Codec;
use str0m::media::{MediaData, Mid, Pt};
use str0m::{Candidate, Event, IceConnectionState, Output, Rtc, RtcConfig, RtcError};
use thiserror::Error;

use crate::sdp::{self, Kind, OfferError, Section};

use engine::Engine;
pub use media::VideoCodec;
pub(crate) use media::{Answer, ConnectionEvent, Poll, Track, VideoFrame};
use subscription::Subscription;

/// A lost packet of sound is not sent again, so that waiting for it only delays what follows. The mix conceals the gap.
const MAX_AUDIO_PACKETS_HELD: usize = 2;
const MAX_AUDIO_HOLD: Duration = Duration::from_millis(60);
/// Packets of the largest key frame: 240 KB.
const MAX_VIDEO_PACKETS_HELD: usize = 200;
/// Time for a lost packet of a picture to be sent again, several times if need be. A request for a key frame follows.
const MAX_VIDEO_HOLD: Duration = Duration::from_millis(500);
/// Half a minute of video at 2,500 kbit/s, if nobody reads.
const MAX_OUTPUTS: usize = 10_000;

#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("the server's address is no ICE candidate")]
    Candidate(#[source] IceError),
    #[error("the offer is not accepted")]
    Offer(#[from] OfferError),
    #[error("the offer is no session description")]
    Sdp(#[source] SdpError),
    #[error("the WebRTC connection reports an error")]
    Rtc(#[source] RtcError),
    #[error("the WebRTC connection failed on an invariant of its own and is discarded")]
    Invariant,
    #[error("the WebRTC connection is closed")]
    Closed,
}

pub(crate) struct Connection {
    engine: Engine,
    outputs: VecDeque<Poll>,
    state: State,
    audio: Option<Mid>,
    camera: Option<Mid>,
    /// Frames of the camera are missing, which a key frame ends.
    frames_missing: bool,
    frames_requested_at: Option<Instant>,
    subscriptions: Vec<Subscription>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Connected,
    /// Lost, or closed by us.
    Over,
}

impl Connection {
    /// `udp` is the server's one address, its only candidate (ICE-lite). `codecs`: those that an answer may contain, in this order.
    pub(crate) fn new(udp: SocketAddr, codecs: &[VideoCodec], now: Instant) -> Result<Self, ConnectionError> {
        let candidate = Candidate::host(udp, "udp").map_err(ConnectionError::Candidate)?;
        let config = RtcConfig::new()
            .set_ice_lite(true)
            .clear_codecs()
            .enable_opus(true, false)
            .set_reordering_size_audio(MAX_AUDIO_PACKETS_HELD)
            .set_reordering_timeout_audio(Some(MAX_AUDIO_HOLD))
            .set_reordering_size_video(MAX_VIDEO_PACKETS_HELD)
            .set_reordering_timeout_video(Some(MAX_VIDEO_HOLD));
        let config = codecs.iter().fold(config, |config, codec| codec.enable(config));
        let mut rtc = config.build(now);
        rtc.add_local_candidate(candidate);
        let mut connection = Self {
            engine: Engine::new(rtc, udp, now),
            outputs: VecDeque::new(),
            state: State::Connecting,
            audio: None,
            camera: None,
            frames_missing: false,
            frames_requested_at: None,
            subscriptions: Vec::new(),
        };
        connection.drain();
        Ok(connection)
    }

    /// Whether an answer can name this address of the server.
    pub(crate) fn is_reachable(udp: SocketAddr) -> bool {
        Candidate::host(udp, "udp").is_ok()
    }

    /// Answers an offer. `receive_stream_ids[i]` belongs to the i-th `m=video` section of the offer, with 0 for none. After an error the
    /// connection may be half changed: the caller closes it.
    pub(crate) fn answer(
        &mut self,
        offer: &str,
        receive_stream_ids: &[u32],
        now: Instant,
    ) -> Result<Answer, ConnectionError> {
        self.engine.set_now(now);
        let sections = sdp::sections(offer)?;
        let received = sdp::received_streams(&sections, receive_stream_ids)?;
        let answer = self.negotiate(&sdp::without_simulcast(offer));
        self.drain();
        let answer = answer?;

        self.audio =
            sections.iter().find(|section| section.kind == Kind::Audio && !section.stopped).map(mid_of);
        self.camera = sections
            .iter()
            .find(|section| section.kind == Kind::Video && !section.stopped && section.direction.sends())
            .map(mid_of);
        Ok(Answer {
            sdp: sdp::with_stream_labels(&answer),
            tracks: self.subscribe(&sections, &received),
            sends_video: self.camera.is_some(),
            codecs: self.codecs(&sections),
        })
    }

    /// Whether a datagram is this participant's. A server asks its connections in turn.
    pub(crate) fn accepts(&self, datagram: &[u8], source: SocketAddr) -> bool {
        self.engine.accepts(datagram, source)
    }

    /// Takes a datagram; one that is malformed is dropped.
    pub(crate) fn receive(&mut self, datagram: &[u8], source: SocketAddr, now: Instant) {
        self.engine.set_now(now);
        self.engine.receive(datagram, source);
        self.drain();
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.engine.set_now(now);
        self.engine.advance();
        self.drain();
    }

    /// The next output; a caller reads until `Poll::Wait`.
    pub(crate) fn poll(&mut self) -> Poll {
        self.outputs.pop_front().unwrap_or(Poll::Wait(self.engine.wait()))
    }

    /// The streams that this participant receives.
    #[cfg(test)]
    pub(crate) fn subscribed_streams(&self) -> impl Iterator<Item = u32> {
        self.subscriptions.iter().filter_map(Subscription::stream_id)
    }

    /// Says goodbye to the other end. What is still to be transmitted remains to be polled; `Lost` is not reported.
    pub(crate) fn close(&mut self) {
        self.state = State::Over;
        if let Err(error) = self.engine.call(Rtc::close) {
            tracing::debug!(%error, "a connection is closed without a goodbye");
        }
        self.drain();
    }

    fn negotiate(&mut self, offer: &str) -> Result<String, ConnectionError> {
        let offer =
            self.engine.call(|_| Ok(SdpOffer::from_sdp_string(offer)))?.map_err(ConnectionError::Sdp)?;
        self.engine.call(|rtc| Ok(rtc.sdp_api().accept_offer(offer)?.to_sdp_string()))
    }

    fn codecs(&self, sections: &[Section]) -> Vec<VideoCodec> {
        let Some(rtc) = self.engine.rtc() else {
            return Vec::new();
        };
        let answered: Vec<Pt> = sections
            .iter()
            .filter(|section| section.kind == Kind::Video && !section.stopped)
            .filter_map(|section| rtc.media(mid_of(section)))
            .flat_map(|media| media.remote_pts().iter().copied())
            .collect();
        rtc.codec_config()
            .params()
            .iter()
            .filter(|params| answered.contains(&params.pt()))
            .filter_map(VideoCodec::of)
            .collect()
    }

    /// Reads the output of `str0m` until it waits.
    fn drain(&mut self) {
        loop {
            while let Some(output) = self.engine.next_output() {
                match output {
                    Output::Transmit(transmit) => self.push(Poll::Transmit {
                        to: transmit.destination,
                        datagram: transmit.contents.into(),
                    }),
                    Output::Event(event) => self.on_event(event),
                    Output::Timeout(_) => {}
                }
            }
            if !std::mem::take(&mut self.frames_missing) || !self.request_missing_frames() {
                break;
            }
        }
        if !self.engine.is_alive() {
            self.lose();
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected if self.state == State::Connecting => {
                self.state = State::Connected;
                self.push(Poll::Event(ConnectionEvent::Connected));
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => self.lose(),
            Event::MediaData(media) if self.state == State::Connected => self.on_media(media),
            Event::KeyframeRequest(request) => {
                let asked = self.subscriptions.iter().find(|subscription| subscription.mid == request.mid);
                if let Some(stream_id) = asked.and_then(Subscription::stream_id) {
                    self.push(Poll::Event(ConnectionEvent::KeyframeRequested { stream_id }));
                }
            }
            _ => {}
        }
    }

    /// Takes media of the section that is the microphone, and of the one that is the camera. A client may send in more of them, with clocks
    /// of their own.
    fn on_media(&mut self, media: MediaData) {
        if Some(media.mid) != self.audio && Some(media.mid) != self.camera {
            return;
        }
        if media.params.spec().codec == Codec::Opus {
            self.push(Poll::Event(ConnectionEvent::Audio {
                rtp_time: media.time.numer(),
                packet: Bytes::from_owner(media.data),
            }));
        } else if let Some(codec) = VideoCodec::of(&media.params) {
            let frame = VideoFrame::of(codec, media);
            self.frames_missing |= !frame.contiguous && !frame.keyframe;
            self.push(Poll::Event(ConnectionEvent::Video(frame)));
        }
    }

    fn push(&mut self, output: Poll) {
        if self.outputs.len() < MAX_OUTPUTS {
            self.outputs.push_back(output);
        }
    }

    fn lose(&mut self) {
        if self.state != State::Over {
            self.state = State::Over;
            self.outputs.push_back(Poll::Event(ConnectionEvent::Lost));
        }
    }
}

fn mid_of(section: &Section) -> Mid {
    Mid::from(section.mid.as_str())
}
