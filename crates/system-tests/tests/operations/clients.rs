//! The guide for existing clients: what it maps is in the API's answers, and it maps all that the SDKs take.

use local_testing::{TestCloud, TestResult, workspace};
use serde_json::Value;

/// The parameters of the public constructors, in the guide's order. Of Android, from
/// <https://github.com/aws/amazon-chime-sdk-android>, and of iOS, from <https://github.com/aws/amazon-chime-sdk-ios>, as of
/// January 2026. `MeetingFeatures` are made of two texts.
const ANDROID: [&str; 13] = [
    "Meeting.ExternalMeetingId",
    "Meeting.MediaRegion",
    "Meeting.MeetingId",
    "MediaPlacement.AudioFallbackUrl",
    "MediaPlacement.AudioHostUrl",
    "MediaPlacement.SignalingUrl",
    "MediaPlacement.TurnControlUrl",
    "MediaPlacement.EventIngestionUrl",
    "MeetingFeatures.video",
    "MeetingFeatures.content",
    "Attendee.AttendeeId",
    "Attendee.ExternalUserId",
    "Attendee.JoinToken",
];
const IOS: [&str; 14] = [
    "Meeting.externalMeetingId",
    "Meeting.mediaRegion",
    "Meeting.meetingId",
    "Meeting.primaryMeetingId",
    "MediaPlacement.audioFallbackUrl",
    "MediaPlacement.audioHostUrl",
    "MediaPlacement.signalingUrl",
    "MediaPlacement.turnControlUrl",
    "MediaPlacement.eventIngestionUrl",
    "MeetingFeatures.video",
    "MeetingFeatures.content",
    "Attendee.attendeeId",
    "Attendee.externalUserId",
    "Attendee.joinToken",
];

fn guide() -> TestResult<String> {
    Ok(std::fs::read_to_string(workspace().join("infra/CLIENTS.md"))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_native_clients_need_is_in_the_answers_of_start_and_join() -> TestResult {
    let guide = guide()?;
    let (_, table) =
        guide.split_once("| Android | iOS | in the answer |\n|---|---|---|\n").ok_or("a table")?;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let column = |index: usize| -> Vec<&str> {
        rows.iter().map(|row| row[index].trim_matches('`')).filter(|name| !name.is_empty()).collect()
    };
    assert_eq!(column(0), ANDROID);
    assert_eq!(column(1), IOS);

    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    for answer in [scenario.provider.start().await?, scenario.patient.join().await?] {
        for row in &rows {
            let path = row[2].trim_matches(['(', ')', '`']);
            let value = path.split('.').fold(&answer.body, |value, name| &value[name]);
            let may_be_missing = row[2].starts_with('(') && value.is_null();
            assert!(may_be_missing || value.as_str().is_some_and(|it| !it.is_empty()), "{path}: {value}");
        }
    }
    Ok(())
}

/// The function is tested in Deno (`make test-supabase`) against an API that repeats; here the API is the real one.
#[tokio::test(flavor = "multi_thread")]
async fn the_earlier_apps_bodies_are_answered_with_meeting_and_attendee() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("TokenHeader", "X-Firebase-Token")]).await?;
    let scenario = cloud.scenario().await?;
    let create = serde_json::json!({
        "action": "create", "appointmentId": scenario.appointment, "userId": "anybody",
        "enableRecording": false, "enableTranscription": false,
    });
    let join = serde_json::json!({"action": "join", "appointmentId": scenario.appointment});
    for (caller, body, status) in [(&scenario.provider, create, 201), (&scenario.patient, join, 200)] {
        let headers = [("x-firebase-token", caller.token.as_str())];
        let answer = cloud.send_with("POST", "/meetings", &headers, body.to_string()).await?;
        assert_eq!(answer.status, status, "{:?}", answer.body);
        for (part, name) in
            [("meeting", "MeetingId"), ("meeting", "MediaPlacement"), ("attendee", "JoinToken")]
        {
            assert_ne!(answer.body[part][name], Value::Null, "{part}.{name}");
        }
    }
    Ok(())
}

/// With `RequireEdge` the API's own domain answers 403 to every app behind the function.
#[test]
fn the_functions_endpoint_is_the_pages_address_where_that_is_required() -> TestResult {
    let guide = guide()?;
    let row = guide.lines().find(|line| line.starts_with("| `CHIME_API_ENDPOINT` |")).ok_or("no row")?;
    assert!(row.contains("the page's address") && row.contains("`RequireEdge`"), "{row}");
    Ok(())
}
