//! The room's rules, one call at a time. A driver plays the server: it answers offers and counts what goes out.

mod limits;
mod messages;
mod recorder;

use std::collections::BTreeMap;

use super::*;
use crate::attendee::Direction;
use crate::frame::{
    AudioControl, AudioMetadata, AudioStream, AudioStreamIdInfo, Index, Join, StreamDescriptor, Subscribe,
    VIDEO,
};

pub(super) const SEND_RECEIVE: Capabilities = Capabilities {
    audio: Direction::SendReceive,
    video: Direction::SendReceive,
    content: Direction::SendReceive,
};
const RECEIVE: Capabilities =
    Capabilities { audio: Direction::Receive, video: Direction::Receive, content: Direction::Receive };

pub(super) fn attendee(name: &str, capabilities: Capabilities) -> Attendee {
    Attendee {
        meeting_id: "meeting".to_owned(),
        attendee_id: name.to_owned(),
        external_user_id: format!("user-{name}"),
        capabilities,
    }
}

/// A room and what it has sent.
struct Driver {
    room: Room,
    sent: BTreeMap<ConnectionId, Vec<SignalFrame>>,
    commands: Vec<Output>,
    happened: Vec<(String, AttendeeEvent)>,
    last: ConnectionId,
    now_ns: i64,
}

impl Driver {
    fn new() -> Self {
        Self {
            room: Room::new(),
            sent: BTreeMap::new(),
            commands: Vec::new(),
            happened: Vec::new(),
            last: 0,
            now_ns: 1,
        }
    }

    fn input(&mut self, input: Input) {
        self.room.handle(input, self.now_ns);
        while let Some(output) = self.room.poll() {
            match output {
                Output::Send { connection, frame } => self.sent.entry(connection).or_default().push(frame),
                Output::Happened { attendee_id, event } => self.happened.push((attendee_id, event)),
                Output::Negotiate { connection, receive, .. } => {
                    let tracks =
                        receive.iter().filter(|id| **id != 0).map(|id| (*id, *id, format!("v_{id}")));
                    let codecs = vec![VideoCodec::H264, VideoCodec::Vp8];
                    let answer = Answer {
                        sdp: "answer".to_owned(),
                        tracks: tracks.collect(),
                        codecs,
                        sends_video: true,
                    };
                    self.room.handle(Input::Negotiated { connection, answer: Some(answer) }, self.now_ns);
                }
                command => self.commands.push(command),
            }
        }
    }

    fn frame(&mut self, connection: ConnectionId, body: Body) {
        self.input(Input::Frame { connection, frame: SignalFrame::new(body) });
    }

    fn open(&mut self, attendee: Attendee, content: bool) -> ConnectionId {
        self.last += 1;
        self.input(Input::Opened { connection: self.last, attendee, content });
        self.last
    }

    /// Joins without pictures, as the SDK's first offer does.
    fn join(&mut self, attendee: Attendee) -> ConnectionId {
        self.join_as(attendee, false)
    }

    fn join_as(&mut self, attendee: Attendee, content: bool) -> ConnectionId {
        let connection = self.open(attendee, content);
        self.frame(connection, Body::Join(Join::default()));
        self.subscribe(connection, false, &[]);
        self.input(Input::MediaConnected { connection });
        connection
    }

    fn subscribe(&mut self, connection: ConnectionId, camera: bool, receive: &[u32]) {
        let video =
            StreamDescriptor { media_type: Some(VIDEO), width: Some(320), ..StreamDescriptor::default() };
        self.frame(
            connection,
            Body::Subscribe(Subscribe {
                duplex: Some(if camera { 3 } else { 1 }),
                send_streams: if camera { vec![video] } else { Vec::new() },
                receive_stream_ids: receive.to_vec(),
                sdp_offer: Some("offer".to_owned()),
                ..Subscribe::default()
            }),
        );
    }

    /// The frames that a connection got since the last call.
    fn take(&mut self, connection: ConnectionId) -> Vec<SignalFrame> {
        self.sent.remove(&connection).unwrap_or_default()
    }

    fn last_index(&mut self, connection: ConnectionId) -> Index {
        let indexes = self.take(connection).into_iter().filter_map(|frame| match frame.body {
            Some(Body::Index(index)) => Some(index),
            _ => None,
        });
        indexes.last().expect("an index was sent")
    }

