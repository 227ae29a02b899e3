//! The task that owns all meetings.

mod datagrams;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::link::{InFlight, Link, Way};
use super::meeting::{Effect, Meeting, now_ns};
use super::signaling::{Client, ClientSocket, ToSocket};
use super::tap::Owner;
use super::{Cut, Participant, Refusal};
use crate::attendee::{Admission, Capabilities, Meetings, Recorder};
use crate::captions::{self, Caption};
use crate::capture::TapChunk;
use crate::connection::VideoCodec;
use crate::frame::{AudioStatus, Body, Empty, SignalFrame};
use crate::room::{ConnectionId, Input, close, status};

/// The length of a frame of sound.
const TICK: Duration = Duration::from_millis(20);
/// Levels are sent once in so many ticks.
const LEVEL_TICKS: u64 = 10;
/// A hub that was held up mixes at most this much sound at once, and leaves out the rest.
const MAX_TICKS_AT_ONCE: u32 = 10;

/// Reports of sockets that wait for the hub. When there are so many, sockets read no more until the hub has taken some.
pub(super) const MAX_WAITING_REPORTS: usize = 256;

/// To the hub, of a socket.
pub(super) enum FromSocket {
    Opened { client: Client, reply: oneshot::Sender<ConnectionId> },
    Frame { connection: ConnectionId, frame: SignalFrame },
    Closed { connection: ConnectionId },
}

/// To the hub, of the media plane's owner.
pub(super) enum Message {
    EndMeeting { meeting_id: String },
    RemoveAttendee { meeting_id: String, attendee_id: String },
    ChangeCapabilities { meeting_id: String, attendee_id: String, capabilities: Capabilities },
    Caption { meeting_id: String, caption: Box<Caption> },
    Cut { attendee_id: String, cut: Cut, reply: oneshot::Sender<usize> },
    SetLink { attendee_id: Option<String>, link: Link },
    Refuse { refusal: Option<Refusal> },
    OpenTap { meeting_id: String, chunks: mpsc::Sender<TapChunk> },
    CloseTap { meeting_id: String },
    StartRecorder { meeting_id: String, recorder: Recorder, chunks: mpsc::Sender<TapChunk> },
    StopRecorder { meeting_id: String },
    Participants { reply: oneshot::Sender<Vec<Participant>> },
}

struct Socket {
    /// None: a client that is refused.
    meeting_id: Option<String>,
    refusal: u32,
    client: ClientSocket,
}

pub(super) struct Hub {
    meetings: Arc<dyn Meetings>,
    udp: UdpSocket,
    address: SocketAddr,
    codecs: Vec<VideoCodec>,
    rooms: HashMap<String, Meeting>,
    sockets: HashMap<ConnectionId, Socket>,
    last_connection: ConnectionId,
    /// The connection that a client's address was found to belong to.
    owners: HashMap<SocketAddr, (String, ConnectionId)>,
    links: HashMap<String, Link>,
    every_link: Link,
    in_flight: InFlight,
    refusal: Option<Refusal>,
}

impl Hub {
    pub(super) fn new(
        meetings: Arc<dyn Meetings>,
        udp: UdpSocket,
        address: SocketAddr,
        codecs: Vec<VideoCodec>,
    ) -> Self {
        Self {
            meetings,
            udp,
            address,
            codecs,
            rooms: HashMap::new(),
            sockets: HashMap::new(),
            last_connection: 0,
            owners: HashMap::new(),
            links: HashMap::new(),
            every_link: Link::default(),
            in_flight: InFlight::default(),
            refusal: None,
        }
    }

