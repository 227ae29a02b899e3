//! A meeting in the server: its room, the connections of its participants, and their sound.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::mpsc;

use super::link::Link;
use super::tap::{Owner, Taps};
use crate::attendee::AttendeeEvent;
use crate::capture::{TapChunk, Voice};
use crate::connection::{Connection, ConnectionEvent, Poll, VideoCodec};
use crate::frame::SignalFrame;
use crate::mix::{Mix, SourceCounters};
use crate::room::{Answer, ConnectionId, Input, Level, Output, Room};

/// An action of the hub for a meeting.
#[derive(Debug)]
pub(super) enum Effect {
    Send { connection: ConnectionId, frame: SignalFrame },
    Close { connection: ConnectionId, code: u16 },
    Report { attendee_id: String, event: AttendeeEvent },
    Transmit { connection: ConnectionId, to: SocketAddr, datagram: Vec<u8> },
}

pub(super) struct Meeting {
    pub(super) room: Room,
    connections: BTreeMap<ConnectionId, Connection>,
    mix: Mix,
    taps: Taps,
    udp: SocketAddr,
    codecs: Vec<VideoCodec>,
    effects: Vec<Effect>,
    /// When a connection wants to be asked again.
    next: BTreeMap<ConnectionId, Instant>,
}

impl Meeting {
    pub(super) fn new(udp: SocketAddr, codecs: Vec<VideoCodec>) -> Self {
        Self {
            room: Room::new(),
            connections: BTreeMap::new(),
            mix: Mix::default(),
            taps: Taps::default(),
            udp,
            codecs,
            effects: Vec::new(),
            next: BTreeMap::new(),
        }
    }

    /// Whether a participant has a socket, a recorder its tap, or a data message waits for who comes next.
    pub(super) fn is_in_use(&mut self) -> bool {
        !self.room.is_empty() || self.taps.are_open() || self.room.keeps_messages(now_ns())
    }

    /// Opens a tap, in place of the same owner's that is open; completed chunks go to `chunks`.
    pub(super) fn open_tap(&mut self, owner: Owner, chunks: mpsc::Sender<TapChunk>, now: Instant) {
        self.taps.open(owner, chunks, now);
    }

    /// Closes a tap: its last chunks go out.
    pub(super) fn close_tap(&mut self, owner: Owner) {
        self.taps.close(owner);
    }

