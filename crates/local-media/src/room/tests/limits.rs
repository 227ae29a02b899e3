//! Frames that the SDK does not send: what a member keeps is bounded, and a client that breaks the protocol is out at once.

use super::*;
use crate::frame::PauseResume;

fn pause(driver: &mut Driver, connection: ConnectionId, stream_ids: Vec<u32>) {
    let frame = SignalFrame {
        kind: FrameType::Pause.into(),
        ..SignalFrame::new(Body::PauseResume(PauseResume { stream_ids }))
    };
    driver.input(Input::Frame { connection, frame });
}

#[test]
fn a_pause_of_streams_that_are_not_received_is_not_kept() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.subscribe(a, true, &[]);
    let stream = driver.room.stream_of(a).expect("a sends pictures");
    driver.subscribe(b, false, &[0, stream]);
    pause(&mut driver, b, (0..100_000).collect());
    assert_eq!(driver.room.members[&b].paused.len(), 1, "the one stream that is received");
    assert!(driver.room.viewers_of(a).is_empty());
    assert_eq!(
        driver.room.receivers_of(a),
        [(b, false)],
        "b's connection learns of each frame that is left out"
    );
    driver.subscribe(b, false, &[0]);
    assert_eq!(driver.room.members[&b].paused.len(), 0);
}

#[test]
fn a_subscribe_without_an_offer_ends_the_participation_before_the_socket_is_closed() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.events();
    driver.take(b);
    driver.frame(a, Body::Subscribe(Subscribe::default()));
    assert!(driver.commands.contains(&Output::Close { connection: a, code: close::BAD_REQUEST }));
    assert!(!driver.room.may_send_sound(a));
    assert_eq!(driver.events(), [event("a", AttendeeEvent::Dropped)]);
    assert_eq!(driver.presence(b).len(), 1, "others see that a is gone");
}
