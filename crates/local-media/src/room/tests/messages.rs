//! Data messages, and those who come after one was sent.

use super::*;
use crate::frame::DataMessage;

const NS_PER_MS: i64 = 1_000_000;

fn send(driver: &mut Driver, from: ConnectionId, text: &str, lifetime_ms: Option<u32>) {
    let data = Some(text.to_owned().into_bytes().into());
    let payload = DataPayload { topic: "chat".to_owned(), data, lifetime_ms, ..DataPayload::default() };
    driver.frame(from, Body::DataMessage(DataMessage { messages: vec![payload] }));
}

/// What a connection received since the last call: text, sender, and when the server received it.
fn received(driver: &mut Driver, connection: ConnectionId) -> Vec<(String, String, i64)> {
    let frames = driver.take(connection).into_iter();
    let messages = frames.filter_map(|frame| match frame.body {
        Some(Body::DataMessage(message)) => Some(message.messages),
        _ => None,
    });
    let message = |payload: DataPayload| {
        let text = String::from_utf8(payload.data.unwrap_or_default().to_vec()).unwrap_or_default();
        (text, payload.sender_attendee_id.unwrap_or_default(), payload.ingest_time_ns.unwrap_or_default())
    };
    messages.flatten().map(message).collect()
}

fn texts(driver: &mut Driver, connection: ConnectionId) -> Vec<String> {
    received(driver, connection).into_iter().map(|(text, ..)| text).collect()
}

#[test]
fn a_data_message_names_its_true_sender_and_reaches_everyone() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    let payload = |topic: &str, bytes: usize| DataPayload {
        topic: topic.to_owned(),
        data: Some(vec![0; bytes].into()),
        sender_attendee_id: Some("somebody-else".to_owned()),
        ..DataPayload::default()
    };
    let messages = vec![payload("chat", 2048), payload("aws:chime:transcription", 1), payload("chat", 2049)];
    for connection in [a, b] {
        driver.take(connection);
    }
    driver.frame(a, Body::DataMessage(DataMessage { messages }));
    for connection in [a, b] {
        let senders: Vec<_> = driver
            .take(connection)
            .into_iter()
            .filter_map(|frame| match frame.body {
                Some(Body::DataMessage(message)) => message.messages[0].sender_attendee_id.clone(),
                _ => None,
            })
            .collect();
        assert_eq!(senders, ["a"], "captions cannot be forged, and too long a message is dropped");
    }
}

#[test]
fn who_joins_late_receives_messages_within_their_lifetime_in_order_and_as_they_were() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    send(&mut driver, a, "gone at once", None);
    send(&mut driver, a, "gone at once, too", Some(0));
    send(&mut driver, a, "1 s", Some(1_000));
    driver.now_ns += NS_PER_MS;
    send(&mut driver, a, "5 s", Some(5_000));
    driver.now_ns += 999 * NS_PER_MS - 1;
    let b = driver.join(attendee("b", SEND_RECEIVE));
    let expected = [("1 s".to_owned(), "a".to_owned(), 1), ("5 s".to_owned(), "a".to_owned(), 1 + NS_PER_MS)];
    assert_eq!(received(&mut driver, b), expected);
    assert_eq!(texts(&mut driver, a).len(), 4, "each once, when it was sent");
    driver.now_ns += 1;
    let c = driver.join(attendee("c", SEND_RECEIVE));
    assert_eq!(texts(&mut driver, c), ["5 s"], "the other one expired at this nanosecond");
}

#[test]
fn who_reconnects_receives_them_again_also_when_everyone_was_out() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    send(&mut driver, a, "hello", Some(60_000));
    driver.input(Input::Closed { connection: a });
    let now_ns = driver.now_ns;
    assert!(driver.room.is_empty() && driver.room.keeps_messages(now_ns), "the room is kept for the message");
    let again = driver.join(attendee("a", SEND_RECEIVE));
    assert_eq!(texts(&mut driver, again), ["hello"]);
    assert!(!driver.room.keeps_messages(now_ns + 60_000 * NS_PER_MS));
}

