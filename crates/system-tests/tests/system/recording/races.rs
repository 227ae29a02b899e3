//! Lost answers and events, and functions that die.

use local::faults::FaultKind;
use local::lambda::LogLine;
use local_testing::TestResult;
use serde_json::json;

use super::{Recorded, control};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_answer_is_lost_is_found_by_its_sink() -> TestResult {
    let call = Recorded::with_consent().await?;
    call.cloud.fault("chime", Some("CreateMediaCapturePipeline"), FaultKind::Drop, Some(1));
    let started = call.start().await?;
    assert!(["201", "503 UNAVAILABLE"].contains(&started.brief().as_str()), "{}", started.brief());
    call.pass(3).await?;
    assert_eq!(call.captures().await?, "running none");
    let pipelines = call.cloud.control_api("GET", "chime/pipelines", &json!(null)).await?;
    let captures = pipelines.body["pipelines"].as_array().ok_or("none")?.iter();
    assert_eq!(captures.filter(|it| it["kind"] == "capture").count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_events_are_replaced_by_the_schedule() -> TestResult {
    let call = Recorded::with_consent().await?;
    for event in ["MediaPipelineInProgress", "MediaPipelineDeleted"] {
        call.cloud.fault("events", Some(&format!("chime:{event}")), FaultKind::Lose, None);
    }
    let started = call.start().await?;
    let id = started.text("recordingId");
    call.pass(30).await?;
    assert_eq!(call.captures().await?, "starting none", "nothing has come");
    call.minute().await?;
    assert_eq!(call.captures().await?, "running none");
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    call.minute().await?;
    assert_eq!(call.captures().await?, "stopped requested");
    for _ in 0..12 {
        call.minute().await?;
    }
    let done = call.finished(&id).await?;
    assert_eq!(done["state"], "ready");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_answered_while_chime_is_down_and_the_stop_is_repeated() -> TestResult {
    let call = Recorded::with_consent().await?;
    call.capturing().await?;
    call.cloud.fault("chime", Some("DeleteMediaCapturePipeline"), FaultKind::Error, None);
    let revoked = crate::requests::consent(&call.scenario.patient, json!({ "recording": false })).await?;
    assert_eq!(revoked.brief(), "200");
    assert_eq!(call.captures().await?, "stopping consent_revoked");
    call.cloud.parts().faults.clear();
    call.minute().await?;
    call.minute().await?;
    assert_eq!(call.captures().await?, "stopped consent_revoked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_without_an_open_capture_is_deleted() -> TestResult {
    let call = Recorded::with_consent().await?;
    call.capturing().await?;
    call.cloud
        .sql(
            "WITH gone AS (
               UPDATE medzen.media_captures SET status = 'failed', ended_at = now(), stop_requested_at = now(),
                 stop_reason = 'ended_by_chime' RETURNING 1)
             SELECT count(*) FROM gone",
        )
        .await?;
    let watch = call.cloud.watch();
    for _ in 0..6 {
        call.minute().await?;
    }
    assert!(watch.count("DeleteMediaCapturePipeline") >= 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_captured_before_a_lost_event_is_verified_and_not_deleted() -> TestResult {
    let call = Recorded::with_consent().await?;
    call.cloud.fault("events", Some("chime:MediaPipelineInProgress"), FaultKind::Lose, None);
    let id = call.start().await?.text("recordingId");
    call.pass(25).await?;
    assert_eq!(call.captures().await?, "starting none");
    assert_eq!(control(&call.scenario.provider, &id, "stop").await?.brief(), "200");
    let done = call.finished(&id).await?;
    assert_eq!(done["state"], "ready", "{done}");
    assert!(done["segments"][0]["durationSeconds"].as_f64().is_some_and(|it| it > 20.0), "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_goes_on_after_a_revocation_is_reported_while_chime_is_down() -> TestResult {
    let call = Recorded::with_consent().await?;
    call.capturing().await?;
    call.cloud.fault("chime", None, FaultKind::Error, None);
    let revoked = crate::requests::consent(&call.scenario.patient, json!({ "recording": false })).await?;
    assert_eq!(revoked.brief(), "200");
    call.cloud.parts().clock.advance(70);
    assert!(call.cloud.run_schedule("recording").await.is_err(), "the run failed, and says so");
    let reported =
        |line: &LogLine| line.function == "recording" && line.line.contains("\"CapturesNotStopped\":1");
    assert!(call.cloud.parts().lambda.logs().iter().any(reported), "the alarm's metric");
    call.cloud.parts().faults.clear();
    call.minute().await?;
    call.minute().await?;
    assert_eq!(call.captures().await?, "stopped consent_revoked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_more_than_the_tail_that_was_consented_to_has_no_link() -> TestResult {
    let call = Recorded::with_consent().await?;
    let id = call.capturing().await?;
    call.pass(20).await?;
    call.cloud.fault("chime", Some("DeleteMediaCapturePipeline"), FaultKind::Error, None);
    let revoked = crate::requests::consent(&call.scenario.patient, json!({ "recording": false })).await?;
    assert_eq!(revoked.brief(), "200");
    call.pass(15).await?;
    call.cloud.parts().faults.clear();
    call.minute().await?;
    call.minute().await?;
    let done = call.finished(&id).await?;
    assert_eq!(done["segments"][0]["state"], "ready", "{done}");
    assert_eq!(done["segments"][0]["durationSeconds"], 0.0, "{done}");
    let path = format!("/recordings/{id}/playback");
    let links = call.scenario.provider.ask("GET", &path, &json!(null)).await?;
    assert_eq!(links.brief(), "409 RECORDING_NOT_READY");
    Ok(())
}
