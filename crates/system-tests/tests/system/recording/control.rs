//! The provider's requests, consent, and the end of a call.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use super::{Recorded, control};
use crate::outbox;
use crate::requests::consent;

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_everybody_s_consent_is_refused_and_names_who_is_missing() -> TestResult {
    let call = Recorded::in_call().await?;
    let (provider, patient) = (&call.scenario.provider, &call.scenario.patient);
    assert_eq!(consent(provider, json!({ "recording": true })).await?.brief(), "200");
    let watch = call.cloud.watch();
    let refused = call.start().await?;
    assert_eq!(refused.brief(), "409 CONSENT_REQUIRED");
    assert_eq!(refused.body["missing"], json!([patient.id]));
    assert_eq!(watch.count("CreateMediaCapturePipeline"), 0);
    assert_eq!(super::start(patient).await?.brief(), "403 PROVIDER_ONLY");
    assert_eq!(super::start(&call.scenario.stranger).await?.brief(), "403 NOT_A_MEMBER");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_started_paused_resumed_and_stopped() -> TestResult {
    let call = Recorded::with_consent().await?;
    let provider = &call.scenario.provider;
    assert_eq!(call.feature().await?["recorder"], false);
    let id = call.capturing().await?;
    assert_eq!(call.captures().await?, "running none");
    assert_eq!(call.feature().await?["recorder"], true);
    let again = call.start().await?;
    assert_eq!((again.brief().as_str(), again.text("recordingId")), ("200", id.clone()));

    call.pass(20).await?;
    let paused = control(provider, &id, "pause").await?;
    assert_eq!(paused.brief(), "200", "{:?}", paused.body);
    assert_eq!((&paused.body["state"], &paused.body["pauseReason"]), (&json!("paused"), &json!("requested")));
    assert_eq!(call.start().await?.brief(), "409 RECORDING_PAUSED");
    assert_eq!(control(provider, &id, "pause").await?.brief(), "200", "again");
    let feature = call.feature().await?;
    assert_eq!(
        (&feature["state"], &feature["recorder"]),
        (&json!("paused"), &json!(true)),
        "until it has stopped"
    );
    call.pass(5).await?;
    assert_eq!(call.feature().await?["recorder"], false);

    // The next capture begins only once the first one has ended.
    assert_eq!(control(provider, &id, "resume").await?.body["state"], "recording");
    assert_eq!(call.feature().await?["state"], "starting");
    call.pass(3).await?;
    assert_eq!(call.captures().await?, "running none, stopped paused");
    call.pass(20).await?;
    let stopped = control(provider, &id, "stop").await?;
    assert_eq!((stopped.brief().as_str(), &stopped.body["endReason"]), ("200", &json!("requested")));
    assert_eq!(control(provider, &id, "stop").await?.brief(), "200", "again");
    assert_eq!(control(provider, &id, "pause").await?.brief(), "409 RECORDING_ENDED");
    assert_eq!(control(provider, &id, "resume").await?.brief(), "409 RECORDING_ENDED");

    let done = call.finished(&id).await?;
    assert_eq!(done["state"], "ready", "{done}");
    let segments = done["segments"].as_array().ok_or("no segments")?;
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[1]["gapReason"], "paused");
    assert!(segments[1]["gapSeconds"].as_f64().is_some_and(|gap| gap > 0.0), "{done}");
    let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    for event in [
        "recording.started",
        "capture.started",
        "recording.paused",
        "capture.ended",
        "recording.resumed",
        "recording.ended",
        "recording.segment_finished",
    ] {
        assert!(events.contains(event), "{event}: {events}");
    }
    Ok(())
}

