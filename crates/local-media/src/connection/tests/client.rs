//! The other end of a connection, and the line between both.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpApi};
use str0m::format::Codec;
use str0m::media::{Frequency, KeyframeRequestKind, MediaData, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::super::{Answer, Connection, ConnectionEvent, Poll, VideoCodec, VideoFrame};

pub(super) const SERVER: &str = "127.0.0.1:4000";
const CLIENT: &str = "192.0.2.2:5000";
const STEP: Duration = Duration::from_millis(5);

/// A browser, as far as `str0m` can be one: full ICE, all codecs of its default configuration.
pub(super) struct Client {
    pub(super) rtc: Rtc,
    pub(super) events: Vec<Event>,
    now: Instant,
}

impl Client {
    fn new(now: Instant) -> Self {
        let mut rtc = Rtc::builder().build(now);
        let address: SocketAddr = CLIENT.parse().expect("it is an address");
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("it is a host's address"));
        Self { rtc, events: Vec::new(), now }
    }

    /// What is sent until it waits.
    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        for _ in 0..100_000 {
            match self.rtc.poll_output().expect("the client works") {
                Output::Transmit(transmit) => datagrams.push(transmit.contents.into()),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) if at <= self.now => self.tick(self.now),
                Output::Timeout(_) => break,
            }
        }
        datagrams
    }

    fn tick(&mut self, now: Instant) {
        self.now = now;
        self.rtc.handle_input(Input::Timeout(now)).expect("the client works");
    }

    fn receive(&mut self, datagram: &[u8]) {
        let receive = Receive::new(
            Protocol::Udp,
            SERVER.parse().expect("it is an address"),
            CLIENT.parse().expect("it is an address"),
            datagram,
        )
        .expect("the server sends no garbage");
        self.rtc.handle_input(Input::Receive(self.now, receive)).expect("the client works");
    }

    pub(super) fn write(
        &mut self,
        mid: Mid,
        codec: Codec,
        clock: Frequency,
        time: u64,
        data: &[u8],
        level: Option<i8>,
    ) {
        let mut writer = self.rtc.writer(mid).expect("there is the section");
        let pt = writer
            .payload_params()
            .find(|params| params.spec().codec == codec)
            .map(str0m::format::PayloadParams::pt)
            .expect("the codec was answered");
        if let Some(level) = level {
            writer = writer.audio_level(level, true);
        }
        writer.write(pt, self.now, MediaTime::new(time, clock), data).expect("it is written");
    }

    pub(super) fn request_keyframe(&mut self, mid: Mid) {
        self.rtc
            .writer(mid)
            .expect("there is the section")
            .request_keyframe(None, KeyframeRequestKind::Pli)
            .expect("something has arrived in the section");
    }

    pub(super) fn keyframe_requests(&self, mid: Mid) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, Event::KeyframeRequest(request) if request.mid == mid))
            .count()
    }

    /// What has arrived in a section.
    pub(super) fn media(&self, mid: Mid) -> Vec<&MediaData> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::MediaData(media) if media.mid == mid => Some(media),
                _ => None,
            })
            .collect()
    }
}

/// Says of each datagram whether it arrives, with `true` for those to the server.
type Carries = Box<dyn FnMut(bool, &[u8]) -> bool>;

/// A connection and its client.
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) client: Client,
    pub(super) now: Instant,
    pub(super) happened: Vec<ConnectionEvent>,
    pub(super) carries: Carries,
}

impl Line {
    pub(super) fn new(codecs: &[VideoCodec]) -> Self {
        let now = Instant::now();
        let server = SERVER.parse().expect("it is an address");
        Self {
            connection: Connection::new(server, codecs, now).expect("it is a loopback address"),
            client: Client::new(now),
            now,
            happened: Vec::new(),
            carries: Box::new(|_, _| true),
        }
    }

    /// The client makes an offer, which the connection answers.
    pub(super) fn negotiate<T>(
        &mut self,
        receive_stream_ids: &[u32],
        change: impl FnOnce(&mut SdpApi<'_>) -> T,
    ) -> (T, Answer) {
        let mut api = self.client.rtc.sdp_api();
        let changed = change(&mut api);
        let (offer, pending) = api.apply().expect("something has changed");
        let answer = self
            .connection
            .answer(&offer.to_sdp_string(), receive_stream_ids, self.now)
            .expect("the offer is accepted");
        let parsed = SdpAnswer::from_sdp_string(&answer.sdp).expect("the answer is a description");
        self.client.rtc.sdp_api().accept_answer(pending, parsed).expect("the client accepts the answer");
        (changed, answer)
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.exchange();
            if self.now >= end {
                return;
            }
            self.now += STEP;
            self.client.tick(self.now);
            self.connection.tick(self.now);
        }
    }

    fn exchange(&mut self) {
        let client: SocketAddr = CLIENT.parse().expect("it is an address");
        loop {
            let mut quiet = true;
            for datagram in self.client.drain() {
                quiet = false;
                if (self.carries)(true, &datagram) {
                    self.connection.receive(&datagram, client, self.now);
                }
            }
            loop {
                match self.connection.poll() {
                    Poll::Wait(_) => break,
                    Poll::Event(event) => self.happened.push(event),
                    Poll::Transmit { to, datagram } => {
                        assert_eq!(to, client);
                        quiet = false;
                        if (self.carries)(false, &datagram) {
                            self.client.receive(&datagram);
                        }
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    pub(super) fn events(&self, which: impl Fn(&ConnectionEvent) -> bool) -> usize {
        self.happened.iter().filter(|event| which(event)).count()
    }

    pub(super) fn keyframe_requests(&self, stream_id: u32) -> usize {
        self.events(|event| matches!(event, ConnectionEvent::KeyframeRequested { stream_id: one } if *one == stream_id))
    }

    /// The frames that have arrived at the server.
    pub(super) fn frames(&self) -> Vec<VideoFrame> {
        self.happened
            .iter()
            .filter_map(|event| match event {
                ConnectionEvent::Video(frame) => Some(frame.clone()),
                _ => None,
            })
            .collect()
    }
}