    fn statuses(&mut self, connection: ConnectionId) -> Vec<u32> {
        let status = |frame: SignalFrame| match frame.body {
            Some(Body::AudioStatus(status)) => status.audio_status,
            _ => frame.error.and_then(|error| error.status),
        };
        self.take(connection).into_iter().filter_map(status).collect()
    }

    fn presence(&mut self, connection: ConnectionId) -> Vec<AudioStream> {
        let streams = |frame: SignalFrame| match frame.body {
            Some(Body::AudioStreamIdInfo(AudioStreamIdInfo { streams })) => streams,
            _ => Vec::new(),
        };
        self.take(connection).into_iter().flat_map(streams).collect()
    }

    fn events(&mut self) -> Vec<(String, AttendeeEvent)> {
        std::mem::take(&mut self.happened)
    }
}

fn event(name: &str, event: AttendeeEvent) -> (String, AttendeeEvent) {
    (name.to_owned(), event)
}

#[test]
fn a_join_is_answered_with_server_side_adaptation_and_the_index() {
    let mut driver = Driver::new();
    let connection = driver.open(attendee("a", SEND_RECEIVE), false);
    driver.frame(connection, Body::Join(Join::default()));
    let frames = driver.take(connection);
    let Some(Body::JoinAck(ack)) = &frames[0].body else { panic_with(&frames) };
    assert_eq!(ack.default_server_side_network_adaption, Some(4), "without it the SDK leaves out pictures");
    assert!(matches!(frames[1].body, Some(Body::Index(_))));
    assert_eq!(driver.events(), [], "a client whose media is not connected has not joined");
}

#[test]
fn the_first_presence_frame_names_everyone_and_others_get_the_newcomer() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    driver.take(a);
    let b = driver.join(attendee("b", SEND_RECEIVE));
    let names = |streams: Vec<AudioStream>| -> Vec<String> {
        streams.into_iter().filter_map(|stream| stream.attendee_id).collect()
    };
    assert_eq!(names(driver.presence(b)), ["a", "b"]);
    assert_eq!(names(driver.presence(a)), ["b"]);
    assert_eq!(driver.events(), [event("a", AttendeeEvent::Joined), event("b", AttendeeEvent::Joined)]);
}

#[test]
fn leaving_differs_from_a_socket_that_closes() {
    let mut driver = Driver::new();
    let watcher = driver.join(attendee("w", SEND_RECEIVE));
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.events();
    driver.take(watcher);
    driver.frame(a, Body::Leave(Empty {}));
    driver.input(Input::Closed { connection: a });
    driver.input(Input::Closed { connection: b });
    assert_eq!(driver.events(), [event("a", AttendeeEvent::Left), event("b", AttendeeEvent::Dropped)]);
    let dropped: Vec<Option<bool>> =
        driver.presence(watcher).into_iter().map(|stream| stream.dropped).collect();
    assert_eq!(dropped, [None, Some(true)]);
    assert!(driver.take(a).iter().any(|frame| matches!(frame.body, Some(Body::LeaveAck(_)))));
}

#[test]
fn another_device_replaces_the_first_one_under_a_higher_number() {
    let mut driver = Driver::new();
    let watcher = driver.join(attendee("w", SEND_RECEIVE));
    let first = driver.join(attendee("a", SEND_RECEIVE));
    driver.take(watcher);
    let second = driver.join(attendee("a", SEND_RECEIVE));
    assert_eq!(driver.statuses(first), [status::OTHER_DEVICE]);
    let numbers: Vec<u32> = driver
        .presence(watcher)
        .into_iter()
        .filter_map(|stream| stream.attendee_id.and(stream.audio_stream_id))
        .collect();
    assert_eq!(numbers.len(), 1);
    assert!(numbers > vec![2], "the SDK ignores a lower number");
    driver.events();
    driver.input(Input::Closed { connection: first });
    assert_eq!(driver.events(), [], "the end of the replaced connection changes nothing");
    assert!(driver.room.may_send_sound(second));
    assert!(!driver.room.may_send_sound(first));
}

