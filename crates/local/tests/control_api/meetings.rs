//! Chime's meetings, and events in them.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, has_only, is_refused, list, ok_body};

/// A meeting ends after this time without a connected attendee.
const ALONE: u32 = 301;

async fn meeting(cloud: &TestCloud) -> TestResult<Value> {
    let meetings = get(cloud, "chime/meetings").await?;
    has_only(&meetings, &["meetings"]);
    Ok(list(&meetings["meetings"]).first().ok_or("a meeting")?.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_are_listed_with_their_attendees() -> TestResult {
    let cloud = TestCloud::new().await?;
    assert_eq!(get(&cloud, "chime/meetings").await?, json!({"meetings": []}));
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;

    let one = meeting(&cloud).await?;
    let names =
        ["meetingId", "externalMeetingId", "live", "createdAt", "endedAt", "attendees", "transcription"];
    has_only(&one, &names);
    assert_eq!((&one["live"], &one["endedAt"]), (&json!(true), &Value::Null));
    assert_eq!(one["meetingId"], started.body["meetingId"]);
    assert_eq!(one["externalMeetingId"], started.body["meeting"]["ExternalMeetingId"]);
    assert!(one["createdAt"].is_string(), "{one}");
    let attendees = json!([{
        "attendeeId": started.body["attendeeToken"],
        "externalUserId": scenario.provider.id,
        "capabilities": {"Audio": "SendReceive", "Video": "SendReceive", "Content": "SendReceive"},
    }]);
    assert_eq!(one["attendees"], attendees);

    scenario.provider.end().await?;
    let ended = meeting(&cloud).await?;
    has_only(&ended, &names);
    assert_eq!(ended["live"], false);
    assert!(ended["endedAt"].is_string(), "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_changes_who_is_present_and_is_put_on_the_bus() -> TestResult {
    let cloud = TestCloud::new().await?;
    let started = cloud.scenario().await?.provider.start().await?;
    let events = format!("chime/meetings/{}/events", started.text("meetingId"));
    let attendee = started.text("attendeeToken");
    let advance = |seconds: u32| ok_body(&cloud, "POST", "clock", json!({"advanceSeconds": seconds}));

    let joined = json!({"eventType": "chime:AttendeeJoined", "attendeeId": attendee, "timestamp": 1_700_000_000_123_i64, "id": "event-1"});
    let answered = ok_body(&cloud, "POST", &events, joined).await?;
    advance(ALONE).await?;
    assert_eq!(meeting(&cloud).await?["live"], true, "someone is connected");

    ok_body(&cloud, "POST", &events, json!({"eventType": "chime:AttendeeLeft", "attendeeId": attendee}))
        .await?;
    advance(ALONE).await?;
    assert_eq!(meeting(&cloud).await?["live"], false, "nobody is connected");

    let bus = get(&cloud, "bus").await?;
    has_only(&bus, &["events"]);
    let [first, second] = list(&bus["events"]) else { unreachable!("two events, not {bus}") };
    assert_eq!(*first, answered);
    assert_eq!((&first["id"], &first["source"]), (&json!("event-1"), &json!("aws.chime")));
    assert_eq!(first["detail-type"], "Chime Meeting State Change");
    let detail = &first["detail"];
    assert_eq!(detail["eventType"], "chime:AttendeeJoined");
    assert_eq!(detail["timestamp"], 1_700_000_000_123_i64);
    assert_eq!((&detail["attendeeId"], &detail["meetingId"]), (&json!(attendee), &started.body["meetingId"]));
    assert_eq!(second["detail"]["eventType"], "chime:AttendeeLeft");
    assert!(second["detail"]["timestamp"].is_i64() && second["id"].is_string(), "both are made: {second}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_chime_does_not_have_is_refused() -> TestResult {
    let cloud = TestCloud::new().await?;
    let started = cloud.scenario().await?.provider.start().await?;
    let events = format!("chime/meetings/{}/events", started.text("meetingId"));
    let cases = [
        (events.as_str(), json!({"eventType": "chime:AttendeeSneezed"})),
        (&events, json!({"eventType": "chime:AttendeeJoined"})),
        (&events, json!({"eventType": "chime:AttendeeJoined", "attendeeId": "nobody"})),
        (&events, json!({"eventType": "chime:MeetingStarted", "surprise": 1})),
        (&events, json!({})),
        ("chime/meetings/none/events", json!({"eventType": "chime:MeetingStarted"})),
    ];
    for (route, body) in cases {
        is_refused(&cloud.control_api("POST", route, &body).await?);
    }
    assert_eq!(get(&cloud, "bus").await?, json!({"events": []}));
    Ok(())
}
