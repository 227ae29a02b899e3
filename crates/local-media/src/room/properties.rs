//! Any sequence of reports: what participants have been sent agrees with what the room says, and nothing reaches whom it must not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{SEND_RECEIVE, attendee};
use super::*;
use crate::attendee::Direction;
use crate::frame::{AudioControl, Index, Join, StreamDescriptor, Subscribe, VIDEO};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A step of a random meeting. Connections are chosen among those that were opened.
#[derive(Clone, Debug)]
enum Step {
    Open {
        name: usize,
        content: bool,
    },
    Join(usize),
    /// With the camera, and with all streams of the last index, or any number.
    Subscribe {
        connection: usize,
        camera: bool,
        stream: u32,
    },
    SubscribeWithoutOffer(usize),
    Connected(usize),
    Lost(usize),
    Closed(usize),
    Leave(usize),
    Mute(usize, bool),
    Pause(usize, u32),
    Capabilities {
        name: usize,
        audio: Direction,
        video: Direction,
        content: Direction,
    },
    Remove(usize),
    End,
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![
        Just(Direction::None),
        Just(Direction::Send),
        Just(Direction::Receive),
        Just(Direction::SendReceive)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let connection = 0..8usize;
    prop_oneof![
        4 => (0..NAMES.len(), prop::bool::weighted(0.2)).prop_map(|(name, content)| Step::Open { name, content }),
        6 => connection.clone().prop_map(Step::Join),
        8 => (connection.clone(), any::<bool>(), 0..20u32)
            .prop_map(|(connection, camera, stream)| Step::Subscribe { connection, camera, stream }),
        1 => connection.clone().prop_map(Step::SubscribeWithoutOffer),
        6 => connection.clone().prop_map(Step::Connected),
        1 => connection.clone().prop_map(Step::Lost),
        2 => connection.clone().prop_map(Step::Closed),
        1 => connection.clone().prop_map(Step::Leave),
        2 => (connection.clone(), any::<bool>()).prop_map(|(connection, muted)| Step::Mute(connection, muted)),
        1 => (connection, 0..20u32).prop_map(|(connection, stream)| Step::Pause(connection, stream)),
        2 => (0..NAMES.len(), direction(), direction(), direction())
            .prop_map(|(name, audio, video, content)| Step::Capabilities { name, audio, video, content }),
        1 => (0..NAMES.len()).prop_map(Step::Remove),
        1 => Just(Step::End),
    ]
}

/// The state that a client knows from its frames, and the meetings API from reports.
#[derive(Default)]
struct Known {
    /// By connection: the present attendees by their number.
    roster: BTreeMap<ConnectionId, BTreeMap<u32, String>>,
    index: BTreeMap<ConnectionId, Index>,
    /// Attendees who have joined and not left, with whether they send pictures.
    joined: BTreeMap<String, bool>,
}

impl Known {
    fn carry_out(&mut self, room: &mut Room) {
        while let Some(output) = room.poll() {
            match output {
                Output::Negotiate { connection, receive, .. } => {
                    let tracks = receive.iter().filter(|id| **id != 0).map(|id| (*id, *id, String::new()));
                    let answer = Answer {
                        sdp: String::new(),
                        tracks: tracks.collect(),
                        codecs: vec![VideoCodec::Vp8],
                        sends_video: true,
                    };
                    room.handle(Input::Negotiated { connection, answer: Some(answer) }, 1);
                }
                Output::Send { connection, frame } => self.sent(connection, frame),
                Output::Happened { attendee_id, event } => self.happened(attendee_id, event),
                Output::Disconnect { .. }
                | Output::Close { .. }
                | Output::Keyframe { .. }
                | Output::Silence { .. } => {}
            }
        }
    }

    fn sent(&mut self, connection: ConnectionId, frame: SignalFrame) {
        match frame.body {
            Some(Body::AudioStreamIdInfo(info)) => {
                let roster = self.roster.entry(connection).or_default();
                for stream in info.streams {
                    let number = stream.audio_stream_id.expect("each has a number");
                    match (stream.attendee_id, stream.muted) {
                        (Some(id), _) => drop(roster.insert(number, id)),
                        (None, Some(_)) => assert!(roster.contains_key(&number), "a mute of nobody"),
                        (None, None) => {
                            assert!(roster.remove(&number).is_some(), "nobody goes who was not there");
                        }
                    }
                }
            }
            Some(Body::Index(index)) => drop(self.index.insert(connection, index)),
            _ => {}
        }
    }

    fn happened(&mut self, id: String, event: AttendeeEvent) {
        match event {
            AttendeeEvent::Joined | AttendeeEvent::ContentJoined => {
                assert_eq!(self.joined.insert(id, false), None, "joined twice");
            }
            AttendeeEvent::Left
            | AttendeeEvent::Dropped
            | AttendeeEvent::ContentLeft
            | AttendeeEvent::ContentDropped => {
                assert_eq!(
                    self.joined.remove(&id),
                    Some(false),
                    "leaves once, after the end of the pictures"
                );
            }
            AttendeeEvent::VideoStarted | AttendeeEvent::ContentVideoStarted => {
                assert_eq!(self.joined.insert(id, true), Some(false));
            }
            AttendeeEvent::VideoStopped | AttendeeEvent::ContentVideoStopped => {
                assert_eq!(self.joined.insert(id, false), Some(true));
            }
        }
    }

