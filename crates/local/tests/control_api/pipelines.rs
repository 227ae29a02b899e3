//! Media pipelines, their limit and their faults.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, has_only, is_refused, ok_body};

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_pipelines_is_set_and_taken_back() -> TestResult {
    let cloud = TestCloud::new().await?;
    let none = json!({"pipelines": [], "quota": null});
    assert_eq!(get(&cloud, "chime/pipelines").await?, none);
    ok_body(&cloud, "POST", "chime/pipelines/quota", json!({"active": 0})).await?;
    let limited = get(&cloud, "chime/pipelines").await?;
    has_only(&limited, &["pipelines", "quota"]);
    assert_eq!(limited["quota"], 0);
    ok_body(&cloud, "POST", "chime/pipelines/quota", json!({})).await?;
    assert_eq!(get(&cloud, "chime/pipelines").await?, none);
    is_refused(&cloud.control_api("POST", "chime/pipelines/quota", &json!({"active": -1})).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_and_events_that_do_not_exist_are_refused() -> TestResult {
    let cloud = TestCloud::new().await?;
    for kind in [
        "neverStarts",
        "failsPermanently",
        "failsTemporarily",
        "hangsInStopping",
        "outputTruncated",
        "lastChunkMissing",
        "tracksApart",
        "outputNever",
        "outputFails",
    ] {
        let fault = json!({"kind": kind, "afterSeconds": 1, "forSeconds": 2, "times": 3});
        ok_body(&cloud, "POST", "chime/pipelines/faults", fault).await?;
    }
    ok_body(&cloud, "DELETE", "chime/pipelines/faults", Value::Null).await?;
    for fault in [json!({"kind": "rains"}), json!({}), json!({"kind": "outputNever", "often": 1})] {
        is_refused(&cloud.control_api("POST", "chime/pipelines/faults", &fault).await?);
    }
    let event = json!({"eventType": "MediaPipelineDeleted"});
    let answer = cloud.control_api("POST", "chime/pipelines/x/events", &event).await?;
    assert_eq!((answer.status, &answer.body["error"]), (404, &json!("there is no media pipeline x")));
    Ok(())
}
