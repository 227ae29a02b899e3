//! What people ask of others' places and of their own, beyond coming and going.

use local_testing::{Answer, Caller, TestCloud, TestResult};
use serde_json::{Value, json};

/// A cloud in which those who come wait.
pub(crate) async fn with_waiting_room() -> TestResult<TestCloud> {
    TestCloud::with_parameters(&[("WaitingRoom", "on")]).await
}

/// Changes someone's place.
pub(crate) async fn change(by: &Caller, of: &Caller, change: Value) -> TestResult<Answer> {
    by.ask("PATCH", &format!("/appointments/{{a}}/call/attendees/{}", of.id), &change).await
}

/// Lets someone in.
pub(crate) async fn admit(by: &Caller, of: &Caller) -> TestResult<Answer> {
    change(by, of, json!({ "admitted": true })).await
}

/// Turns someone away.
pub(crate) async fn turn_away(by: &Caller, of: &Caller) -> TestResult<Answer> {
    change(by, of, json!({ "admitted": false })).await
}

/// Removes someone.
pub(crate) async fn remove(by: &Caller, of: &Caller) -> TestResult<Answer> {
    by.ask("DELETE", &format!("/appointments/{{a}}/call/attendees/{}", of.id), &Value::Null).await
}

/// Says whether one consents.
pub(crate) async fn consent(caller: &Caller, words: Value) -> TestResult<Answer> {
    caller.ask("PUT", "/appointments/{a}/call/consent", &words).await
}

/// Sends samples of one's connection.
pub(crate) async fn tell_quality(caller: &Caller, samples: Value) -> TestResult<Answer> {
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

/// What Chime lets someone send and receive: of each of their attendees that is not deleted.
pub(crate) fn at_chime(cloud: &TestCloud, user: &Caller) -> Vec<Value> {
    let meetings = cloud.live_meetings();
    let attendees =
        meetings.iter().flat_map(|meeting| meeting["attendees"].as_array().cloned().unwrap_or_default());
    attendees
        .filter(|it| it["externalUserId"] == user.id.as_str())
        .map(|it| it["capabilities"].clone())
        .collect()
}

/// Chime's words for audio, video and content.
pub(crate) fn capabilities([audio, video, content]: [&str; 3]) -> Value {
    json!({ "Audio": audio, "Video": video, "Content": content })
}

/// How many debts and tokens there are of someone.
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
