//! A participant: signalling by WebSocket and media by UDP, as a browser with the SDK does it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::sleep_until;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

use crate::BenchResult;
use crate::server::MEETING;
use crate::source::{FRAME_SAMPLES, PICTURES_PER_SECOND, Tone, picture};
use crate::wire::{self, Join, PingPong, SignalFrame, StreamDescriptor, Subscribe};

/// As the SDK does it.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const NANOSECONDS: u64 = 1_000_000_000;

/// A participant's counts of received media.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) sound_packets: AtomicU64,
    pub(crate) pictures: AtomicU64,
    /// Participants of whom a picture has come.
    pub(crate) streams: AtomicUsize,
}

pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    pub(crate) name: String,
    pub(crate) hertz: u32,
    /// How many others there are; the participant subscribes to their pictures once all are there.
    pub(crate) others: usize,
    /// How much faster than the server's clock that of the microphone is, in millionths.
    pub(crate) clock_ppm: i64,
    pub(crate) received: Arc<Received>,
}

struct Client {
    plan: Plan,
    socket: WebSocketStream<TcpStream>,
    udp: UdpSocket,
    address: SocketAddr,
    rtc: Rtc,
    audio: Mid,
    camera: Mid,
    pending: Option<SdpPendingOffer>,
    subscribed: bool,
    /// The streams of the others, as the server last listed them.
    sources: Vec<u32>,
    connected_at: Option<Instant>,
    keyframe_due: bool,
    tone: Tone,
    sound_sent: u64,
    pictures_sent: u64,
    pings_sent: u32,
    seen: BTreeSet<Mid>,
}

/// Takes part until it is dropped, or something goes wrong.
pub(crate) async fn take_part(plan: Plan) -> BenchResult<Infallible> {
    let (mut client, offer, pending) = Client::open(plan).await?;
    client
        .signal(SignalFrame {
            kind: wire::JOIN,
            join: Some(Join { protocol_version: Some(2) }),
            ..SignalFrame::default()
        })
        .await?;
    client.subscribe(&offer, pending, Vec::new()).await?;
    let mut datagram = vec![0; 2_048];
    loop {
        let wait = client.drive().await?;
        let next = client.due().map_or(wait, |due| due.min(wait));
        tokio::select! {
            message = client.socket.next() => match message.ok_or("the server has closed the socket")?? {
                Message::Binary(message) => client.take(&message).await?,
                Message::Close(reason) => return Err(format!("closed: {reason:?}").into()),
                _ => {}
            },
            arrived = client.udp.recv_from(&mut datagram) => {
                let (length, source) = arrived?;
                let received = Receive::new(Protocol::Udp, source, client.address, &datagram[..length])?;
                client.rtc.handle_input(Input::Receive(Instant::now(), received))?;
            }
            () = sleep_until(next.into()) => client.rtc.handle_input(Input::Timeout(Instant::now()))?,
        }
        client.send_due().await?;
    }
}

