//! The life of meetings and attendees.

use std::time::Duration;

use aws_sdk_chimesdkmeetings::Client;
use aws_sdk_chimesdkmeetings::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_chimesdkmeetings::types::{
    AttendeeCapabilities, AttendeeIdItem, CreateAttendeeRequestItem, MediaCapabilities,
};
use local::chime::{EventError, NewEvent, Options, Rate};

use crate::fixture::{Fixture, REGION, create};

fn code<T: ProvideErrorMetadata, R>(error: &SdkError<T, R>) -> &str {
    error.code().unwrap_or("no code")
}

async fn meeting(client: &Client, token: &str) -> String {
    let answer = create(client, token).send().await.expect("a meeting");
    answer.meeting().and_then(|meeting| meeting.meeting_id()).expect("it has an id").to_owned()
}

async fn attendee(client: &Client, meeting: &str, user: &str) -> String {
    let answer = client
        .create_attendee()
        .meeting_id(meeting)
        .external_user_id(user)
        .send()
        .await
        .expect("an attendee");
    answer.attendee().and_then(|attendee| attendee.attendee_id()).expect("it has an id").to_owned()
}

fn user(id: &str) -> CreateAttendeeRequestItem {
    CreateAttendeeRequestItem::builder().external_user_id(id).build().expect("an id is all it needs")
}

fn event(kind: &str, attendee: &str) -> NewEvent {
    NewEvent { event_type: kind.to_owned(), attendee_id: Some(attendee.to_owned()), ..NewEvent::default() }
}

async fn start(
    client: &Client,
    token: &str,
) -> aws_sdk_chimesdkmeetings::operation::create_meeting_with_attendees::CreateMeetingWithAttendeesOutput {
    client
        .create_meeting_with_attendees()
        .client_request_token(token)
        .media_region(REGION)
        .external_meeting_id("medzen-session")
        .attendees(user("provider-1"))
        .send()
        .await
        .expect("a meeting with its attendee")
}

#[tokio::test]
async fn a_meeting_and_its_attendee_have_all_that_a_client_needs() {
    let fixture = Fixture::start().await;
    let answer = start(&fixture.chime(), "token-1").await;
    let meeting = answer.meeting().expect("the meeting");
    let id = meeting.meeting_id().expect("an id");
    let arn = format!("arn:aws:chime:eu-central-1:111122223333:meeting/{id}");
    assert_eq!(meeting.meeting_arn(), Some(arn.as_str()));
    assert_eq!(
        (meeting.external_meeting_id(), meeting.media_region()),
        (Some("medzen-session"), Some(REGION))
    );
    let placement = meeting.media_placement().expect("where the media are");
    for url in [placement.audio_fallback_url(), placement.signaling_url(), placement.event_ingestion_url()] {
        let url = url.expect("an address");
        assert!(
            url.contains(".chime.aws") && (url.starts_with("wss://") || url.starts_with("https://")),
            "{url}"
        );
    }
    let [attendee] = answer.attendees() else { unreachable!("one was asked for: {answer:?}") };
    assert_eq!(attendee.external_user_id(), Some("provider-1"));
    assert!(attendee.join_token().is_some_and(|token| token.len() > 20), "{attendee:?}");
    assert!(answer.errors().is_empty());
    assert_eq!(fixture.last_asked(), ("chime:CreateMeetingWithAttendees".to_owned(), None));
    let got = fixture.chime().get_meeting().meeting_id(id).send().await.expect("it is there");
    assert_eq!(got.meeting(), answer.meeting(), "the same meeting");
    assert_eq!(fixture.last_asked(), ("chime:GetMeeting".to_owned(), Some(arn)));
}

#[tokio::test]
async fn a_token_makes_one_meeting_however_often_it_comes() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let (first, second) = (start(&client, "token-1").await, start(&client, "token-1").await);
    assert_eq!(first.meeting(), second.meeting());
    assert_eq!(first.attendees(), second.attendees());
    assert_eq!(fixture.meetings().len(), 1);
    assert_ne!(first.meeting(), start(&client, "token-2").await.meeting());
}

#[tokio::test]
async fn a_token_of_an_ended_meeting_gives_the_ended_meeting_without_attendees() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let first = start(&client, "token-1").await;
    let id = first.meeting().and_then(|meeting| meeting.meeting_id()).expect("an id");
    client.delete_meeting().meeting_id(id).send().await.expect("it ends");
    let again = start(&client, "token-1").await;
    assert_eq!(first.meeting(), again.meeting());
    assert!(again.attendees().is_empty(), "{again:?}");
    let error = client
        .create_attendee()
        .meeting_id(id)
        .external_user_id("user-1")
        .send()
        .await
        .expect_err("it ended");
    assert_eq!(code(&error), "NotFoundException");
    assert_eq!(fixture.live(), 0, "the token has not made another");
}