/// So a client asks for what it may have, and no refusal is audited.
#[tokio::test(flavor = "multi_thread")]
async fn the_status_states_the_rights_that_requests_for_recordings_need() -> TestResult {
    let rights = [("RecordingRights", "provider:control,list,play;patient:list")];
    let call = Recorded::in_call_on(TestCloud::deployed(super::events_at_once(), &rights).await?).await?;
    let list = format!("/appointments/{}/recordings", call.scenario.appointment);
    for (person, rights) in [
        (&call.scenario.provider, json!(["control", "list", "play"])),
        (&call.scenario.patient, json!(["list"])),
    ] {
        assert_eq!(person.status().await?.body["me"]["rights"], rights);
        assert_eq!(person.ask("GET", &list, &Value::Null).await?.brief(), "200");
    }
    let call = Recorded::in_call().await?;
    assert_eq!(call.scenario.patient.status().await?.body["me"]["rights"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_was_wanted_begins_by_itself_when_everyone_has_consented_and_once() -> TestResult {
    let cloud = super::with_events().await?;
    let scenario = cloud.scenario().await?;
    let wanted = json!({ "enableRecording": true });
    let started = scenario.provider.ask("POST", "/appointments/{a}/call", &wanted).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(started.brief(), "201");
    let call = Recorded { cloud, scenario };
    assert_eq!(call.feature().await?["state"], "requested");
    assert_eq!(consent(&call.scenario.provider, json!({ "recording": true })).await?.brief(), "200");
    call.pass(1).await?;
    assert_eq!(call.captures().await?, "", "the patient has not decided");
    assert_eq!(consent(&call.scenario.patient, json!({ "recording": true })).await?.brief(), "200");
    // `Operation Pending` brings it to its function at once.
    call.cloud.drain_queues().await?;
    call.pass(3).await?;
    assert_eq!(call.captures().await?, "running none");
    let id = call.feature().await?["recordingId"].as_str().ok_or("no recording")?.to_owned();
    assert_eq!(call.get(&id).await?["automatic"], true);

    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    call.pass(10).await?;
    call.minute().await?;
    assert_eq!(call.captures().await?, "stopped requested", "afterwards only by hand");
    assert_eq!(call.start().await?.brief(), "201");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_stops_the_capture_and_ends_the_recording() -> TestResult {
    let call = Recorded::with_consent().await?;
    let id = call.capturing().await?;
    call.pass(20).await?;
    let watch = call.cloud.watch();
    let revoked = consent(&call.scenario.patient, json!({ "recording": false })).await?;
    assert_eq!(revoked.brief(), "200");
    assert_eq!(watch.count("DeleteMediaCapturePipeline"), 1, "before the answer");
    call.pass(5).await?;
    assert_eq!(call.captures().await?, "stopped consent_revoked");
    let done = call.finished(&id).await?;
    assert_eq!((&done["state"], &done["endReason"]), (&json!("ready"), &json!("consent_revoked")));
    // The tail is in the file and is not played.
    let played = done["segments"][0]["durationSeconds"].as_f64().ok_or("no duration")?;
    let file = call.cloud.sql("SELECT duration_seconds::text FROM medzen.recording_segments").await?;
    let file: f64 = file.parse()?;
    assert!(played < file && file - played <= 10.0, "{played} of {file} s");
    assert_eq!(consent(&call.scenario.patient, json!({ "recording": true })).await?.brief(), "200");
    call.minute().await?;
    assert_eq!(call.captures().await?, "stopped consent_revoked", "it does not start again by itself");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_without_a_stop_has_its_recording_ready() -> TestResult {
    let call = Recorded::with_consent().await?;
    let id = call.capturing().await?;
    call.pass(30).await?;
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    call.pass(5).await?;
    call.minute().await?;
    let done = call.finished(&id).await?;
    assert_eq!((&done["state"], &done["endReason"]), (&json!("ready"), &json!("call_ended")), "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_is_answered_503_and_the_recording_ends() -> TestResult {
    let call = Recorded::with_consent().await?;
    let quota = call.cloud.control_api("POST", "chime/pipelines/quota", &json!({ "active": 0 })).await?;
    assert!(quota.status < 300, "{:?}", quota.body);
    let refused = call.start().await?;
    assert_eq!(refused.brief(), "503 RECORDING_CAPACITY");
    assert_eq!(refused.headers.get("retry-after").map(String::as_str), Some("60"));
    let list = call.scenario.provider.ask("GET", "/appointments/{a}/recordings", &Value::Null).await?;
    assert_eq!(list.body["recordings"][0]["endReason"], "capacity", "{:?}", list.body);
    assert_eq!(call.captures().await?, "failed capacity");
    Ok(())
}
