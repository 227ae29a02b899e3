//! Routes of transcription: scripts, faults, and jobs.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, ok_body};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_needs_no_media_plane_and_mistakes_are_answered() -> TestResult {
    let cloud = TestCloud::new().await?;
    let started = cloud.scenario().await?.provider.start().await?;
    let (meeting, attendee) = (started.text("meetingId"), started.text("attendeeToken"));
    let captions = format!("chime/meetings/{meeting}/captions");
    let words =
        |attendee: &str| json!([{ "attendeeId": attendee, "text": "Good morning.", "resultId": "1" }]);
    ok_body(&cloud, "POST", &captions, words(&attendee)).await?;
    for (body, status, text) in [
        (words("nobody"), 404, "never had an attendee"),
        (json!([{ "attendeeId": attendee, "txt": "Good morning." }]), 422, ""),
        (json!([{ "state": "tired" }]), 422, ""),
    ] {
        let answer = cloud.control_api("POST", &captions, &body).await?;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.body.to_string().contains(text), "{body}: {}", answer.body);
    }
    let event = json!({ "eventType": "TranscriptionStarted" });
    let answer = cloud.control_api("POST", &format!("chime/meetings/{meeting}/events"), &event).await?;
    assert_eq!(answer.status, 422, "nobody started it: {}", answer.body);
    assert!(get(&cloud, "chime/meetings").await?["meetings"][0]["transcription"].is_null());
    ok_body(&cloud, "POST", "chime/transcriptions/faults", json!({ "kind": "neverStarts" })).await?;
    ok_body(&cloud, "DELETE", "chime/transcriptions/faults", Value::Null).await?;
    let unknown =
        cloud.control_api("POST", "chime/transcriptions/faults", &json!({ "kind": "tired" })).await?;
    assert_eq!(unknown.status, 422, "{}", unknown.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_and_their_faults_quota_and_texts_are_set() -> TestResult {
    let cloud = TestCloud::new().await?;
    assert_eq!(
        get(&cloud, "transcribe/jobs").await?,
        json!({ "jobs": [], "quota": null, "sendsEvents": false })
    );
    ok_body(&cloud, "POST", "transcribe/quota", json!({ "active": 1 })).await?;
    ok_body(&cloud, "POST", "transcribe/faults", json!({ "kind": "neverEnds", "times": 2 })).await?;
    ok_body(&cloud, "DELETE", "transcribe/faults", Value::Null).await?;
    let words = json!([{ "speaker": "a", "text": "Yes.", "startMs": 0, "endMs": 500 }]);
    let speech = json!({ "bucket": "b", "key": "k", "words": words });
    ok_body(&cloud, "POST", "transcribe/speech", speech).await?;
    assert_eq!(get(&cloud, "transcribe/jobs").await?["quota"], 1);
    let unknown = cloud.control_api("POST", "transcribe/jobs/one/events", &json!({})).await?;
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    Ok(())
}
