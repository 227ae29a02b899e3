//! One meeting without I/O: frames and reports go in, frames and commands come out.
//!
//! The server carries out each [`Output`] in order. The room alone decides who receives whose media; it trusts nothing that a client
//! says but its join token, which the server has already exchanged for an [`Attendee`].

mod capabilities;
mod data;
mod member;
mod presence;
mod rate;
mod video;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use self::member::{Member, Phase};
use crate::attendee::{Attendee, AttendeeEvent, Capabilities, Recorder};
use crate::connection::VideoCodec;
use crate::frame::{
    AudioStatus, Body, DataPayload, Empty, FrameType, JoinAck, PING, PONG, PingPong, SignalFrame,
    StreamAllocation, SubscribeAck, TrackMapping, TranscriptEvent,
};
use crate::mix::Hears;

/// A signalling connection, in the order of their opening.
pub(crate) type ConnectionId = u64;

/// Statuses of `SdkAudioStatusFrame` that the SDK acts on.
pub(crate) mod status {
    /// `AudioJoinedFromAnotherDevice`.
    pub(crate) const OTHER_DEVICE: u32 = 301;
    /// `AudioAuthenticationRejected`.
    pub(crate) const REJECTED: u32 = 403;
    /// `AudioCallAtCapacity`.
    pub(crate) const FULL: u32 = 409;
    /// `MeetingEnded`.
    pub(crate) const ENDED: u32 = 410;
    /// `AudioAttendeeRemoved`.
    pub(crate) const REMOVED: u32 = 411;
    /// In an error frame: `VideoCallSwitchToViewOnly`. The call goes on without the participant's camera.
    pub(crate) const VIEW_ONLY: u32 = 206;
}

/// Codes with which the server closes a socket.
pub(crate) mod close {
    /// The client has done what the protocol does not allow; the SDK does not try again.
    pub(crate) const BAD_REQUEST: u16 = 4400;
    /// The meeting has ended: terminal for the SDK while it joins.
    pub(crate) const ENDED: u16 = 4410;
    /// The SDK reconnects.
    pub(crate) const RECONNECT: u16 = 4500;
}

/// `SdkServerSideNetworkAdaption.BANDWIDTH_PROBING_AND_VIDEO_QUALITY_ADAPTION`. Without it the SDK decodes DEFAULT, estimates the
/// bandwidth by itself, and leaves out or pauses pictures.
const SERVER_SIDE_ADAPTATION: i32 = 4;
const VIDEO_SUBSCRIPTION_LIMIT: u32 = 25;
/// The label that the SDK gives to its own camera's stream.
const OWN_VIDEO_LABEL: &str = "AmazonChimeExpressVideo";

/// A report to the room.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A client has opened a socket with this attendee's join token.
    Opened {
        connection: ConnectionId,
        attendee: Attendee,
        content: bool,
    },
    Frame {
        connection: ConnectionId,
        frame: SignalFrame,
    },
    /// The answer to [`Output::Negotiate`]. `None`: the offer cannot be answered.
    Negotiated {
        connection: ConnectionId,
        answer: Option<Answer>,
    },
    /// ICE and DTLS are connected.
    MediaConnected {
        connection: ConnectionId,
    },
    /// Nothing arrives on the media connection any more.
    MediaLost {
        connection: ConnectionId,
    },
    /// The socket is closed, by whichever side.
    Closed {
        connection: ConnectionId,
    },
    /// How loud participants are, in -dBov, and the quality of their link from 0 to 2.
    Levels {
        levels: Vec<Level>,
    },
    MeetingEnded,
    /// A media pipeline captures the meeting from now on.
    RecorderJoined {
        recorder: Recorder,
    },
    RecorderLeft,
    AttendeeRemoved {
        attendee_id: String,
    },
    CapabilitiesChanged {
        attendee_id: String,
        capabilities: Capabilities,
    },
    Transcript {
        event: TranscriptEvent,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) connection: ConnectionId,
    pub(crate) volume: u8,
    pub(crate) signal: u8,
}

/// A participant, for whoever looks at the server from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParticipantState {
    pub(crate) attendee_id: String,
    pub(crate) present: bool,
    pub(crate) muted: bool,
    pub(crate) sends_video: bool,
}

/// An answer to an offer, as the media connection made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) sdp: String,
    /// Stream, SSRC and label of each stream that the participant receives.
    pub(crate) tracks: Vec<(u32, u32, String)>,
    /// The codecs of pictures that the participant can decode.
    pub(crate) codecs: Vec<VideoCodec>,
    /// The offer has a section in which the participant sends pictures.
    pub(crate) sends_video: bool,
}