#[test]
fn each_start_of_a_camera_is_a_new_stream_that_others_can_receive() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.events();
    driver.subscribe(a, true, &[]);
    let first = driver.last_index(b).sources[0].stream_id.expect("a stream");
    assert_eq!(driver.last_index(a).sources, [], "nobody receives themself");
    driver.subscribe(b, false, &[0, first]);
    assert_eq!(driver.room.viewers_of(a), [b]);
    assert!(
        driver.commands.contains(&Output::Keyframe { connection: a }),
        "a picture begins with a key frame"
    );
    driver.subscribe(a, false, &[]);
    assert_eq!(driver.last_index(b).sources, []);
    assert_eq!(driver.room.viewers_of(a), [] as [ConnectionId; 0]);
    driver.subscribe(a, true, &[]);
    let second = driver.last_index(b).sources[0].clone();
    assert!(second.stream_id > Some(first) && second.group_id > Some(first));
    let video = [AttendeeEvent::VideoStarted, AttendeeEvent::VideoStopped, AttendeeEvent::VideoStarted];
    assert_eq!(driver.events(), video.map(|kind| event("a", kind)));
}

#[test]
fn media_of_an_attendee_who_may_only_receive_reaches_nobody() {
    let mut driver = Driver::new();
    let observer = driver.join(attendee("o", RECEIVE));
    let a = driver.join(attendee("a", SEND_RECEIVE));
    driver.take(observer);
    driver.subscribe(observer, true, &[]);
    assert_eq!(driver.statuses(observer), [status::VIEW_ONLY]);
    assert_eq!(driver.last_index(a).sources, []);
    assert!(!driver.room.may_send_sound(observer));
    assert_eq!(driver.room.hears(observer), Hears::Everything);
    assert_eq!(driver.room.stream_of(observer), None);
}

#[test]
fn capabilities_that_change_apply_at_once() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.subscribe(a, true, &[]);
    let stream = driver.last_index(b).sources[0].stream_id.expect("a stream");
    driver.subscribe(b, false, &[0, stream]);
    driver.take(a);
    driver.events();
    let change =
        |name: &str, capabilities| Input::CapabilitiesChanged { attendee_id: name.to_owned(), capabilities };
    driver.input(change("a", RECEIVE));
    assert_eq!(driver.room.viewers_of(a), [] as [ConnectionId; 0]);
    assert!(!driver.room.may_send_sound(a));
    assert!(driver.commands.contains(&Output::Silence { connection: a }));
    assert_eq!(driver.statuses(a), [status::VIEW_ONLY]);
    assert_eq!(driver.events(), [event("a", AttendeeEvent::VideoStopped)]);
    driver.input(change("a", SEND_RECEIVE));
    driver.subscribe(a, true, &[]);
    assert!(driver.room.may_send_sound(a));
    assert_eq!(driver.last_index(b).sources.len(), 1);
    driver.input(change("b", Capabilities::default()));
    assert_eq!(driver.last_index(b).sources, [], "who may receive nothing sees no streams");
    assert_eq!(driver.room.hears(b), Hears::Nothing);
    driver.input(change("b", Capabilities { content: Direction::Send, ..SEND_RECEIVE }));
    assert_eq!(driver.room.hears(b), Hears::People);
}

#[test]
fn a_stream_that_a_client_names_without_the_right_to_it_is_not_sent() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    driver.subscribe(a, true, &[]);
    let stream = driver.room.stream_of(a).expect("a stream");
    let hidden = driver.join(attendee("h", Capabilities { video: Direction::None, ..SEND_RECEIVE }));
    driver.subscribe(hidden, false, &[0, stream]);
    assert_eq!(driver.room.viewers_of(a), [] as [ConnectionId; 0]);
    driver.subscribe(a, true, &[0, stream]);
    assert_eq!(driver.room.viewers_of(a), [] as [ConnectionId; 0], "not even one's own");
}

#[test]
fn a_shared_screen_is_an_attendee_of_its_own() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.take(a);
    driver.events();
    let screen = driver.join_as(attendee("a", SEND_RECEIVE), true);
    assert!(driver.room.may_send_sound(a), "the person stays");
    let names: Vec<_> = driver.presence(a).into_iter().filter_map(|stream| stream.attendee_id).collect();
    assert_eq!(names, ["a#content"], "the sharer's SDK waits for it");
    driver.subscribe(screen, true, &[]);
    assert_eq!(driver.last_index(b).sources[0].attendee_id.as_deref(), Some("a#content"));
    assert_eq!(driver.last_index(a).sources, []);
    driver.input(Input::Closed { connection: screen });
    let content = [
        AttendeeEvent::ContentJoined,
        AttendeeEvent::ContentVideoStarted,
        AttendeeEvent::ContentVideoStopped,
        AttendeeEvent::ContentDropped,
    ];
    assert_eq!(driver.events(), content.map(|kind| event("a#content", kind)));
}

