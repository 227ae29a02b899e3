//! Invalid requests that the SDK cannot send.

mod event_delivery;
mod media;

use super::error::Refusal;
use super::*;

fn engine() -> Chime {
    let options = Options { rate: None, ..Options::default() };
    Chime::new("111122223333", Clock::default(), options, Arc::new(|_| {}))
}

fn good_meeting() -> Value {
    json!({ "ClientRequestToken": "token-1", "MediaRegion": "eu-central-1", "ExternalMeetingId": "medzen-1" })
}

/// A good request with one member changed; `Value::Null` takes it away.
fn changed(mut body: Value, member: &str, value: Value) -> Value {
    if value.is_null() {
        body.as_object_mut().expect("an object").remove(member);
    } else {
        body[member] = value;
    }
    body
}

fn send(chime: &Chime, call: &Call, body: &Value) -> Result<Value, Refusal> {
    chime.perform("eu-central-1", call, body.to_string().as_bytes())
}

fn made(chime: &Chime, body: &Value) -> String {
    let answer = send(chime, &Call::CreateMeeting, body).expect("a good meeting is made");
    answer["Meeting"]["MeetingId"].as_str().expect("it has an id").to_owned()
}

#[track_caller]
fn refused(chime: &Chime, call: &Call, body: &Value, because: &str) {
    let answer = send(chime, call, body);
    let message = match &answer {
        Err(Refusal::BadRequest(message)) => message.as_str(),
        _ => "",
    };
    assert!(
        message.contains(because),
        "{body} gets {answer:?}, which is no bad request that says {because:?}"
    );
}

#[test]
fn each_bad_member_of_create_meeting_is_refused_by_name() {
    let long = "x".repeat(65);
    let tags =
        |count: usize| (0..count).map(|n| json!({ "Key": format!("k{n}"), "Value": "v" })).collect::<Value>();
    let table = [
        ("ClientRequestToken", json!(null), "ClientRequestToken"),
        ("ClientRequestToken", json!("x"), "ClientRequestToken must have length"),
        ("ClientRequestToken", json!(long), "ClientRequestToken must have length"),
        ("ClientRequestToken", json!("a b"), "ClientRequestToken must satisfy"),
        ("ClientRequestToken", json!(7), "ClientRequestToken"),
        ("MediaRegion", json!(null), "MediaRegion"),
        ("MediaRegion", json!("mars-north-1"), "MediaRegion"),
        ("ExternalMeetingId", json!(null), "ExternalMeetingId"),
        ("ExternalMeetingId", json!("x"), "ExternalMeetingId must have length"),
        ("ExternalMeetingId", json!(long), "ExternalMeetingId must have length"),
        ("ExternalMeetingId", json!("a;b"), "ExternalMeetingId must satisfy"),
        ("ExternalMeetingId", json!("AWS:mine"), "aws:"),
        ("MeetingHostId", json!("host"), "MeetingHostId"),
        ("PrimaryMeetingId", json!("x"), "PrimaryMeetingId"),
        ("PrimaryMeetingId", json!("no-such-meeting"), "PrimaryMeetingId"),
        ("NotificationsConfiguration", json!({ "SnsTopicArn": "topic" }), "NotificationsConfiguration"),
        ("MediaPlacementNetworkType", json!("Ipv6Only"), "MediaPlacementNetworkType"),
        (
            "MeetingFeatures",
            json!({ "Audio": { "EchoReduction": "ON" } }),
            "MeetingFeatures.Audio.EchoReduction",
        ),
        (
            "MeetingFeatures",
            json!({ "Video": { "MaxResolution": "UHD" } }),
            "MeetingFeatures.Video.MaxResolution",
        ),
        (
            "MeetingFeatures",
            json!({ "Content": { "MaxResolution": "HD" } }),
            "MeetingFeatures.Content.MaxResolution",
        ),
        ("MeetingFeatures", json!({ "Video": { "MaxResolution": "FHD" } }), "MaxCount"),
        ("MeetingFeatures", json!({ "Content": { "MaxResolution": "UHD" } }), "MaxCount"),
        ("MeetingFeatures", json!({ "Attendee": { "MaxCount": 0 } }), "MaxCount"),
        ("MeetingFeatures", json!({ "Attendee": { "MaxCount": 251 } }), "MaxCount"),
        ("TranscriptionConfiguration", json!({}), "TranscriptionConfiguration"),
        ("Attendees", json!([{ "ExternalUserId": "u1" }]), "Attendees"),
        ("TenantIds", json!(["t1", "t2", "t3", "t4", "t5", "t6"]), "TenantIds"),
        ("TenantIds", json!(["aaaa"]), "TenantIds"),
        ("Tags", tags(51), "Tags"),
        ("Tags", json!([{ "Key": "aws:x", "Value": "v" }]), "Tags.Key"),
        ("Tags", json!([{ "Key": "k!", "Value": "v" }]), "Tags.Key"),
        ("Tags", json!([{ "Key": "k", "Value": "v!" }]), "Tags.Value"),
        ("Tags", json!([{ "Key": "k", "Value": "v" }, { "Key": "k", "Value": "w" }]), "only once"),
    ];
    let chime = engine();
    for (member, value, because) in table {
        refused(&chime, &Call::CreateMeeting, &changed(good_meeting(), member, value), because);
    }
    assert_eq!(chime.meetings()["meetings"], json!([]), "a refused request makes nothing");
}

