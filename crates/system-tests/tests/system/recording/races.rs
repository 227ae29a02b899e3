//! Lost answers and events, and functions that die.

use local::faults::FaultKind;
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