/// A command of the room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Send {
        connection: ConnectionId,
        frame: SignalFrame,
    },
    /// To answer this offer and report [`Input::Negotiated`] before anything else of this connection.
    Negotiate {
        connection: ConnectionId,
        offer: String,
        receive: Vec<u32>,
    },
    /// Ends the media connection; the socket stays open for the client's last frames.
    Disconnect {
        connection: ConnectionId,
    },
    /// Closes the socket.
    Close {
        connection: ConnectionId,
        code: u16,
    },
    /// Asks this participant's camera for a key frame.
    Keyframe {
        connection: ConnectionId,
    },
    /// Sound of this participant that waits to be mixed is dropped.
    Silence {
        connection: ConnectionId,
    },
    /// For the meetings API.
    Happened {
        attendee_id: String,
        event: AttendeeEvent,
    },
}

/// A meeting's participants.
#[derive(Debug)]
pub(crate) struct Room {
    members: BTreeMap<ConnectionId, Member>,
    outputs: VecDeque<Output>,
    /// The last number that a stream of sound or of pictures was given. Numbers are never given twice: the SDK takes the higher one
    /// of an attendee for the newer.
    last_number: u32,
    /// Data messages for those who come later, with the time at which they expire, in nanoseconds since 1970.
    kept: VecDeque<(i64, DataPayload)>,
    ended: bool,
    /// Its number, and who it is.
    recorder: Option<(u32, Recorder)>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            outputs: VecDeque::new(),
            last_number: 0,
            kept: VecDeque::new(),
            ended: false,
            recorder: None,
        }
    }

    /// The next command, until there is none.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether no socket is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes a report. `now_ns`: nanoseconds since 1970, for the times of data messages.
    pub(crate) fn handle(&mut self, input: Input, now_ns: i64) {
        match input {
            Input::Opened { connection, attendee, content } => {
                self.members.insert(connection, Member::new(attendee, content));
                if self.ended {
                    self.close(connection, close::ENDED);
                }
            }
            Input::Frame { connection, frame } => self.frame(connection, frame, now_ns),
            Input::Negotiated { connection, answer } => self.negotiated(connection, answer),
            Input::MediaConnected { connection } => self.media_connected(connection, now_ns),
            Input::MediaLost { connection } => {
                if self.members.get(&connection).is_some_and(|member| member.phase != Phase::Gone) {
                    self.leave(connection, AttendeeEvent::Dropped);
                    // The client would notice after 25 seconds; by this code it reconnects at once.
                    self.close(connection, close::RECONNECT);
                }
            }
            Input::Closed { connection } => {
                self.leave(connection, AttendeeEvent::Dropped);
                self.members.remove(&connection);
            }
            Input::Levels { levels } => self.levels(&levels),
            Input::MeetingEnded => {
                self.ended = true;
                self.kept.clear();
                self.recorder = None;
                self.expel(|_| true, status::ENDED);
            }
            Input::RecorderJoined { recorder } => self.recorder_joined(recorder),
            Input::RecorderLeft => self.recorder_left(),
            Input::AttendeeRemoved { attendee_id } => {
                self.expel(|member| member.attendee.attendee_id == attendee_id, status::REMOVED);
            }
            Input::CapabilitiesChanged { attendee_id, capabilities } => {
                self.change_capabilities(&attendee_id, capabilities);
            }
            Input::Transcript { event } => self.transcript(event, now_ns),
        }
    }

    fn frame(&mut self, connection: ConnectionId, frame: SignalFrame, now_ns: i64) {
        let kind = frame.frame_type();
        let Some(member) = self.members.get_mut(&connection) else { return };
        match (frame.body, member.phase) {
            (Some(Body::Join(_)), Phase::Opened) => self.join(connection),
            (Some(Body::Leave(_)), _) => {
                self.leave(connection, AttendeeEvent::Left);
                self.send(connection, Body::LeaveAck(Empty {}));
            }
            (Some(Body::PingPong(PingPong { kind: PING, ping_id })), _) => {
                self.send(connection, Body::PingPong(PingPong { kind: PONG, ping_id }));
            }
            (Some(Body::Subscribe(subscribe)), Phase::Joined | Phase::Present(_)) => {
                self.subscribe(connection, &subscribe);
            }
            (Some(Body::AudioControl(control)), Phase::Joined | Phase::Present(_)) => {
                self.mute(connection, control.muted.unwrap_or(false));
            }
            (Some(Body::PauseResume(streams)), Phase::Present(_)) => match kind {
                Some(FrameType::Pause) => member.pause(&streams.stream_ids),
                _ => self.resume(connection, &streams.stream_ids),
            },
            (Some(Body::DataMessage(message)), Phase::Present(_)) => {
                self.data(connection, message.messages, now_ns);
            }
            // Out of turn, of a type that the server ignores, or one that only a server sends.
            _ => {}
        }
    }

    fn join(&mut self, connection: ConnectionId) {
        let Some(member) = self.members.get_mut(&connection) else { return };
        member.phase = Phase::Joined;
        let key = member.key();
        let replaced = |(id, other): (&ConnectionId, &Member)| {
            (*id != connection && other.phase != Phase::Gone && other.key() == key).then_some(*id)
        };
        let replaced: Vec<ConnectionId> = self.members.iter().filter_map(replaced).collect();
        for other in replaced {
            self.status(other, status::OTHER_DEVICE);
            self.leave(other, AttendeeEvent::Dropped);
        }
        let ack = JoinAck {
            video_subscription_limit: Some(VIDEO_SUBSCRIPTION_LIMIT),
            wants_compressed_sdp: Some(false),
            default_server_side_network_adaption: Some(SERVER_SIDE_ADAPTATION),
        };
        self.send(connection, Body::JoinAck(ack));
        self.send_index(connection);
    }

    /// Ends the connections of these members on behalf of the meetings API, which itself publishes what that means.
    fn expel(&mut self, which: impl Fn(&Member) -> bool, status: u32) {
        let chosen: Vec<ConnectionId> = self
            .members
            .iter()
            .filter(|(_, member)| member.phase != Phase::Gone && which(member))
            .map(|(id, _)| *id)
            .collect();
        for connection in chosen {
            let joining = self.members.get(&connection).is_some_and(|member| member.phase == Phase::Opened);
            if joining && status == status::ENDED {
                self.close(connection, close::ENDED);
            } else {
                self.status(connection, status);
            }
            self.depart(connection, true);
        }
        self.send_index_to_all();
    }

    fn status(&mut self, connection: ConnectionId, audio_status: u32) {
        self.send(connection, Body::AudioStatus(AudioStatus { audio_status: Some(audio_status) }));
    }

    fn send(&mut self, connection: ConnectionId, body: Body) {
        self.outputs.push_back(Output::Send { connection, frame: SignalFrame::new(body) });
    }

    /// Sends to everyone whose media is connected.
    fn send_to_present(&mut self, body: &Body) {
        let present: Vec<ConnectionId> = self.present().map(|(id, _)| id).collect();
        for connection in present {
            self.send(connection, body.clone());
        }
    }

    fn close(&mut self, connection: ConnectionId, code: u16) {
        self.outputs.push_back(Output::Close { connection, code });
    }

    fn happened(&mut self, attendee_id: String, event: AttendeeEvent) {
        self.outputs.push_back(Output::Happened { attendee_id, event });
    }

    fn present(&self) -> impl Iterator<Item = (ConnectionId, &Member)> {
        self.members.iter().filter(|(_, member)| member.is_present()).map(|(id, member)| (*id, member))
    }

    fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    /// Whether the sound of this participant may be mixed.
    pub(crate) fn may_send_sound(&self, connection: ConnectionId) -> bool {
        self.members.get(&connection).is_some_and(|member| member.is_present() && member.sends_sound())
    }

    /// The sound that this participant receives.
    pub(crate) fn hears(&self, connection: ConnectionId) -> Hears {
        let member = self.members.get(&connection).filter(|member| member.is_present());
        member.map_or(Hears::Nothing, Member::hears)
    }

    /// The connection that sends the camera or the screen of an attendee.
    pub(crate) fn sender(&self, attendee_id: &str, content: bool) -> Option<ConnectionId> {
        let sends = |member: &Member| member.attendee.attendee_id == attendee_id && member.content == content;
        self.present().find(|(_, member)| sends(member)).map(|(connection, _)| connection)
    }

    /// Connections whose socket is open and that are not gone.
    pub(crate) fn participants(&self) -> impl Iterator<Item = (ConnectionId, ParticipantState)> {
        let open = self.members.iter().filter(|(_, member)| member.phase != Phase::Gone);
        open.map(|(id, member)| {
            let state = ParticipantState {
                attendee_id: member.id(),
                present: member.is_present(),
                muted: member.muted,
                sends_video: member.stream.is_some(),
            };
            (*id, state)
        })
    }

    /// The base id of the attendee, if the participant is known.
    pub(crate) fn attendee(&self, connection: ConnectionId) -> Option<(&Attendee, bool)> {
        self.members.get(&connection).map(|member| (&member.attendee, member.content))
    }

    /// The connections of an attendee that are not gone, also that of their screen.
    pub(crate) fn connections_of(&self, attendee_id: &str) -> Vec<ConnectionId> {
        let own = |member: &Member| member.attendee.attendee_id == attendee_id && member.phase != Phase::Gone;
        self.members.iter().filter(|(_, member)| own(member)).map(|(id, _)| *id).collect()
    }
}
