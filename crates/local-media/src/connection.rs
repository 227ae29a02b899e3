//! One participant's WebRTC connection, without a socket: bytes go in and out by calls.
//!
//! `str0m` requires that its output is read completely after each change. Each method here does so and keeps the output, so that a caller
//! may call them in any order and reads with [`Connection::poll`] when it suits.

mod media;
mod subscription;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::error::{IceError, NetError, SdpError};
use str0m::format::Codec;
use str0m::media::{Frequency, KeyframeRequestKind, MediaData, MediaTime, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig, RtcError};
use thiserror::Error;
use tracing::debug;

use crate::sdp::{self, Kind, OfferError, Section};

pub use media::VideoCodec;
pub(crate) use media::{Answer, ConnectionEvent, Poll, Track, VideoFrame};
use subscription::{Subscription, Verdict};

/// A lost packet of sound is not sent again, so that waiting for it only delays what follows. The mix conceals the gap.
const MAX_AUDIO_PACKETS_HELD: usize = 2;
const MAX_AUDIO_HOLD: Duration = Duration::from_millis(60);
/// Packets of the largest key frame: 240 KB.
const MAX_VIDEO_PACKETS_HELD: usize = 200;
/// Time for a lost packet of a picture to be sent again, several times if need be. A request for a key frame follows.
const MAX_VIDEO_HOLD: Duration = Duration::from_millis(500);
/// The interval between two requests to a camera because frames of it are missing.
const CAMERA_REQUEST_INTERVAL: Duration = Duration::from_millis(300);
/// One change can release a packet for each frame that waits.
const MAX_ADVANCES: usize = 1000;
const MAX_CONSECUTIVE_ERRORS: usize = 100;
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
    #[error("the WebRTC connection refuses")]
    Rtc(#[source] RtcError),
    #[error("the WebRTC connection failed on an invariant of its own and is discarded")]
    Invariant,
    #[error("the WebRTC connection is closed")]
    Closed,
}