    pub(super) fn close_taps(&mut self) {
        self.taps.close_all();
    }

    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next.values().min().copied()
    }

    pub(super) fn queued(&self, connection: ConnectionId) -> u64 {
        self.mix.queued(connection)
    }

    pub(super) fn sound_of(&self, connection: ConnectionId) -> SourceCounters {
        self.mix.counters(connection).unwrap_or_default()
    }

    /// Gives the room a report and carries out what it commands.
    pub(super) fn handle(&mut self, input: Input, now: Instant) {
        self.room.handle(input, now_ns());
        while let Some(output) = self.room.poll() {
            match output {
                Output::Send { connection, frame } => self.effects.push(Effect::Send { connection, frame }),
                Output::Close { connection, code } => self.effects.push(Effect::Close { connection, code }),
                Output::Happened { attendee_id, event } => {
                    self.taps.happened(&attendee_id, event);
                    self.effects.push(Effect::Report { attendee_id, event });
                }
                Output::Disconnect { connection } => {
                    if let Some((attendee, content)) = self.room.attendee(connection) {
                        self.taps.source_ended(&attendee.attendee_id, content);
                    }
                    self.mix.remove(connection);
                    if let Some(mut media) = self.connections.remove(&connection) {
                        media.close();
                        // DTLS's goodbye: a client that ignores the signalling stops sending as well.
                        while let Poll::Transmit { to, datagram } = media.poll() {
                            self.effects.push(Effect::Transmit { connection, to, datagram });
                        }
                    }
                    self.next.remove(&connection);
                }
                Output::Keyframe { connection } => {
                    if let Some(media) = self.connections.get_mut(&connection) {
                        media.request_keyframe();
                    }
                }
                Output::Silence { connection } => self.mix.silence(connection),
                Output::Negotiate { connection, offer, receive } => {
                    let answer = self.negotiate(connection, &offer, &receive, now);
                    self.room.handle(Input::Negotiated { connection, answer }, now_ns());
                }
            }
        }
        self.drive(now);
    }

    fn negotiate(
        &mut self,
        connection: ConnectionId,
        offer: &str,
        receive: &[u32],
        now: Instant,
    ) -> Option<Answer> {
        let media = match self.connections.entry(connection) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                match Connection::new(self.udp, &self.codecs, now) {
                    Ok(media) => entry.insert(media),
                    Err(error) => {
                        tracing::error!(%error, "a media connection cannot be made");
                        return None;
                    }
                }
            }
        };
        match media.answer(offer, receive, now) {
            Ok(answer) => {
                let tracks =
                    answer.tracks.into_iter().map(|track| (track.stream_id, track.ssrc, track.label));
                Some(Answer {
                    sdp: answer.sdp,
                    tracks: tracks.collect(),
                    codecs: answer.codecs,
                    sends_video: answer.sends_video,
                })
            }
            Err(error) => {
                tracing::warn!(%error, "an offer cannot be answered");
                None
            }
        }
    }

    /// The connection that a datagram belongs to.
    pub(super) fn owner(&self, source: SocketAddr, datagram: &[u8]) -> Option<ConnectionId> {
        self.connections.iter().find(|(_, media)| media.accepts(datagram, source)).map(|(id, _)| *id)
    }

    /// Whether a datagram belongs to this connection.
    pub(super) fn is_owner(&self, connection: ConnectionId, source: SocketAddr, datagram: &[u8]) -> bool {
        self.connections.get(&connection).is_some_and(|media| media.accepts(datagram, source))
    }

    pub(super) fn receive(
        &mut self,
        connection: ConnectionId,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        if let Some(media) = self.connections.get_mut(&connection) {
            media.receive(datagram, source, now);
            self.drive(now);
        }
    }

    /// Lets time pass in connections that wait for it.
    pub(super) fn advance(&mut self, now: Instant) {
        let due: Vec<ConnectionId> =
            self.next.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for connection in due {
            self.next.remove(&connection);
            if let Some(media) = self.connections.get_mut(&connection) {
                media.tick(now);
            }
        }
        self.drive(now);
    }

    /// Takes what connections have until all of them wait.
    fn drive(&mut self, now: Instant) {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        let mut events = Vec::new();
        for connection in ids {
            let Some(media) = self.connections.get_mut(&connection) else { continue };
            loop {
                match media.poll() {
                    Poll::Transmit { to, datagram } => {
                        self.effects.push(Effect::Transmit { connection, to, datagram });
                    }
                    Poll::Event(event) => events.push((connection, event)),
                    Poll::Wait(at) => {
                        self.next.insert(connection, at);
                        break;
                    }
                }
            }
        }
        let more = !events.is_empty();
        for (connection, event) in events {
            self.event(connection, event, now);
        }
        if more {
            self.drive(now);
        }
    }

    fn event(&mut self, connection: ConnectionId, event: ConnectionEvent, now: Instant) {
        match event {
            ConnectionEvent::Connected => {
                if let Some((attendee, content)) = self.room.attendee(connection) {
                    self.mix.add(connection, &attendee.attendee_id, content);
                }
                self.handle(Input::MediaConnected { connection }, now);
            }
            ConnectionEvent::Lost => self.handle(Input::MediaLost { connection }, now),
            ConnectionEvent::Audio { packet, rtp_time } => {
                if self.room.may_send_sound(connection) {
                    self.mix.push(connection, &packet, rtp_time);
                }
            }
            ConnectionEvent::Video(frame) => {
                let Some(stream) = self.room.stream_of(connection) else { return };
                if let Some((attendee, content)) = self.room.attendee(connection) {
                    self.taps.video(&attendee.attendee_id, content, &frame, now);
                }
                for (receiver, views) in self.room.receivers_of(connection) {
                    match self.connections.get_mut(&receiver) {
                        Some(media) if views => media.send_video(stream, &frame),
                        Some(media) => media.skip_video(stream),
                        None => {}
                    }
                }
            }
            ConnectionEvent::KeyframeRequested { stream_id } => {
                let source = self.room.source_of(stream_id);
                if let Some(media) = source.and_then(|source| self.connections.get_mut(&source)) {
                    media.request_keyframe();
                }
            }
        }
    }

    /// 20 ms of sound for each participant, which were due at `at`.
    pub(super) fn sound(&mut self, at: Instant, now: Instant) {
        let room = &self.room;
        let mixed = self.mix.tick(|receiver| room.hears(receiver));
        for sound in mixed {
            if let Some(media) = self.connections.get_mut(&sound.participant) {
                media.send_audio(&sound.packet, sound.rtp_time, Some(sound.level), now);
            }
        }
        let voice = |(participant, energy)| {
            let (attendee, _) = room.attendee(participant)?;
            Some(Voice { attendee_id: &attendee.attendee_id, energy })
        };
        let voices: Vec<Voice<'_>> = self.mix.energies().filter_map(voice).collect();
        for source in self.taps.tick(&mut self.mix, &voices, at, now) {
            let sender = room.sender(&source.attendee_id, source.content);
            if let Some(media) = sender.and_then(|sender| self.connections.get_mut(&sender)) {
                media.request_keyframe();
            }
        }
        self.drive(now);
    }

    pub(super) fn levels(&mut self, link_of: impl Fn(&str) -> Link, now: Instant) {
        let levels = self.mix.levels();
        let levels = levels.into_iter().filter_map(|(connection, volume)| {
            let (attendee, _) = self.room.attendee(connection)?;
            Some(Level { connection, volume, signal: link_of(&attendee.attendee_id).signal() })
        });
        let levels = levels.collect();
        self.handle(Input::Levels { levels }, now);
    }
}

/// Nanoseconds since 1970, for the times of messages.
pub(super) fn now_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
