//! The media region of a call: the deployment's, or an allowed one that the start names.

use local_testing::{Answer, Caller, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::invariants;

async fn start(caller: &Caller, body: Value) -> TestResult<Answer> {
    caller.ask("POST", "/appointments/{a}/call", &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_names_a_media_region_of_the_allowed_list() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("MediaRegions", "eu-west-1,af-south-1")]).await?;
    for (body, region) in [
        (json!({}), "us-east-1"),
        (json!({ "mediaRegion": null }), "us-east-1"),
        (json!({ "mediaRegion": "us-east-1", "enableRecording": true }), "us-east-1"),
        (json!({ "mediaRegion": "af-south-1" }), "af-south-1"),
        (json!({ "mediaRegion": "eu-west-1" }), "eu-west-1"),
    ] {
        let scenario = cloud.scenario().await?;
        let started = start(&scenario.provider, body.clone()).await?;
        assert_eq!(started.brief(), "201", "{body}: {:?}", started.body);
        assert_eq!(started.body["meeting"]["MediaRegion"], region, "{body}");
        let again = start(&scenario.provider, json!({ "mediaRegion": "us-east-1" })).await?;
        assert_eq!(again.brief(), "200");
        assert_eq!(again.body["meeting"]["MediaRegion"], region, "an active call keeps its region");
        let row = format!(
            "SELECT media_region FROM video_call_sessions WHERE appointment_id = '{}'",
            scenario.appointment
        );
        assert_eq!(cloud.sql(&row).await?, region);
        invariants::hold(&cloud, &scenario.appointment).await?;
    }

    let scenario = cloud.scenario().await?;
    for body in [
        json!({ "mediaRegion": "eu-central-1" }),
        json!({ "mediaRegion": "" }),
        json!({ "mediaRegion": "af-south-1", "enableRecording": true }),
        json!({ "mediaRegion": "eu-west-1", "enableTranscription": true }),
    ] {
        let refused = start(&scenario.provider, body.clone()).await?;
        assert_eq!(refused.brief(), "422 INVALID_FIELD", "{body}");
        assert_eq!(refused.text("field"), "mediaRegion", "{body}");
    }
    let create =
        json!({ "action": "create", "appointmentId": scenario.appointment, "mediaRegion": "eu-central-1" });
    assert_eq!(scenario.provider.ask("POST", "/meetings", &create).await?.brief(), "422 INVALID_FIELD");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_a_start_names_the_deployment_s_region_or_none() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(
        start(&scenario.provider, json!({ "mediaRegion": "eu-west-1" })).await?.brief(),
        "422 INVALID_FIELD"
    );
    assert_eq!(start(&scenario.provider, json!({ "mediaRegion": "us-east-1" })).await?.brief(), "201");
    let refused = TestCloud::with_parameters(&[("MediaRegions", "eu-west-1,Frankfurt")]).await.err();
    assert!(refused.is_some_and(|error| error.to_string().contains("MediaRegions")));
    Ok(())
}