#[test]
fn documented_values_are_accepted() {
    let table = [
        ("ExternalMeetingId", json!("Zoë's call «1» [a/b] {c}|#, \"x\"")),
        ("MediaPlacementNetworkType", json!("DualStack")),
        ("MeetingFeatures", json!({ "Video": { "MaxResolution": "FHD" }, "Attendee": { "MaxCount": 25 } })),
        ("Tags", json!([{ "Key": "team", "Value": "tele-health 1" }])),
        ("TenantIds", json!(["tenant-1"])),
    ];
    for (member, value) in table {
        made(&engine(), &changed(good_meeting(), member, value));
    }
}

#[test]
fn each_bad_member_of_create_meeting_with_attendees_is_refused_by_name() {
    let eleven: Value = (0..11).map(|n| json!({ "ExternalUserId": format!("user-{n}") })).collect();
    let table = [
        (json!(null), "Attendees"),
        (json!([]), "Attendees must have between 1 and 10"),
        (eleven, "Attendees must have between 1 and 10"),
        (json!([{ "ExternalUserId": "x" }]), "ExternalUserId must have length"),
        (json!([{ "ExternalUserId": "aws:MediaPipeline" }]), "aws:"),
        (json!([{ "ExternalUserId": "u1", "Role": "host" }]), "Role"),
    ];
    let chime = engine();
    for (attendees, because) in table {
        let body = changed(good_meeting(), "Attendees", attendees);
        refused(&chime, &Call::CreateMeetingWithAttendees, &body, because);
    }
    assert_eq!(chime.meetings()["meetings"], json!([]), "a refused request makes nothing");
}

#[test]
fn capabilities_must_fit_each_other_and_the_meeting() {
    let chime = engine();
    let plain = made(&chime, &good_meeting());
    let features = json!({ "Video": { "MaxResolution": "None" }, "Content": { "MaxResolution": "None" } });
    let silent = changed(good_meeting(), "ClientRequestToken", json!("token-2"));
    let silent = made(&chime, &changed(silent, "MeetingFeatures", features));
    let table = [
        (&plain, json!({ "Audio": "Send", "Video": "Send" }), "Content"),
        (&plain, json!({ "Audio": "Sing", "Video": "Send", "Content": "Send" }), "Audio"),
        (&plain, json!({ "Audio": "Send", "Video": "Send", "Content": "Receive" }), "Video must be received"),
        (&silent, json!({ "Audio": "Send", "Video": "Receive", "Content": "None" }), "Video must be None"),
        (&silent, json!({ "Audio": "Send", "Video": "None", "Content": "Send" }), "Content must be None"),
    ];
    for (meeting, capabilities, because) in table {
        let body = json!({ "ExternalUserId": "user-1", "Capabilities": capabilities });
        refused(&chime, &Call::CreateAttendee { meeting: meeting.clone() }, &body, because);
    }
}

#[test]
fn ids_and_pages_are_checked() {
    let chime = engine();
    let meeting = made(&chime, &good_meeting());
    let nothing = json!({});
    refused(&chime, &Call::GetMeeting { meeting: "x".to_owned() }, &nothing, "MeetingId");
    let attendee = "no-guid".to_owned();
    refused(&chime, &Call::GetAttendee { meeting: meeting.clone(), attendee }, &nothing, "AttendeeId");
    for (size, token) in [("0", None), ("101", None), ("many", None), ("5", Some("unknown"))] {
        let (max_results, next_token) = (Some(size.to_owned()), token.map(ToOwned::to_owned));
        let call = Call::ListAttendees { meeting: meeting.clone(), max_results, next_token };
        refused(&chime, &call, &nothing, if token.is_some() { "NextToken" } else { "MaxResults" });
    }
    let many: Value = (0..101).map(|n| json!({ "ExternalUserId": format!("user-{n}") })).collect();
    let batch = Call::BatchCreateAttendee { meeting: meeting.clone() };
    refused(&chime, &batch, &json!({ "Attendees": many }), "Attendees must have between 1 and 100");
    let except = Call::BatchUpdateAttendeeCapabilitiesExcept { meeting };
    let capabilities = json!({ "Audio": "None", "Video": "None", "Content": "None" });
    let body = json!({ "ExcludedAttendeeIds": [], "Capabilities": capabilities });
    refused(&chime, &except, &body, "ExcludedAttendeeIds must have between 1 and 250");
}

#[test]
fn a_region_without_the_service_is_refused() {
    let answer = engine().perform("eu-north-1", &Call::CreateMeeting, good_meeting().to_string().as_bytes());
    assert!(
        matches!(answer, Err(Refusal::BadRequest(_))),
        "eu-north-1 has media, but no endpoint: {answer:?}"
    );
}
