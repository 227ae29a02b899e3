//! Invalid input is rejected by field and changes nothing.

use local_testing::{Scenario, TestCloud, TestResult, refusals};
use serde_json::{Value, json};

/// The function's routes, and whether each reads a body.
const ROUTES: [refusals::Route; 9] = [
    ("POST /appointments/{appointmentId}/call/recordings", false),
    ("DELETE /appointments/{appointmentId}/call/recordings", false),
    ("GET /appointments/{appointmentId}/recordings", false),
    ("GET /recordings/{recordingId}", false),
    ("POST /recordings/{recordingId}/stop", false),
    ("POST /recordings/{recordingId}/pause", false),
    ("POST /recordings/{recordingId}/resume", false),
    ("GET /recordings/{recordingId}/playback", false),
    ("DELETE /recordings/{recordingId}", false),
];

const CONSENT: &str = "/appointments/{a}/call/consent";

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_and_bodies_are_rejected_on_every_route() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::routes_refuse(&cloud, "recording", &ROUTES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_change_no_answer() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::odd_headers_change_nothing(&cloud, "recording").await
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_other_appointments_give_no_access() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (mine, theirs) = (cloud.scenario().await?, cloud.scenario().await?);
    let own = record(&mine).await?;
    let other = record(&theirs).await?;
    assert_ne!(own, other);
    // Chime's recorders have joined by then.
    cloud.parts().clock.advance(10);
    let before = cloud.census().await?.without_audit();
    let their_call = format!("/appointments/{}", theirs.appointment);
    let body = json!({ "appointmentId": mine.appointment, "recordingId": own, "userId": theirs.provider.id });
    for (method, path) in [
        ("POST", format!("{their_call}/call/recordings")),
        ("DELETE", format!("{their_call}/call/recordings")),
        ("GET", format!("{their_call}/recordings")),
        ("GET", format!("/recordings/{other}")),
        ("POST", format!("/recordings/{other}/stop")),
        ("POST", format!("/recordings/{other}/pause")),
        ("POST", format!("/recordings/{other}/resume")),
        ("GET", format!("/recordings/{other}/playback")),
        ("DELETE", format!("/recordings/{other}")),
    ] {
        let answer = mine.provider.ask(method, &path, &body).await?;
        assert_eq!(answer.brief(), "403 NOT_A_MEMBER", "{method} {path}");
    }
    assert_eq!(cloud.census().await?.without_audit(), before, "nothing was done");

    // The body's ids are ignored: the token names the user and the path names the recording.
    let others = json!({ "recordingId": other, "appointmentId": theirs.appointment });
    let paused = mine.provider.ask("POST", &format!("/recordings/{own}/pause"), &others).await?;
    assert_eq!(paused.brief(), "200", "{:?}", paused.body);
    assert_eq!((paused.text("recordingId"), paused.text("state")), (own, "paused".to_owned()));
    let still = theirs.provider.ask("GET", &format!("/recordings/{other}"), &Value::Null).await?;
    assert_eq!(still.text("state"), "recording");
    Ok(())
}

/// A call of two who consented and are recorded. Returns the recording's id.
async fn record(scenario: &Scenario) -> TestResult<String> {
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    for caller in [&scenario.provider, &scenario.patient] {
        assert_eq!(caller.ask("PUT", CONSENT, &json!({ "recording": true })).await?.brief(), "200");
    }
    let started = scenario.provider.ask("POST", "/appointments/{a}/call/recordings", &json!({})).await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    Ok(started.text("recordingId"))
}
