//! Requests about participants, besides join and leave.

use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

/// A cloud with the waiting room on.
pub(crate) async fn with_waiting_room() -> TestResult<TestCloud> {
    TestCloud::with_parameters(&[("WaitingRoom", "on")]).await
}

/// Changes a participant.
pub(crate) async fn change(by: &Caller, of: &Caller, change: Value) -> TestResult<Answer> {
    by.ask("PATCH", &format!("/appointments/{{a}}/call/attendees/{}", of.id), &change).await
}

/// Admits a waiting user.
pub(crate) async fn admit(by: &Caller, of: &Caller) -> TestResult<Answer> {
    change(by, of, json!({ "admitted": true })).await
}

/// Turns a waiting user away.
pub(crate) async fn turn_away(by: &Caller, of: &Caller) -> TestResult<Answer> {
    change(by, of, json!({ "admitted": false })).await
}

/// Removes a participant.
pub(crate) async fn remove(by: &Caller, of: &Caller) -> TestResult<Answer> {
    by.ask("DELETE", &format!("/appointments/{{a}}/call/attendees/{}", of.id), &Value::Null).await
}

/// Stores the caller's consent decision.
pub(crate) async fn consent(caller: &Caller, words: Value) -> TestResult<Answer> {
    caller.ask("PUT", "/appointments/{a}/call/consent", &words).await
}

/// Starts a call of two who consent to its recording.
pub(crate) async fn start_with_consent(scenario: &Scenario) -> TestResult {
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    for caller in [&scenario.provider, &scenario.patient] {
        assert_eq!(consent(caller, json!({ "recording": true })).await?.brief(), "200");
    }
    Ok(())
}

/// Starts a call of two who consent, and its recording. Returns the recording's id.
pub(crate) async fn record(scenario: &Scenario) -> TestResult<String> {
    start_with_consent(scenario).await?;
    let started = scenario.provider.ask("POST", "/appointments/{a}/call/recordings", &json!({})).await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    Ok(started.text("recordingId"))
}

/// Starts a call of two who consent to its transcription, and that. Returns the meeting.
pub(crate) async fn start_transcription(scenario: &Scenario) -> TestResult<String> {
    let started = scenario.provider.start().await?;
    assert_eq!((started.brief().as_str(), scenario.patient.join().await?.brief().as_str()), ("201", "200"));
    for caller in [&scenario.provider, &scenario.patient] {
        assert_eq!(consent(caller, json!({ "transcription": true })).await?.brief(), "200");
    }
    let begun = scenario.provider.ask("POST", "/appointments/{a}/call/transcription", &json!({})).await?;
    assert_eq!(begun.brief(), "201", "{:?}", begun.body);
    Ok(started.text("meetingId"))
}

/// Moves the clock by `seconds`, delivers what Chime reports and runs recording's schedule, `times` in a row.
pub(crate) async fn run_recording(cloud: &TestCloud, times: usize, seconds: u32) -> TestResult {
    for _ in 0..times {
        cloud.parts().clock.advance(seconds);
        assert_eq!(cloud.drain_queues().await?, 0);
        cloud.run_schedule("recording").await?;
    }
    Ok(())
}

/// Sends quality samples of the caller's connection.
pub(crate) async fn report_quality(caller: &Caller, samples: Value) -> TestResult<Answer> {
    caller.ask("POST", "/appointments/{a}/call/quality", &json!({ "samples": samples })).await
}

/// Invites users, on terms.
pub(crate) async fn invite(by: &Caller, users: &[&Caller], terms: Value) -> TestResult<Answer> {
    let ids: Vec<_> = users.iter().map(|user| user.id.as_str()).collect();
    let mut body = json!({ "action": "batch-join", "appointmentId": by.appointment, "userIds": ids });
    if let (Some(body), Value::Object(terms)) = (body.as_object_mut(), terms) {
        body.extend(terms);
    }
    by.ask("POST", "/meetings", &body).await
}

/// The capabilities at Chime of each attendee of a user that is not deleted.
pub(crate) fn at_chime(cloud: &TestCloud, user: &Caller) -> Vec<Value> {
    let meetings = cloud.live_meetings();
    let attendees =
        meetings.iter().flat_map(|meeting| meeting["attendees"].as_array().cloned().unwrap_or_default());
    attendees
        .filter(|it| it["externalUserId"] == user.id.as_str())
        .map(|it| it["capabilities"].clone())
        .collect()
}

/// Chime's values for audio, video and content.
pub(crate) fn capabilities([audio, video, content]: [&str; 3]) -> Value {
    json!({ "Audio": audio, "Video": video, "Content": content })
}

/// The numbers of pending operations and of stored join tokens of a user.
pub(crate) async fn operations_and_tokens(cloud: &TestCloud, user: &Caller) -> TestResult<String> {
    let id = &user.id;
    cloud
        .sql(&format!(
            "SELECT (SELECT count(*) FROM medzen.pending_operations
                WHERE payload ->> 'userId' = '{id}' AND completed_at IS NULL) || ' '
               || (SELECT count(*) FROM medzen.video_call_attendee_tokens WHERE user_id = '{id}')"
        ))
        .await
}