#[test]
fn no_more_than_1024_messages_are_kept_and_none_for_longer_than_5_minutes() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    for number in 0..=1_024_u32 {
        send(&mut driver, a, &number.to_string(), Some(u32::MAX));
        // 100 a second, as many as are not throttled.
        driver.now_ns += 10 * NS_PER_MS;
    }
    let b = driver.join(attendee("b", SEND_RECEIVE));
    let texts_of_b = texts(&mut driver, b);
    assert_eq!((texts_of_b.len(), texts_of_b[0].as_str(), texts_of_b[1_023].as_str()), (1_024, "1", "1024"));
    driver.now_ns += 300_000 * NS_PER_MS;
    let c = driver.join(attendee("c", SEND_RECEIVE));
    assert_eq!(texts(&mut driver, c), Vec::<String>::new());
}

#[test]
fn a_meeting_that_ended_keeps_no_message() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    send(&mut driver, a, "hello", Some(60_000));
    driver.input(Input::MeetingEnded);
    let now_ns = driver.now_ns;
    assert!(!driver.room.keeps_messages(now_ns));
}

/// The payloads of each frame of data messages that a connection received since the last call, with whether each was throttled.
fn frames_of(driver: &mut Driver, connection: ConnectionId) -> Vec<Vec<bool>> {
    let frames = driver.take(connection).into_iter();
    let messages = frames.filter_map(|frame| match frame.body {
        Some(Body::DataMessage(message)) => Some(message.messages),
        _ => None,
    });
    messages
        .map(|payloads| payloads.iter().map(|payload| payload.ingest_time_ns == Some(0)).collect())
        .collect()
}

fn flood(driver: &mut Driver, from: ConnectionId, count: usize) {
    let payload = DataPayload { topic: "t".to_owned(), ..DataPayload::default() };
    driver.frame(from, Body::DataMessage(DataMessage { messages: vec![payload; count] }));
}

#[test]
fn a_frame_of_2000_messages_reaches_each_member_as_one_frame_of_200_and_its_sender_gets_the_rest_throttled() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    for connection in [a, b] {
        driver.take(connection);
    }
    flood(&mut driver, a, 2_000);
    assert_eq!(frames_of(&mut driver, b), [vec![false; 200]]);
    assert_eq!(frames_of(&mut driver, a), [vec![false; 200], vec![true; 1_800]]);
}

#[test]
fn who_sends_100_messages_a_second_after_a_burst_is_not_throttled_and_who_sends_more_is() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    flood(&mut driver, a, 200);
    for connection in [a, b] {
        driver.take(connection);
    }
    for _ in 0..1_000 {
        driver.now_ns += 10 * NS_PER_MS;
        send(&mut driver, a, "one", None);
    }
    assert_eq!(frames_of(&mut driver, b), vec![vec![false]; 1_000]);
    for _ in 0..1_000 {
        driver.now_ns += 5 * NS_PER_MS;
        send(&mut driver, a, "one", None);
    }
    assert_eq!(frames_of(&mut driver, b).len(), 500, "half of 200 a second");
    // Another attendee has a rate of their own.
    send(&mut driver, b, "one", None);
    assert_eq!(frames_of(&mut driver, b), [vec![false]]);
}

#[test]
fn who_exceeds_a_burst_of_10000_messages_is_disconnected_and_nobody_else() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let b = driver.join(attendee("b", SEND_RECEIVE));
    driver.events();
    flood(&mut driver, a, 10_000);
    assert_eq!(driver.events(), []);
    flood(&mut driver, a, 1);
    assert_eq!(driver.events(), [event("a", AttendeeEvent::Dropped)]);
    assert!(driver.commands.contains(&Output::Close { connection: a, code: close::RECONNECT }));
    assert!(driver.room.may_send_sound(b));
}