    /// Those put out by the meetings API leave without a report.
    fn expel(&mut self, which: impl Fn(&str) -> bool) {
        self.joined.retain(|id, _| !which(id.trim_end_matches("#content")));
    }

    fn agrees_with(&self, room: &Room) {
        let present: BTreeMap<u32, String> =
            room.present().filter_map(|(_, member)| Some((member.number()?, member.id()))).collect();
        let ids: BTreeSet<&String> = present.values().collect();
        assert_eq!(ids.len(), present.len(), "one live connection of each attendee");
        assert_eq!(ids, self.joined.keys().collect(), "reports agree with presence");
        for (connection, member) in room.present() {
            assert_eq!(self.roster.get(&connection), Some(&present), "everyone knows who is there");
            let index = self.index.get(&connection).expect("who joined has an index");
            for source in &index.sources {
                let id = source.attendee_id.clone().unwrap_or_default();
                let sender =
                    room.present().find(|(_, sender)| sender.id() == id).expect("of somebody present").1;
                assert!(
                    sender.sends_video() && member.receives_video_of(sender),
                    "an index holds what is allowed"
                );
            }
            let visible = room
                .present()
                .filter(|(id, sender)| room.stream_of(*id).is_some() && member.receives_video_of(sender))
                .count();
            assert_eq!(index.sources.len(), visible, "an index holds all that is allowed");
            for viewer in room.viewers_of(connection) {
                let viewer = &room.members[&viewer];
                assert!(member.sends_video() && viewer.receives_video_of(member));
                assert!(!viewer.is_same_attendee(member), "nobody sees themself");
            }
        }
        for (connection, member) in &room.members {
            assert!(member.paused.is_subset(&member.receives), "only what is received is paused");
            if !member.is_present() {
                assert!(!room.may_send_sound(*connection) && room.hears(*connection) == Hears::Nothing);
                assert_eq!(room.stream_of(*connection), None);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_sequence_of_reports_leaves_everyone_with_the_truth(steps in prop::collection::vec(step(), 1..60)) {
        let mut room = Room::new();
        let mut known = Known::default();
        let mut opened: Vec<ConnectionId> = Vec::new();
        let mut capabilities = [SEND_RECEIVE; NAMES.len()];
        for step in steps {
            let at = |index: usize| opened.get(index % opened.len().max(1)).copied();
            let frame = |index: usize, body: Body| {
                at(index).map(|connection| Input::Frame { connection, frame: SignalFrame::new(body) })
            };
            let input = match step {
                Step::Open { name, content } => {
                    let connection = ConnectionId::try_from(opened.len()).expect("few") + 1;
                    opened.push(connection);
                    let attendee = attendee(NAMES[name], capabilities[name]);
                    Some(Input::Opened { connection, attendee, content })
                }
                Step::Join(index) => frame(index, Body::Join(Join::default())),
                Step::Subscribe { connection, camera, stream } => {
                    let video = StreamDescriptor { media_type: Some(VIDEO), ..StreamDescriptor::default() };
                    frame(connection, Body::Subscribe(Subscribe {
                        duplex: Some(if camera { 3 } else { 1 }),
                        send_streams: if camera { vec![video] } else { Vec::new() },
                        receive_stream_ids: vec![0, stream],
                        sdp_offer: Some(String::new()),
                        ..Subscribe::default()
                    }))
                }
                Step::SubscribeWithoutOffer(index) => frame(index, Body::Subscribe(Subscribe::default())),
                Step::Connected(index) => at(index).map(|connection| Input::MediaConnected { connection }),
                Step::Lost(index) => at(index).map(|connection| Input::MediaLost { connection }),
                Step::Closed(index) => at(index).map(|connection| Input::Closed { connection }),
                Step::Leave(index) => frame(index, Body::Leave(Empty {})),
                Step::Mute(index, muted) => frame(index, Body::AudioControl(AudioControl { muted: Some(muted) })),
                Step::Pause(index, stream) => at(index).map(|connection| {
                    let body = Body::PauseResume(crate::frame::PauseResume { stream_ids: vec![stream] });
                    let frame = SignalFrame { kind: FrameType::Pause.into(), ..SignalFrame::new(body) };
                    Input::Frame { connection, frame }
                }),
                Step::Capabilities { name, audio, video, content } => {
                    capabilities[name] = Capabilities { audio, video, content };
                    let attendee_id = NAMES[name].to_owned();
                    Some(Input::CapabilitiesChanged { attendee_id, capabilities: capabilities[name] })
                }
                Step::Remove(name) => {
                    known.expel(|id| id == NAMES[name]);
                    Some(Input::AttendeeRemoved { attendee_id: NAMES[name].to_owned() })
                }
                Step::End => {
                    known.expel(|_| true);
                    Some(Input::MeetingEnded)
                }
            };
            if let Some(input) = input {
                room.handle(input, 1);
                known.carry_out(&mut room);
                known.agrees_with(&room);
            }
        }
    }
}