    /// Runs until nobody can send a message any more.
    pub(super) async fn run(
        &mut self,
        mut messages: mpsc::UnboundedReceiver<Message>,
        mut sockets: mpsc::Receiver<FromSocket>,
    ) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut count: u64 = 0;
        let mut datagram = vec![0; 2048];
        loop {
            let next = self.next();
            let due = async {
                match next {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                Some(report) = sockets.recv() => self.reported(report),
                received = self.udp.recv_from(&mut datagram) => match received {
                    Ok((length, source)) => self.arrived(source, &datagram[..length]),
                    // Linux reports here that an earlier datagram found no listener.
                    Err(error) => tracing::debug!(%error, "a datagram was not received"),
                },
                at = ticks.tick() => {
                    let behind = at.elapsed();
                    let mut due = at.into_std();
                    if behind > TICK * MAX_TICKS_AT_ONCE {
                        tracing::warn!(milliseconds = behind.as_millis(), "the media server was held up, sound is left out");
                        ticks.reset();
                        due = Instant::now();
                    }
                    count += 1;
                    self.tick(due, count.is_multiple_of(LEVEL_TICKS));
                }
                () = due => {}
            }
            self.advance();
            self.carry_out();
        }
    }

    fn next(&self) -> Option<Instant> {
        let rooms = self.rooms.values().filter_map(Meeting::next);
        rooms.chain(self.in_flight.next()).min()
    }

    fn reported(&mut self, report: FromSocket) {
        let now = Instant::now();
        match report {
            FromSocket::Opened { client, reply } => self.opened(client, reply, now),
            FromSocket::Frame { connection, frame } => self.frame(connection, frame, now),
            FromSocket::Closed { connection } => self.closed(connection, now),
        }
    }

    fn take(&mut self, message: Message) {
        let now = Instant::now();
        match message {
            Message::EndMeeting { meeting_id } => {
                self.report(&meeting_id, Input::MeetingEnded, now);
                if let Some(meeting) = self.rooms.get_mut(&meeting_id) {
                    meeting.close_taps();
                }
            }
            Message::OpenTap { meeting_id, chunks } => {
                self.meeting(meeting_id).open_tap(Owner::ControlApi, chunks, now);
            }
            Message::CloseTap { meeting_id } => self.close_tap(&meeting_id, Owner::ControlApi),
            Message::StartRecorder { meeting_id, recorder, chunks } => {
                let meeting = self.meeting(meeting_id);
                meeting.open_tap(Owner::Recorder, chunks, now);
                meeting.handle(Input::RecorderJoined { recorder }, now);
            }
            Message::StopRecorder { meeting_id } => {
                self.close_tap(&meeting_id, Owner::Recorder);
                self.report(&meeting_id, Input::RecorderLeft, now);
            }
            Message::RemoveAttendee { meeting_id, attendee_id } => {
                self.report(&meeting_id, Input::AttendeeRemoved { attendee_id }, now);
            }
            Message::ChangeCapabilities { meeting_id, attendee_id, capabilities } => {
                self.report(&meeting_id, Input::CapabilitiesChanged { attendee_id, capabilities }, now);
            }
            Message::Caption { meeting_id, caption } => {
                let event = captions::event(*caption);
                self.report(&meeting_id, Input::Transcript { event }, now);
            }
            Message::Cut { attendee_id, cut, reply } => {
                // The caller may have given up.
                let _gone = reply.send(self.cut(&attendee_id, cut, now));
            }
            Message::SetLink { attendee_id: Some(attendee_id), link } => {
                self.links.insert(attendee_id, link);
            }
            Message::SetLink { attendee_id: None, link } => {
                self.every_link = link;
                self.links.clear();
            }
            Message::Refuse { refusal } => self.refusal = refusal,
            Message::Participants { reply } => {
                // The caller may have given up.
                let _gone = reply.send(self.participants());
            }
        }
    }