pub(crate) struct Connection {
    /// None once it has failed on an invariant of its own.
    rtc: Option<Rtc>,
    udp: SocketAddr,
    now: Instant,
    outputs: VecDeque<Poll>,
    wait: Instant,
    state: State,
    audio: Option<Mid>,
    camera: Option<Mid>,
    camera_asked_at: Option<Instant>,
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
            rtc: Some(rtc),
            udp,
            now,
            outputs: VecDeque::new(),
            wait: now,
            state: State::Connecting,
            audio: None,
            camera: None,
            camera_asked_at: None,
            subscriptions: Vec::new(),
        };
        connection.drain();
        Ok(connection)
    }

    /// Answers an offer. `receive_stream_ids[i]` belongs to the i-th `m=video` section of the offer, with 0 for none. After an error the
    /// connection may be half changed: the caller closes it.
    pub(crate) fn answer(
        &mut self,
        offer: &str,
        receive_stream_ids: &[u32],
        now: Instant,
    ) -> Result<Answer, ConnectionError> {
        self.set_now(now);
        let sections = sdp::sections(offer)?;
        let received = sdp::received_streams(&sections, receive_stream_ids)?;
        let parsed = self
            .guarded(|_| Ok(SdpOffer::from_sdp_string(&sdp::without_simulcast(offer))))?
            .map_err(ConnectionError::Sdp)?;
        let answer = self.guarded(|rtc| rtc.sdp_api().accept_offer(parsed))?;
        self.drain();

        let mid_of = |section: &Section| Mid::from(section.mid.as_str());
        self.audio =
            sections.iter().find(|section| section.kind == Kind::Audio && !section.stopped).map(mid_of);
        self.camera = sections
            .iter()
            .find(|section| section.kind == Kind::Video && !section.stopped && section.direction.sends())
            .map(mid_of);
        let tracks = self.subscribe(&received);
        let codecs = self.codecs(&sections);
        Ok(Answer {
            sdp: sdp::with_stream_labels(&answer.to_sdp_string()),
            tracks,
            sends_video: self.camera.is_some(),
            codecs,
        })
    }

    /// Whether a datagram is this participant's. A server asks its connections in turn.
    pub(crate) fn accepts(&self, datagram: &[u8], source: SocketAddr) -> bool {
        match (&self.rtc, received(datagram, source, self.udp)) {
            (Some(rtc), Ok(received)) => rtc.accepts(&Input::Receive(self.now, received)),
            _ => false,
        }
    }

    /// Takes a datagram; what is malformed is dropped.
    pub(crate) fn receive(&mut self, datagram: &[u8], source: SocketAddr, now: Instant) {
        self.set_now(now);
        let now = self.now;
        let received = match received(datagram, source, self.udp) {
            Ok(received) => received,
            Err(error) => {
                debug!(%error, "a datagram is neither STUN nor DTLS nor RTP");
                return;
            }
        };
        if let Err(error) = self.guarded(|rtc| rtc.handle_input(Input::Receive(now, received))) {
            debug!(%error, "a datagram is dropped");
        }
        self.drain();
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.set_now(now);
        self.advance();
        self.drain();
    }

    /// The next output; a caller reads until `Poll::Wait`.
    pub(crate) fn poll(&mut self) -> Poll {
        self.outputs.pop_front().unwrap_or(Poll::Wait(self.wait))
    }

    /// Sends an Opus packet. `rtp_time` is in ticks of 48 kHz, `level` in -dBov.
    pub(crate) fn send_audio(&mut self, packet: &[u8], rtp_time: u64, level: Option<u8>, now: Instant) {
        self.set_now(now);
        let Some(mid) = self.audio.filter(|_| self.state == State::Connected) else {
            return;
        };
        let Some(pt) = self.payload_type(mid, |codec| codec == Codec::Opus) else {
            return;
        };
        let now = self.now;
        let sent = self.guarded(|rtc| {
            let Some(mut writer) = rtc.writer(mid) else {
                return Ok(());
            };
            if let Some(level) = level.and_then(|level| i8::try_from(level).ok()) {
                writer = writer.audio_level(-level, level < 127);
            }
            writer.write(pt, now, MediaTime::new(rtp_time, Frequency::FORTY_EIGHT_KHZ), packet)
        });
        self.sent(sent);
    }

    /// Sends a frame of `stream_id` to this participant, if they are subscribed to it and its codec was answered. Frames before the first
    /// key frame, and after a gap, are dropped.
    pub(crate) fn send_video(&mut self, stream_id: u32, frame: &VideoFrame) {
        if self.state != State::Connected {
            return;
        }
        let now = self.now;
        for index in 0..self.subscriptions.len() {
            let subscription = &mut self.subscriptions[index];
            if subscription.stream_id != stream_id {
                continue;
            }
            let mid = subscription.mid;
            let Some(pt) = self.payload_type(mid, |codec| codec == frame.codec.into()) else {
                continue;
            };
            match self.subscriptions[index].offer(frame, now) {
                Verdict::Drop => {}
                Verdict::Request => self.push(Poll::Event(ConnectionEvent::KeyframeRequested { stream_id })),
                Verdict::Send(rtp_time) => {
                    let sent = self.guarded(|rtc| {
                        let Some(mut writer) = rtc.writer(mid) else {
                            return Ok(());
                        };
                        if let Some(orientation) = frame.orientation {
                            writer = writer.video_orientation(orientation);
                        }
                        writer.write(pt, now, MediaTime::from_90khz(rtp_time), &frame.data[..])
                    });
                    self.sent(sent);
                }
            }
        }
    }

    /// Asks this participant's camera for a key frame (PLI).
    pub(crate) fn request_keyframe(&mut self) {
        let Some(mid) = self.camera.filter(|_| self.state == State::Connected) else {
            return;
        };
        let asked = self.guarded(|rtc| match rtc.writer(mid) {
            Some(mut writer) => writer.request_keyframe(None, KeyframeRequestKind::Pli),
            None => Ok(()),
        });
        match asked {
            // A camera of which nothing has arrived begins with a key frame.
            Ok(()) | Err(ConnectionError::Rtc(RtcError::NoReceiverSource(_))) => {}
            Err(error) => debug!(%error, "a key frame cannot be asked for"),
        }
        self.advance();
        self.drain();
    }

    /// The streams that this participant receives.
    pub(crate) fn subscribed_streams(&self) -> impl Iterator<Item = u32> {
        self.subscriptions.iter().map(|subscription| subscription.stream_id)
    }

    /// Says goodbye to the other end. What is still to be transmitted remains to be polled; `Lost` is not reported.
    pub(crate) fn close(&mut self) {
        self.state = State::Over;
        if let Err(error) = self.guarded(Rtc::close) {
            debug!(%error, "a connection is closed without a goodbye");
        }
        self.drain();
    }

    fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Keeps what is still subscribed, and asks for a key frame of each stream that is new.
    fn subscribe(&mut self, received: &[(&Section, u32)]) -> Vec<Track> {
        let now = self.now;
        let mut tracks = Vec::new();
        let mut earlier = std::mem::take(&mut self.subscriptions);
        for (section, stream_id) in received {
            let (mid, stream_id) = (Mid::from(section.mid.as_str()), *stream_id);
            let Some(ssrc) = self.sending_ssrc(mid) else {
                continue;
            };
            let mut new = true;
            let subscription = match earlier.iter().position(|one| one.mid == mid) {
                None => Subscription::new(mid, stream_id, now),
                Some(at) => {
                    let mut kept = earlier.swap_remove(at);
                    new = kept.stream_id != stream_id;
                    if new {
                        kept.switch(stream_id, now);
                    }
                    kept
                }
            };
            self.subscriptions.push(subscription);
            if new {
                self.push(Poll::Event(ConnectionEvent::KeyframeRequested { stream_id }));
            }
            tracks.push(Track { stream_id, ssrc, label: sdp::stream_label(&section.mid) });
        }
        tracks
    }

    fn sending_ssrc(&mut self, mid: Mid) -> Option<u32> {
        self.guarded(|rtc| {
            let sends =
                rtc.media(mid).is_some_and(|media| !media.disabled() && media.direction().is_sending());
            let mut direct = rtc.direct_api();
            let stream = direct.stream_tx_by_mid(mid, None).filter(|_| sends);
            Ok(stream.map(|stream| *stream.ssrc()))
        })
        .ok()
        .flatten()
    }

    /// The payload type of a codec in a section, if it was answered there and we send in it.
    fn payload_type(&self, mid: Mid, wanted: impl Fn(Codec) -> bool) -> Option<Pt> {
        let rtc = self.rtc.as_ref()?;
        let media = rtc.media(mid).filter(|media| !media.disabled() && media.direction().is_sending())?;
        rtc.codec_config()
            .find(|params| wanted(params.spec().codec) && media.remote_pts().contains(&params.pt()))
            .map(str0m::format::PayloadParams::pt)
    }

    fn codecs(&self, sections: &[Section]) -> Vec<VideoCodec> {
        let Some(rtc) = &self.rtc else {
            return Vec::new();
        };
        let answered: Vec<Pt> = sections
            .iter()
            .filter(|section| section.kind == Kind::Video && !section.stopped)
            .filter_map(|section| rtc.media(Mid::from(section.mid.as_str())))
            .flat_map(|media| media.remote_pts().iter().copied())
            .collect();
        rtc.codec_config()
            .params()
            .iter()
            .filter(|params| answered.contains(&params.pt()))
            .filter_map(VideoCodec::of)
            .collect()
    }

    /// Calls `str0m`. It panics if an invariant of its own is broken, for example by some malformed descriptions; its documentation advises
    /// a server to catch that and to discard the instance: <https://docs.rs/str0m/0.24.1/str0m/#catching-panics>
    fn guarded<T>(
        &mut self,
        call: impl FnOnce(&mut Rtc) -> Result<T, RtcError>,
    ) -> Result<T, ConnectionError> {
        let Some(rtc) = self.rtc.as_mut() else {
            return Err(ConnectionError::Closed);
        };
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| call(rtc))) else {
            self.rtc = None;
            self.lose();
            return Err(ConnectionError::Invariant);
        };
        result.map_err(ConnectionError::Rtc)
    }

    fn sent(&mut self, sent: Result<(), ConnectionError>) {
        if let Err(error) = sent {
            debug!(%error, "a packet is not sent");
        }
        self.advance();
        self.drain();
    }

    fn advance(&mut self) {
        let now = self.now;
        if let Err(error) = self.guarded(|rtc| rtc.handle_input(Input::Timeout(now))) {
            debug!(%error, "a packet is dropped");
        }
    }

    /// Reads the output of `str0m` until it waits.
    fn drain(&mut self) {
        let (mut advances, mut errors) = (0, 0);
        loop {
            let output = match self.guarded(Rtc::poll_output) {
                Ok(output) => output,
                // A packet that cannot be read, for example. What follows it can.
                Err(ConnectionError::Rtc(error)) if errors < MAX_CONSECUTIVE_ERRORS => {
                    debug!(%error, "the connection reports an error");
                    errors += 1;
                    continue;
                }
                Err(_) => {
                    self.rtc = None;
                    self.lose();
                    break;
                }
            };
            errors = 0;
            match output {
                Output::Timeout(at) if at <= self.now && advances < MAX_ADVANCES && self.is_alive() => {
                    advances += 1;
                    self.advance();
                }
                Output::Timeout(at) => {
                    self.wait = at.max(self.now);
                    break;
                }
                Output::Transmit(transmit) => {
                    self.push(Poll::Transmit {
                        to: transmit.destination,
                        datagram: transmit.contents.into(),
                    });
                }
                Output::Event(event) => self.on_event(event),
            }
        }
        if !self.is_alive() {
            self.lose();
        }
    }

    fn is_alive(&self) -> bool {
        self.rtc.as_ref().is_some_and(Rtc::is_alive)
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
                if let Some(stream_id) = asked.map(|subscription| subscription.stream_id) {
                    self.push(Poll::Event(ConnectionEvent::KeyframeRequested { stream_id }));
                }
            }
            _ => {}
        }
    }

    fn on_media(&mut self, media: MediaData) {
        if media.params.spec().codec == Codec::Opus {
            let level = media.ext_vals.audio_level.map(|level| level.unsigned_abs().min(127));
            self.push(Poll::Event(ConnectionEvent::Audio {
                rtp_time: media.time.numer(),
                level,
                packet: bytes::Bytes::from_owner(media.data),
            }));
            return;
        }
        let Some(codec) = VideoCodec::of(&media.params) else {
            return;
        };
        let frame = VideoFrame::of(codec, media);
        if !frame.contiguous && !frame.keyframe {
            self.request_missing_keyframe();
        }
        self.push(Poll::Event(ConnectionEvent::Video(frame)));
    }

    /// Receivers cannot see that a frame is missing, as packets are numbered anew for them.
    fn request_missing_keyframe(&mut self) {
        let waits = self
            .camera_asked_at
            .is_some_and(|at| self.now.saturating_duration_since(at) < CAMERA_REQUEST_INTERVAL);
        let Some(mid) = self.camera.filter(|_| !waits) else {
            return;
        };
        self.camera_asked_at = Some(self.now);
        let asked = self.guarded(|rtc| match rtc.writer(mid) {
            Some(mut writer) => writer.request_keyframe(None, KeyframeRequestKind::Pli),
            None => Ok(()),
        });
        if let Err(error) = asked {
            debug!(%error, "a key frame cannot be asked for");
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

fn received(datagram: &[u8], source: SocketAddr, destination: SocketAddr) -> Result<Receive<'_>, NetError> {
    Receive::new(Protocol::Udp, source, destination, datagram)
}