#[tokio::test]
async fn concurrent_tokens_can_conflict() {
    let fixture =
        Fixture::with(Options { conflict_within: Duration::from_hours(1), ..Options::default() }).await;
    let client = fixture.chime();
    meeting(&client, "token-1").await;
    let error = create(&client, "token-1").send().await.expect_err("it is still being made");
    assert_eq!(code(&error), "ConflictException");
}

#[tokio::test]
async fn a_deleted_meeting_is_not_found() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let answer = client.delete_meeting().meeting_id(&id).send().await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(fixture.calls.since(1)[0].status, 204);
    let error = client.get_meeting().meeting_id(&id).send().await.expect_err("it ended");
    assert_eq!(code(&error), "NotFoundException");
    let error = client.delete_meeting().meeting_id(&id).send().await.expect_err("it had ended");
    assert_eq!(code(&error), "NotFoundException");
}

#[tokio::test]
async fn a_meeting_is_known_only_in_its_control_region() {
    let fixture = Fixture::start().await;
    let id = meeting(&fixture.chime(), "token-1").await;
    let elsewhere = fixture.chime_in("us-east-1");
    let error = elsewhere.get_meeting().meeting_id(&id).send().await.expect_err("not there");
    assert_eq!(code(&error), "NotFoundException");
    let other = meeting(&elsewhere, "token-1").await;
    assert_ne!(id, other, "a token is good in one region");
    assert!(other.ends_with("0706") && !id.ends_with("0706"), "{id} {other}");
}

#[tokio::test]
async fn a_meeting_ends_after_five_minutes_alone() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let who = attendee(&client, &id, "user-1").await;
    fixture.clock.advance(290);
    client.get_meeting().meeting_id(&id).send().await.expect("not yet five minutes");
    fixture.chime.event(&id, event("chime:AttendeeJoined", &who)).expect("it joins");
    fixture.clock.advance(3600);
    assert_eq!(fixture.live(), 1, "somebody is there");
    fixture.chime.event(&id, event("AttendeeDropped", &who)).expect("it is lost");
    fixture.clock.advance(290);
    assert_eq!(fixture.live(), 1, "asking is no presence, and five minutes are not over");
    fixture.clock.advance(11);
    let error = client.get_meeting().meeting_id(&id).send().await.expect_err("nobody came back");
    assert_eq!(code(&error), "NotFoundException");
    let listed = &fixture.meetings()[0];
    assert_eq!(listed["live"], false);
    assert!(listed["endedAt"].is_string(), "{listed}");
    assert_eq!(listed["attendees"][0]["externalUserId"], "user-1", "what was handed out stays known");
}

#[tokio::test]
async fn a_meeting_ends_after_a_day_whoever_is_there() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let who = attendee(&client, &id, "user-1").await;
    fixture.chime.event(&id, event("AttendeeJoined", &who)).expect("it joins");
    fixture.clock.advance(24 * 3600 - 60);
    assert_eq!(fixture.live(), 1);
    fixture.clock.advance(61);
    assert_eq!(fixture.live(), 0);
}

#[tokio::test]
async fn events_go_to_the_bus_as_chime_writes_them() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let who = attendee(&client, &id, "user-1").await;
    let new_event = NewEvent {
        timestamp: Some(1_768_471_200_123),
        id: Some("event-1".to_owned()),
        ..event("chime:AttendeeJoined", &who)
    };
    let answered = fixture.chime.event(&id, new_event).expect("it joins");
    let expected = serde_json::json!({
        "version": "0",
        "id": "event-1",
        "detail-type": "Chime Meeting State Change",
        "source": "aws.chime",
        "account": "111122223333",
        "time": "2026-01-15T10:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "version": "0",
            "eventType": "chime:AttendeeJoined",
            "timestamp": 1_768_471_200_123_i64,
            "meetingId": id,
            "externalMeetingId": "medzen-session",
            "attendeeId": who,
            "externalUserId": "user-1",
            "networkType": "Voip",
            "mediaRegion": "eu-central-1",
        },
    });
    assert_eq!(answered, expected);
    assert_eq!(*fixture.events.lock().expect("no test panics here"), [expected]);
    let unknown = fixture.chime.event("no-meeting", event("AttendeeJoined", &who));
    assert_eq!(unknown, Err(EventError::UnknownMeeting("no-meeting".to_owned())));
    let unknown = fixture.chime.event(&id, event("AttendeeSneezed", &who));
    assert_eq!(unknown, Err(EventError::UnknownType("AttendeeSneezed".to_owned())));
    let unknown = fixture.chime.event(&id, event("AttendeeJoined", "nobody"));
    assert_eq!(unknown, Err(EventError::UnknownAttendee("nobody".to_owned())));
}

