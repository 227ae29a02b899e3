//! The delivery of the engine's events.

use tokio::sync::mpsc;

use super::*;
use crate::chime::event_delivery::Waiting;

/// An engine, its clock, and what comes to the bus.
fn engine(event_delivery: EventDelivery) -> (Chime, Clock, mpsc::UnboundedReceiver<Value>) {
    let options = Options { rate: None, event_delivery, ..Options::default() };
    let (clock, (sender, receiver)) = (Clock::default(), mpsc::unbounded_channel());
    let sink: EventSink = Arc::new(move |event| drop(sender.send(event)));
    (Chime::new("111122223333", clock.clone(), options, sink), clock, receiver)
}

fn ask(chime: &Chime, method: &str, path: &str, body: &Value) -> Value {
    let request = http::Request::builder().method(method).uri(path).body(()).expect("a request");
    let answer = chime.carry_out("eu-central-1", &request.into_parts().0, body.to_string().as_bytes());
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

/// A meeting with one attendee.
fn meeting(chime: &Chime) -> (String, String) {
    let mut body = good_meeting();
    body["ClientRequestToken"] = uuid::Uuid::new_v4().to_string().into();
    body["Attendees"] = json!([{ "ExternalUserId": "somebody" }]);
    let made = ask(chime, "POST", "/meetings?operation=create-attendees", &body);
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    (text(&made["Meeting"]["MeetingId"]), text(&made["Attendees"][0]["AttendeeId"]))
}

fn received(receiver: &mut mpsc::UnboundedReceiver<Value>) -> Vec<Value> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["detail"]["eventType"].as_str()?.strip_prefix("chime:")).collect()
}

fn connect(chime: &Chime, meeting: &str, attendee: &str) {
    let event = NewEvent {
        event_type: "AttendeeJoined".to_owned(),
        attendee_id: Some(attendee.to_owned()),
        ..NewEvent::default()
    };
    chime.event(meeting, event).expect("the attendee is there");
}

#[test]
fn immediate_delivery_sends_every_event_of_a_meeting() {
    let (chime, _, mut bus) = engine(EventDelivery::Immediate);
    let (id, first) = meeting(&chime);
    assert_eq!(kinds(&received(&mut bus)), ["MeetingStarted", "AttendeeAdded"]);
    let path = format!("/meetings/{id}/attendees");
    let second = ask(&chime, "POST", &path, &json!({ "ExternalUserId": "another" }));
    let second = second["Attendee"]["AttendeeId"].as_str().expect("an attendee").to_owned();
    connect(&chime, &id, &first);
    connect(&chime, &id, &second);
    assert_eq!(kinds(&received(&mut bus)), ["AttendeeAdded", "AttendeeJoined", "AttendeeJoined"]);
    ask(&chime, "DELETE", &format!("{path}/{second}"), &Value::Null);
    assert_eq!(kinds(&received(&mut bus)), ["AttendeeDropped", "AttendeeDeleted"]);
    ask(&chime, "DELETE", &format!("/meetings/{id}"), &Value::Null);
    let end = received(&mut bus);
    assert_eq!(kinds(&end), ["AttendeeLeft", "MeetingEnded"]);
    assert_eq!(
        (&end[0]["detail"]["externalUserId"], &end[0]["region"]),
        (&"somebody".into(), &"eu-central-1".into())
    );
    ask(&chime, "DELETE", &format!("/meetings/{id}"), &Value::Null);
    assert_eq!(received(&mut bus), [Value::Null; 0], "what has ended ends no more");
}

#[test]
fn an_end_by_the_control_api_disconnects_everyone_and_is_sent_once() {
    let (chime, _, mut bus) = engine(EventDelivery::Immediate);
    let (id, attendee) = meeting(&chime);
    connect(&chime, &id, &attendee);
    received(&mut bus);
    let ended = NewEvent { event_type: "MeetingEnded".to_owned(), ..NewEvent::default() };
    chime.event(&id, ended).expect("a meeting");
    assert_eq!(kinds(&received(&mut bus)), ["AttendeeLeft", "MeetingEnded"]);
}

#[test]
fn by_default_only_the_control_api_sends_events() {
    let (chime, clock, mut bus) = engine(EventDelivery::default());
    let (id, attendee) = meeting(&chime);
    connect(&chime, &id, &attendee);
    clock.advance(25 * 3600);
    chime.deliver_due_events();
    assert_eq!(kinds(&received(&mut bus)), ["AttendeeJoined"]);
}

#[test]
fn like_chime_events_arrive_late_out_of_order_and_sometimes_twice() {
    let (chime, clock, mut bus) = engine(EventDelivery::LikeChime { seed: 7 });
    for _ in 0..50 {
        let (id, attendee) = meeting(&chime);
        connect(&chime, &id, &attendee);
    }
    // The test does not wait; on a slow machine some events may be due already.
    let early = received(&mut bus).len();
    clock.advance(3);
    chime.deliver_due_events();
    let all = received(&mut bus);
    let ids: std::collections::BTreeSet<&str> = all.iter().filter_map(|event| event["id"].as_str()).collect();
    assert!(ids.len() + early >= 150, "each of 150: {}", ids.len());
    assert!(all.len() > ids.len(), "some twice, under one id");
    let names = kinds(&all);
    let first = names.iter().position(|name| *name == "AttendeeJoined").expect("somebody joined");
    let last = names.iter().rposition(|name| *name == "MeetingStarted").expect("a meeting started");
    assert!(first < last, "not in the order of its happening");
}

#[test]
fn one_seed_always_delivers_in_the_same_order() {
    let order = |seed| {
        let mut waiting = Waiting::new(EventDelivery::LikeChime { seed });
        (0..40).for_each(|n| waiting.take(&json!(n), n));
        waiting.due(i64::MAX - 1)
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[tokio::test]
async fn nobody_need_ask_for_an_empty_meeting_to_end_by_the_clock() {
    let (chime, clock, mut bus) = engine(EventDelivery::LikeChime { seed: 1 });
    let delivery_task = chime.spawn_event_delivery();
    let (id, attendee) = meeting(&chime);
    connect(&chime, &id, &attendee);
    clock.advance(3600);
    let gone = NewEvent {
        event_type: "AttendeeDropped".to_owned(),
        attendee_id: Some(attendee),
        ..NewEvent::default()
    };
    let gone = chime.event(&id, gone).expect("a meeting");
    clock.advance(310);
    let ended = loop {
        let event = bus.recv().await.expect("the bus is open");
        if event["detail"]["eventType"] == "chime:MeetingEnded" {
            break event;
        }
    };
    let at = |event: &Value| event["detail"]["timestamp"].as_i64().expect("a time");
    assert_eq!(at(&ended) - at(&gone), 300_000, "five minutes after the last one went");
    delivery_task.abort();
}

#[test]
fn after_a_day_a_meeting_ends_with_everyone_in_it() {
    let (chime, clock, mut bus) = engine(EventDelivery::Immediate);
    let (id, attendee) = meeting(&chime);
    connect(&chime, &id, &attendee);
    received(&mut bus);
    clock.advance(24 * 3600);
    chime.deliver_due_events();
    assert_eq!(kinds(&received(&mut bus)), ["AttendeeLeft", "MeetingEnded"]);
}
