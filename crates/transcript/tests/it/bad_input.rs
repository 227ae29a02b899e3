//! Invalid input is rejected by field and changes nothing.

use local_testing::{TestCloud, TestResult, malformed_input::Field, refusals};
use serde_json::json;

/// The function's routes, and whether each reads a body.
const ROUTES: [refusals::Route; 6] = [
    ("POST /appointments/{appointmentId}/call/transcription", true),
    ("DELETE /appointments/{appointmentId}/call/transcription", false),
    ("GET /transcription/languages", false),
    ("GET /appointments/{appointmentId}/transcript", false),
    ("POST /transcripts/search", true),
    ("DELETE /transcripts/{transcriptId}", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_and_bodies_are_rejected_on_every_route() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::routes_refuse(&cloud, "transcript", &ROUTES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_change_no_answer() -> TestResult {
    let cloud = TestCloud::new().await?;
    refusals::odd_headers_change_nothing(&cloud, "transcript").await
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_fields_are_rejected_by_name() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    let consent = json!({ "transcription": true });
    assert_eq!(
        scenario.provider.ask("PUT", "/appointments/{a}/call/consent", &consent).await?.brief(),
        "200"
    );
    let start = "POST /appointments/{appointmentId}/call/transcription";
    for field in [("language", Field::Word), ("specialty", Field::Word)] {
        refusals::field_refuses(&cloud, &scenario, start, &json!({}), field).await?;
    }
    Ok(())
}