    fn opened(&mut self, client: Client, reply: oneshot::Sender<ConnectionId>, now: Instant) {
        self.last_connection += 1;
        let connection = self.last_connection;
        let Client { meeting_id, join_token, content, socket } = client;
        let admission = match self.refusal {
            None => self.meetings.admit(&join_token),
            Some(Refusal::Ended) => Admission::Ended,
            Some(Refusal::Full | Refusal::WrongToken) => Admission::Unknown,
        };
        let full = self.refusal == Some(Refusal::Full);
        let refusal = if full { status::FULL } else { status::REJECTED };
        let mut socket = Socket { meeting_id: None, refusal, client: socket };
        match admission {
            // A token is good in its own meeting only.
            Admission::Admitted(attendee) if attendee.meeting_id == meeting_id => {
                socket.meeting_id = Some(meeting_id.clone());
                self.sockets.insert(connection, socket);
                self.meeting(meeting_id).handle(Input::Opened { connection, attendee, content }, now);
            }
            Admission::Admitted(_) | Admission::Unknown => {
                self.sockets.insert(connection, socket);
            }
            Admission::Ended => {
                self.sockets.insert(connection, socket);
                self.send(connection, ToSocket::Close(close::ENDED));
            }
        }
        // The client may have gone; then its end follows.
        let _gone = reply.send(connection);
    }

    fn meeting(&mut self, meeting_id: String) -> &mut Meeting {
        self.rooms.entry(meeting_id).or_insert_with(|| Meeting::new(self.address, self.codecs.clone()))
    }

    fn close_tap(&mut self, meeting_id: &str, owner: Owner) {
        if let Some(meeting) = self.rooms.get_mut(meeting_id) {
            meeting.close_tap(owner);
        }
    }

    fn frame(&mut self, connection: ConnectionId, frame: SignalFrame, now: Instant) {
        let Some(socket) = self.sockets.get(&connection) else { return };
        match (&socket.meeting_id, &frame.body) {
            (Some(meeting_id), _) => {
                let meeting_id = meeting_id.clone();
                self.report(&meeting_id, Input::Frame { connection, frame }, now);
            }
            (None, Some(Body::Join(_))) => {
                let status = AudioStatus { audio_status: Some(socket.refusal) };
                self.send_frame(connection, SignalFrame::new(Body::AudioStatus(status)));
            }
            (None, Some(Body::Leave(_))) => {
                self.send_frame(connection, SignalFrame::new(Body::LeaveAck(Empty {})));
            }
            (None, _) => {}
        }
    }

    fn closed(&mut self, connection: ConnectionId, now: Instant) {
        let Some(socket) = self.sockets.remove(&connection) else { return };
        socket.client.abort();
        self.owners.retain(|_, (_, owner)| *owner != connection);
        if let Some(meeting_id) = socket.meeting_id {
            self.report(&meeting_id, Input::Closed { connection }, now);
        }
    }

    /// The number of sockets that it has cut.
    fn cut(&mut self, attendee_id: &str, cut: Cut, now: Instant) -> usize {
        let cut_off: Vec<ConnectionId> =
            self.rooms.values().flat_map(|meeting| meeting.room.connections_of(attendee_id)).collect();
        for connection in &cut_off {
            match cut {
                Cut::Abort => self.closed(*connection, now),
                Cut::Close(code) => self.send(*connection, ToSocket::Close(code)),
            }
        }
        cut_off.len()
    }

    fn report(&mut self, meeting_id: &str, input: Input, now: Instant) {
        if let Some(meeting) = self.rooms.get_mut(meeting_id) {
            meeting.handle(input, now);
        }
    }

    fn link_of(&self, attendee_id: &str) -> Link {
        self.links.get(attendee_id).copied().unwrap_or(self.every_link)
    }

    fn link(&self, meeting_id: &str, connection: ConnectionId) -> Link {
        let attendee = self.rooms.get(meeting_id).and_then(|meeting| meeting.room.attendee(connection));
        attendee.map_or(self.every_link, |(attendee, _)| self.link_of(&attendee.attendee_id))
    }