#[test]
fn muting_reaches_everyone_and_silences_at_the_server() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.take(b);
    driver.frame(a, Body::AudioControl(AudioControl { muted: Some(true) }));
    assert!(!driver.room.may_send_sound(a));
    let muted: Vec<_> =
        driver.presence(b).into_iter().map(|stream| (stream.attendee_id, stream.muted)).collect();
    assert_eq!(muted, [(None, Some(true))]);
    driver.input(Input::Levels { levels: vec![Level { connection: a, volume: 10, signal: 2 }] });
    let levels = driver.take(b).into_iter().find_map(|frame| match frame.body {
        Some(Body::AudioMetadata(AudioMetadata { attendee_states })) => attendee_states[0].volume,
        _ => None,
    });
    assert_eq!(levels, Some(127), "a muted participant is silent");
}

#[test]
fn the_end_reaches_those_who_are_in_and_those_who_come() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let joining = driver.open(attendee("b", SEND_RECEIVE), false);
    driver.take(a);
    driver.events();
    driver.input(Input::MeetingEnded);
    assert_eq!(driver.statuses(a), [status::ENDED], "a close code is not noticed by a client that is in");
    let late = driver.open(attendee("c", SEND_RECEIVE), false);
    let closed = |connection| Output::Close { connection, code: close::ENDED };
    assert!(driver.commands.contains(&closed(joining)) && driver.commands.contains(&closed(late)));
    driver.input(Input::Closed { connection: a });
    assert_eq!(driver.events(), [], "the engine itself publishes what its operations cause");
}

#[test]
fn a_removed_attendee_is_put_out_with_their_screen_and_nobody_else() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let screen = driver.join_as(attendee("a", SEND_RECEIVE), true);
    let b = driver.join(attendee("b", SEND_RECEIVE));
    for connection in [a, screen, b] {
        driver.take(connection);
    }
    driver.events();
    driver.input(Input::AttendeeRemoved { attendee_id: "a".to_owned() });
    assert_eq!(driver.statuses(a), [status::REMOVED]);
    assert_eq!(driver.statuses(screen), [status::REMOVED]);
    assert_eq!(driver.presence(b).len(), 2);
    assert!(!driver.room.may_send_sound(a) && driver.room.may_send_sound(b));
    assert_eq!(driver.events(), []);
}

#[test]
fn everyone_sends_what_everyone_can_decode() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    assert_eq!(driver.last_index(a).supported_receive_codec_intersection, [3, 1]);
    let b = driver.open(attendee("b", SEND_RECEIVE), false);
    driver.frame(b, Body::Join(Join::default()));
    let answer =
        Answer { sdp: String::new(), tracks: Vec::new(), codecs: vec![VideoCodec::Vp8], sends_video: false };
    driver.input(Input::Negotiated { connection: b, answer: Some(answer) });
    driver.input(Input::MediaConnected { connection: b });
    assert_eq!(driver.last_index(a).supported_receive_codec_intersection, [1], "b has no H.264");
    driver.input(Input::Closed { connection: b });
    assert_eq!(driver.last_index(a).supported_receive_codec_intersection, [3, 1]);
}

#[test]
fn a_client_that_loses_its_media_is_dropped_and_asked_to_reconnect() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    driver.events();
    driver.input(Input::MediaLost { connection: a });
    assert!(driver.commands.contains(&Output::Close { connection: a, code: close::RECONNECT }));
    driver.input(Input::Closed { connection: a });
    assert_eq!(driver.events(), [event("a", AttendeeEvent::Dropped)]);
    let again = driver.join(attendee("a", SEND_RECEIVE));
    assert!(driver.room.may_send_sound(again));
}

/// For a pattern that does not match: what was sent instead.
#[expect(clippy::panic, reason = "a test ends with what it has seen")]
fn panic_with(frames: &[SignalFrame]) -> ! {
    panic!("not expected: {frames:?}")
}