#[tokio::test]
async fn the_same_user_twice_is_two_attendees_and_a_deleted_one_is_gone() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let (first, second) = (attendee(&client, &id, "user-1").await, attendee(&client, &id, "user-1").await);
    assert_ne!(first, second);
    client.delete_attendee().meeting_id(&id).attendee_id(&first).send().await.expect("it is deleted");
    let error =
        client.get_attendee().meeting_id(&id).attendee_id(&first).send().await.expect_err("it is gone");
    assert_eq!(code(&error), "NotFoundException");
    client.get_attendee().meeting_id(&id).attendee_id(&second).send().await.expect("the other is there");
}

#[tokio::test]
async fn attendees_are_listed_page_by_page() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let batch = (0..5).map(|n| user(&format!("user-{n}"))).collect();
    client.batch_create_attendee().meeting_id(&id).set_attendees(Some(batch)).send().await.expect("five");
    let (mut seen, mut next) = (Vec::new(), None);
    loop {
        let page = client.list_attendees().meeting_id(&id).max_results(2).set_next_token(next).send().await;
        let page = page.expect("a page");
        assert!(page.attendees().len() <= 2);
        seen.extend(page.attendees().iter().filter_map(|one| one.external_user_id().map(ToOwned::to_owned)));
        next = page.next_token().map(ToOwned::to_owned);
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["user-0", "user-1", "user-2", "user-3", "user-4"]);
}

#[tokio::test]
async fn a_batch_beyond_the_limit_succeeds_in_part() {
    let fixture = Fixture::with(Options { attendees: 3, ..Options::default() }).await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let batch = (0..5).map(|n| user(&format!("user-{n}"))).collect();
    let answer = client.batch_create_attendee().meeting_id(&id).set_attendees(Some(batch)).send().await;
    let answer = answer.expect("in part");
    assert_eq!((answer.attendees().len(), answer.errors().len()), (3, 2));
    assert_eq!(answer.errors()[0].external_user_id(), Some("user-3"));
    let error =
        client.create_attendee().meeting_id(&id).external_user_id("user-9").send().await.expect_err("full");
    assert_eq!(code(&error), "LimitExceededException");
}

#[tokio::test]
async fn meetings_are_limited_and_ended_ones_make_room() {
    let fixture = Fixture::with(Options { active_meetings: 1, ..Options::default() }).await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let error = create(&client, "token-2").send().await.expect_err("one is all");
    assert_eq!(code(&error), "LimitExceededException");
    client.delete_meeting().meeting_id(&id).send().await.expect("it ends");
    meeting(&client, "token-2").await;
}

#[tokio::test]
async fn more_requests_than_the_burst_are_throttled() {
    let rate = Some(Rate { per_second: 0.0, burst: 2 });
    let fixture = Fixture::with(Options { rate, ..Options::default() }).await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    client.get_meeting().meeting_id(&id).send().await.expect("the second");
    let error = client.get_meeting().meeting_id(&id).send().await.expect_err("the third");
    assert_eq!(code(&error), "ThrottlingException");
    assert_eq!(error.raw_response().map(|response| response.status().as_u16()), Some(429));
    meeting(&fixture.chime_in("us-east-1"), "token-1").await;
}

#[tokio::test]
async fn capabilities_change_for_one_and_for_all_but_some() {
    let fixture = Fixture::start().await;
    let client = fixture.chime();
    let id = meeting(&client, "token-1").await;
    let provider = attendee(&client, &id, "provider-1").await;
    let patient = attendee(&client, &id, "patient-1").await;
    let all = |direction: MediaCapabilities| {
        let builder = AttendeeCapabilities::builder().audio(direction.clone()).video(direction.clone());
        builder.content(direction).build().expect("all three")
    };
    let video = async |who: &str| {
        let answer =
            client.get_attendee().meeting_id(&id).attendee_id(who).send().await.expect("it is there");
        answer
            .attendee()
            .and_then(|one| one.capabilities().map(|all| all.video().clone()))
            .expect("capabilities")
    };
    let excluded = AttendeeIdItem::builder().attendee_id(&provider).build().expect("an id");
    client
        .batch_update_attendee_capabilities_except()
        .meeting_id(&id)
        .excluded_attendee_ids(excluded)
        .capabilities(all(MediaCapabilities::Receive))
        .send()
        .await
        .expect("all but the provider");
    assert_eq!(video(&provider).await, MediaCapabilities::SendReceive);
    assert_eq!(video(&patient).await, MediaCapabilities::Receive);
    let update = client.update_attendee_capabilities().meeting_id(&id).attendee_id(&patient);
    update.capabilities(all(MediaCapabilities::None)).send().await.expect("the patient");
    assert_eq!(video(&patient).await, MediaCapabilities::None);
}