    fn tick(&mut self, due: Instant, with_levels: bool) {
        let now = Instant::now();
        let (links, every_link) = (&self.links, self.every_link);
        for meeting in self.rooms.values_mut() {
            meeting.sound(due, now);
            if with_levels {
                meeting.levels(|attendee_id| links.get(attendee_id).copied().unwrap_or(every_link), now);
            }
        }
    }

    /// Does what is due by now.
    fn advance(&mut self) {
        let now = Instant::now();
        while let Some((way, datagram)) = self.in_flight.arrived(now) {
            match way {
                Way::In(source) => {
                    if let Some((meeting_id, connection)) = self.owner(source, &datagram) {
                        self.receive(&meeting_id, connection, source, &datagram, now);
                    }
                }
                Way::Out(to) => self.transmit(to, &datagram),
            }
        }
        for meeting in self.rooms.values_mut() {
            meeting.advance(now);
        }
    }

    /// Carries out what meetings have asked for.
    fn carry_out(&mut self) {
        let now = Instant::now();
        let effects: Vec<(String, Effect)> = self
            .rooms
            .iter_mut()
            .flat_map(|(id, meeting)| meeting.take_effects().into_iter().map(|effect| (id.clone(), effect)))
            .collect();
        for (meeting_id, effect) in effects {
            match effect {
                Effect::Send { connection, frame } => self.send_frame(connection, frame),
                Effect::Close { connection, code } => self.send(connection, ToSocket::Close(code)),
                Effect::Report { attendee_id, event } => {
                    self.meetings.report(&meeting_id, &attendee_id, event);
                }
                Effect::Transmit { connection, to, datagram } => {
                    let link = self.link(&meeting_id, connection);
                    if link.loses() {
                        continue;
                    }
                    if link.delay.is_zero() {
                        self.transmit(to, &datagram);
                    } else {
                        self.in_flight.add(now + link.delay, Way::Out(to), datagram);
                    }
                }
            }
        }
        let in_use: HashSet<&String> =
            self.sockets.values().filter_map(|socket| socket.meeting_id.as_ref()).collect();
        self.rooms.retain(|id, meeting| meeting.is_in_use() || in_use.contains(id));
    }

    fn send_frame(&mut self, connection: ConnectionId, frame: SignalFrame) {
        let now_ms = u64::try_from(now_ns() / 1_000_000).unwrap_or_default();
        self.send(connection, ToSocket::Frame(frame.into_message(now_ms)));
    }

    fn send(&mut self, connection: ConnectionId, command: ToSocket) {
        let Some(socket) = self.sockets.get(&connection) else { return };
        if !socket.client.send(command) {
            // It has gone, or it reads nothing: its end follows.
            tracing::debug!(connection, "a client does not take its frames");
            self.closed(connection, Instant::now());
        }
    }

    /// Reports each participant as dropped: the server ends.
    pub(super) fn report_all_dropped(&mut self) {
        let now = Instant::now();
        let connections: Vec<ConnectionId> = self.sockets.keys().copied().collect();
        for connection in connections {
            self.closed(connection, now);
        }
        for (meeting_id, meeting) in &mut self.rooms {
            for effect in meeting.take_effects() {
                if let Effect::Report { attendee_id, event } = effect {
                    self.meetings.report(meeting_id, &attendee_id, event);
                }
            }
        }
    }

    fn participants(&self) -> Vec<Participant> {
        let mut participants: Vec<Participant> = self
            .rooms
            .iter()
            .flat_map(|(meeting_id, meeting)| {
                meeting.room.participants().map(|(connection, state)| Participant {
                    meeting_id: meeting_id.clone(),
                    attendee_id: state.attendee_id,
                    present: state.present,
                    muted: state.muted,
                    sends_video: state.sends_video,
                    queued_frames: meeting.queued(connection),
                    sound: meeting.sound_of(connection),
                })
            })
            .collect();
        participants.sort_by(|a, b| (&a.meeting_id, &a.attendee_id).cmp(&(&b.meeting_id, &b.attendee_id)));
        participants
    }
}