impl Client {
    /// Opens the sockets, and makes an offer of microphone and camera.
    async fn open(plan: Plan) -> BenchResult<(Self, SdpOffer, SdpPendingOffer)> {
        let mut request = format!("ws://{}/control/{MEETING}", plan.server).into_client_request()?;
        // The join token is a subprotocol.
        let protocols = format!("_aws_wt_session, {}", plan.name).parse()?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        let stream = TcpStream::connect(plan.server).await?;
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = udp.local_addr()?;
        let mut config = RtcConfig::new().clear_codecs().enable_opus(true, false);
        config.codec_config().add_h264(108.into(), Some(109.into()), true, 0x42_e0_1f);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, "udp")?);
        let mut changes = rtc.sdp_api();
        let audio = changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let camera = changes.add_media(MediaKind::Video, Direction::SendRecv, None, None, None);
        let (offer, pending) = changes.apply().ok_or("an offer of nothing")?;
        let tone = Tone::of(plan.hertz)?;
        let client = Self {
            plan,
            socket,
            udp,
            address,
            rtc,
            audio,
            camera,
            pending: None,
            subscribed: false,
            sources: Vec::new(),
            connected_at: None,
            keyframe_due: true,
            tone,
            sound_sent: 0,
            pictures_sent: 0,
            pings_sent: 0,
            seen: BTreeSet::new(),
        };
        Ok((client, offer, pending))
    }

    async fn signal(&mut self, frame: SignalFrame) -> BenchResult {
        Ok(self.socket.send(Message::Binary(frame.into_message())).await?)
    }

    /// Offers to receive the pictures of the others, once all of them are there and the offer before is answered.
    async fn offer_others(&mut self) -> BenchResult {
        if self.subscribed || self.pending.is_some() || self.sources.len() < self.plan.others {
            return Ok(());
        }
        self.subscribed = true;
        let mut changes = self.rtc.sdp_api();
        for _ in &self.sources {
            changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().ok_or("an offer of nothing")?;
        self.subscribe(&offer, pending, self.sources.clone()).await
    }

    async fn subscribe(
        &mut self,
        offer: &SdpOffer,
        pending: SdpPendingOffer,
        sources: Vec<u32>,
    ) -> BenchResult {
        self.pending = Some(pending);
        let camera = StreamDescriptor { stream_id: Some(2), media_type: Some(wire::VIDEO) };
        let subscribe = Subscribe {
            duplex: Some(wire::DUPLEX),
            send_streams: vec![camera],
            // The first video section is that of the own camera.
            receive_stream_ids: [0].into_iter().chain(sources).collect(),
            sdp_offer: Some(offer.to_sdp_string()),
        };
        self.signal(SignalFrame {
            kind: wire::SUBSCRIBE,
            subscribe: Some(subscribe),
            ..SignalFrame::default()
        })
        .await
    }

    async fn take(&mut self, message: &[u8]) -> BenchResult {
        let Some(frame) = SignalFrame::from_message(message)? else { return Ok(()) };
        if let Some(answer) = frame.subscribe_ack.and_then(|ack| ack.sdp_answer) {
            let pending = self.pending.take().ok_or("an answer to no offer")?;
            self.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer)?)?;
            self.drive().await?;
        }
        if let Some(index) = frame.index {
            self.sources = index.sources.iter().filter_map(|source| source.stream_id).collect();
        }
        self.offer_others().await
    }

    /// Reads the output of `str0m` until it waits, and says until when.
    async fn drive(&mut self) -> BenchResult<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => {
                    self.udp.send_to(&transmit.contents, transmit.destination).await?;
                }
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected_at = Some(Instant::now()),
            Event::KeyframeRequest(_) => self.keyframe_due = true,
            Event::MediaData(media) if media.mid == self.audio => {
                self.plan.received.sound_packets.fetch_add(1, Ordering::Relaxed);
            }
            Event::MediaData(media) => {
                self.plan.received.pictures.fetch_add(1, Ordering::Relaxed);
                self.seen.insert(media.mid);
                self.plan.received.streams.store(self.seen.len(), Ordering::Relaxed);
            }
            _ => {}
        }
    }

    fn sound_at(&self) -> Option<Instant> {
        let nanoseconds = u64::try_from(20_000_000 - 20 * self.plan.clock_ppm).ok()?;
        Some(self.connected_at? + Duration::from_nanos(self.sound_sent * nanoseconds))
    }

    fn picture_at(&self) -> Option<Instant> {
        let nanoseconds = self.pictures_sent * NANOSECONDS / PICTURES_PER_SECOND;
        Some(self.connected_at? + Duration::from_nanos(nanoseconds))
    }

    fn ping_at(&self) -> Option<Instant> {
        Some(self.connected_at? + PING_INTERVAL * self.pings_sent)
    }

    /// When the next packet, picture or ping is due.
    fn due(&self) -> Option<Instant> {
        [self.sound_at(), self.picture_at(), self.ping_at()].into_iter().flatten().min()
    }

    async fn send_due(&mut self) -> BenchResult {
        let now = Instant::now();
        while self.sound_at().is_some_and(|at| at <= now) {
            let time = MediaTime::new(self.sound_sent * FRAME_SAMPLES, Frequency::FORTY_EIGHT_KHZ);
            let packet = self.tone.packet(self.sound_sent).to_vec();
            self.sound_sent += 1;
            self.write(self.audio, Codec::Opus, time, packet).await?;
        }
        while self.picture_at().is_some_and(|at| at <= now) {
            let time = MediaTime::from_90khz(self.pictures_sent * 90_000 / PICTURES_PER_SECOND);
            self.pictures_sent += 1;
            let key = std::mem::take(&mut self.keyframe_due);
            self.write(self.camera, Codec::H264, time, picture(key)).await?;
        }
        if self.ping_at().is_some_and(|at| at <= now) {
            self.pings_sent += 1;
            let ping = PingPong { kind: wire::PING, ping_id: self.pings_sent };
            self.signal(SignalFrame {
                kind: wire::PING_PONG,
                ping_pong: Some(ping),
                ..SignalFrame::default()
            })
            .await?;
        }
        Ok(())
    }

    async fn write(&mut self, mid: Mid, codec: Codec, time: MediaTime, data: Vec<u8>) -> BenchResult {
        self.drive().await?;
        let writer = self.rtc.writer(mid).ok_or("the server does not take what is sent")?;
        let params = writer.payload_params().find(|params| params.spec().codec == codec);
        let pt = params.ok_or("the server does not take the codec")?.pt();
        writer.write(pt, Instant::now(), time, data)?;
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.drive().await?;
        Ok(())
    }
}
