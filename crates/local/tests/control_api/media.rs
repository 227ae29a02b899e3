//! Routes of the media plane: a mistake is answered, and not passed over.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, ok_body};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Each row is refused with this status, and its message contains the text.
async fn are_refused(cloud: &TestCloud, rows: &[(&str, &str, Value, u16, &str)]) -> TestResult {
    for (method, route, body, status, text) in rows {
        let answer = cloud.control_api(method, route, body).await?;
        assert_eq!(answer.status, *status, "{method} {route}: {}", answer.body);
        assert!(answer.body.to_string().contains(text), "{method} {route}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_live_meeting_or_attendee_has_is_refused() -> TestResult {
    let cloud = TestCloud::with_media().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let (meeting, attendee) = (started.text("meetingId"), started.text("attendeeToken"));
    let of = |meeting: &str, what: &str| format!("chime/meetings/{meeting}/{what}");
    let words = json!([{ "attendeeId": attendee, "text": "Good morning.", "resultId": "1" }]);
    are_refused(
        &cloud,
        &[
            ("POST", "media/cut", json!({ "attendeeId": attendee }), 404, "not connected"),
            (
                "POST",
                "media/link",
                json!({ "attendeeId": UNKNOWN, "delayMs": 10 }),
                404,
                "no live meeting has",
            ),
            ("POST", &of(UNKNOWN, "captions"), words.clone(), 404, "no live meeting"),
            ("POST", &of(UNKNOWN, "tap"), Value::Null, 404, "no live meeting"),
            ("GET", &of(&meeting, "tap"), Value::Null, 404, "not open"),
            ("DELETE", &of(&meeting, "tap"), Value::Null, 404, "not open"),
            ("POST", "media/refusal", json!({ "reason": "tired" }), 422, "tired"),
        ],
    )
    .await?;
    ok_body(&cloud, "POST", "media/link", json!({ "attendeeId": attendee, "delayMs": 10 })).await?;
    ok_body(&cloud, "POST", &of(&meeting, "captions"), words).await?;
    ok_body(&cloud, "POST", &of(&meeting, "tap"), Value::Null).await?;
    ok_body(&cloud, "GET", &of(&meeting, "tap"), Value::Null).await?;
    ok_body(&cloud, "DELETE", &of(&meeting, "tap"), Value::Null).await?;
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    are_refused(&cloud, &[("POST", &of(&meeting, "tap"), Value::Null, 404, "no live meeting")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_media_server_says_so_until_it_is_started() -> TestResult {
    let cloud = TestCloud::with_media().await?;
    let started = cloud.scenario().await?.provider.start().await?;
    let tap = format!("chime/meetings/{}/tap", started.text("meetingId"));
    ok_body(&cloud, "POST", "media/stop", Value::Null).await?;
    assert_eq!(get(&cloud, "media").await?["state"], "stopped");
    are_refused(
        &cloud,
        &[
            ("POST", "media/link", json!({ "delayMs": 10 }), 409, "stopped"),
            ("DELETE", "media/link", Value::Null, 409, "stopped"),
            ("POST", "media/cut", json!({ "attendeeId": UNKNOWN }), 409, "stopped"),
            ("POST", "media/refusal", json!({ "reason": "full" }), 409, "stopped"),
            ("POST", &tap, Value::Null, 409, "stopped"),
        ],
    )
    .await?;
    let restarted = ok_body(&cloud, "POST", "media/start", Value::Null).await?;
    assert_eq!(restarted["before"], "stopped");
    ok_body(&cloud, "POST", &tap, Value::Null).await?;
    assert_eq!(get(&cloud, "media").await?["state"], "running");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_without_media_says_so() -> TestResult {
    let cloud = TestCloud::new().await?;
    are_refused(&cloud, &[("GET", "media", Value::Null, 409, "no media plane")]).await
}
