//! A recording that is requested before everyone has consented: everyone is asked, and it begins by itself once.

use local_testing::{Caller, TestCloud, TestResult};
use serde_json::{Value, json};

use super::{Recorded, control, start};
use crate::outbox;
use crate::requests::consent;

async fn withdraw(by: &Caller) -> TestResult<String> {
    Ok(by.ask("DELETE", "/appointments/{a}/call/recordings", &Value::Null).await?.brief())
}

/// A call whose provider has consented and was refused a recording, because the patient has not decided.
async fn refused() -> TestResult<Recorded> {
    let call = Recorded::in_call().await?;
    assert_eq!(call.feature().await?["state"], "off");
    assert_eq!(consent(&call.scenario.provider, json!({ "recording": true })).await?.brief(), "200");
    let refused = call.start().await?;
    assert_eq!(refused.brief(), "409 CONSENT_REQUIRED");
    assert_eq!(refused.body["missing"], json!([call.scenario.patient.id]));
    Ok(call)
}

fn shown(recording: &Value) -> Value {
    json!([recording["state"], recording["reason"], recording["recordingId"]])
}

async fn recordings(call: &Recorded) -> TestResult<Vec<Value>> {
    let list = call.scenario.provider.ask("GET", "/appointments/{a}/recordings", &Value::Null).await?;
    Ok(list.body["recordings"].as_array().ok_or("no list")?.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_refused_start_everyone_is_asked_and_it_begins_by_itself() -> TestResult {
    let call = refused().await?;
    for person in [&call.scenario.provider, &call.scenario.patient] {
        let recording = &person.status().await?.body["recording"];
        assert_eq!((&recording["state"], &recording["recordingId"]), (&json!("requested"), &Value::Null));
    }
    assert_eq!(call.start().await?.brief(), "409 CONSENT_REQUIRED", "again");
    assert_eq!(consent(&call.scenario.patient, json!({ "recording": true })).await?.brief(), "200");
    // `Operation Pending` brings it to its function at once.
    call.pass(0).await?;
    call.pass(3).await?;
    assert_eq!(call.feature().await?["state"], "active");
    let all = recordings(&call).await?;
    assert_eq!((all.len(), &all[0]["automatic"]), (1, &json!(true)));
    let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    assert_eq!(events.matches("recording.requested").count(), 1, "{events}");
    let id = all[0]["recordingId"].as_str().ok_or("no id")?;
    assert_eq!(control(&call.scenario.provider, id, "stop").await?.brief(), "200");
    call.minute().await?;
    assert_eq!(call.feature().await?["state"], "off", "it is not requested any more");
    assert_eq!(recordings(&call).await?.len(), 1, "afterwards only by hand");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_withdrawn_begins_nothing() -> TestResult {
    let call = refused().await?;
    assert_eq!(withdraw(&call.scenario.patient).await?, "403 PROVIDER_ONLY");
    assert_eq!(withdraw(&call.scenario.stranger).await?, "403 NOT_A_MEMBER");
    for _ in 0..2 {
        assert_eq!(withdraw(&call.scenario.provider).await?, "200");
        assert_eq!(call.feature().await?["state"], "off");
    }
    assert_eq!(consent(&call.scenario.patient, json!({ "recording": true })).await?.brief(), "200");
    call.pass(3).await?;
    call.minute().await?;
    assert_eq!(recordings(&call).await?, Vec::<Value>::new());
    let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    assert_eq!(events.matches("recording.withdrawn").count(), 1, "{events}");
    // By hand it begins as ever.
    assert_eq!(call.start().await?.brief(), "201");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_started_to_be_recorded_may_be_withdrawn_too() -> TestResult {
    let cloud = super::with_events().await?;
    let scenario = cloud.scenario().await?;
    let wanted = json!({ "enableRecording": true });
    let started = scenario.provider.ask("POST", "/appointments/{a}/call", &wanted).await?;
    assert_eq!(started.body["recordingEnabled"], true);
    assert_eq!(withdraw(&scenario.provider).await?, "200");
    assert_eq!(scenario.patient.join().await?.body["recordingEnabled"], false, "nobody is asked");
    assert_eq!(scenario.patient.status().await?.body["recording"]["state"], "off");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_recording_a_refused_start_asks_and_the_next_one_begins_by_hand() -> TestResult {
    let call = Recorded::with_consent().await?;
    let id = call.capturing().await?;
    assert_eq!(consent(&call.scenario.patient, json!({ "recording": false })).await?.brief(), "200");
    call.minute().await?;
    assert_eq!(call.get(&id).await?["endReason"], "consent_revoked");
    assert_eq!(call.feature().await?["state"], "off");
    assert_eq!(call.start().await?.brief(), "409 CONSENT_REQUIRED");
    assert_eq!(call.feature().await?["state"], "requested");
    assert_eq!(consent(&call.scenario.patient, json!({ "recording": true })).await?.brief(), "200");
    call.pass(3).await?;
    call.minute().await?;
    assert_eq!(call.feature().await?["state"], "off", "nothing is missing, and nothing begins by itself");
    assert_eq!(recordings(&call).await?.len(), 1);
    assert_eq!(call.start().await?.brief(), "201");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_recorded_or_transcribed_says_why_and_asks_nobody() -> TestResult {
    let wanted = json!({ "enableRecording": true, "enableTranscription": true, "mediaRegion": null });
    let cloud = TestCloud::with_parameters(&[("Recording", "off"), ("Transcription", "off")]).await?;
    let scenario = cloud.scenario().await?;
    let unavailable = |reason: &str| json!(["unavailable", reason, null]);
    let before = scenario.patient.status().await?;
    assert_eq!(shown(&before.body["recording"]), unavailable("deployment"));
    assert_eq!(shown(&before.body["transcription"]), unavailable("deployment"));
    let started = scenario.provider.ask("POST", "/appointments/{a}/call", &wanted).await?;
    assert_eq!((started.brief().as_str(), &started.body["recordingEnabled"]), ("201", &json!(false)));
    assert_eq!(started.body["transcriptionEnabled"], json!(false));
    let during = scenario.patient.status().await?;
    assert_eq!(shown(&during.body["recording"]), unavailable("deployment"));
    assert_eq!(shown(&during.body["transcription"]), unavailable("deployment"));

    let cloud = TestCloud::with_parameters(&[("MediaRegions", "af-south-1")]).await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.patient.status().await?.body["recording"]["state"], "off");
    let elsewhere = json!({ "mediaRegion": "af-south-1" });
    let started = scenario.provider.ask("POST", "/appointments/{a}/call", &elsewhere).await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    let during = scenario.patient.status().await?;
    assert_eq!(shown(&during.body["recording"]), unavailable("media_region"));
    assert_eq!(shown(&during.body["transcription"]), unavailable("media_region"));
    assert_eq!(start(&scenario.patient).await?.brief(), "403 PROVIDER_ONLY");
    Ok(())
}
