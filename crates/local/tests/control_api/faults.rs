//! Faults on demand.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{is_refused, ok_body};

const OPERATION: &str = "CreateMeetingWithAttendees";

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_fault_befalls_the_call_that_it_names() -> TestResult {
    let cloud = TestCloud::new().await?;
    // The status of the response; 0 for none.
    let kinds = [
        ("throttle", 429),
        ("error", 500),
        ("latency", 200),
        ("drop", 0),
        ("kill-before", 0),
        ("kill-after", 0),
    ];
    for (kind, status) in kinds {
        let fault = json!({
            "service": "chime", "operation": OPERATION, "function": "meeting-manager", "kind": kind, "nth": 1,
            "ms": 200, "times": 1,
        });
        ok_body(&cloud, "POST", "faults", fault).await?;
        let (watch, began) = (cloud.watch(), std::time::Instant::now());
        let answer = cloud.scenario().await?.provider.start().await?;
        let call = watch.calls().into_iter().find(|call| call.operation == OPERATION);
        assert_eq!(call.ok_or("a call")?.status, status, "{kind}");
        assert_eq!(
            kind.starts_with("kill"),
            answer.status >= 500,
            "{kind}: {} {}",
            answer.status,
            answer.body
        );
        if kind == "latency" {
            assert!(began.elapsed() >= std::time::Duration::from_millis(200), "{:?}", began.elapsed());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_stay_until_they_are_deleted() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    ok_body(&cloud, "POST", "faults", json!({"service": "chime", "kind": "error"})).await?;
    for _ in 0..2 {
        assert_eq!(scenario.provider.start().await?.status, 503);
    }
    ok_body(&cloud, "DELETE", "faults", Value::Null).await?;
    assert_eq!(scenario.provider.start().await?.status, 201);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_with_an_unknown_field_or_kind_is_refused_and_not_in_force() -> TestResult {
    let cloud = TestCloud::new().await?;
    let bodies = [
        json!({"service": "chime", "kind": "error", "operations": OPERATION}),
        json!({"service": "chime", "kind": "explode"}),
        json!({"service": "chime"}),
        json!({"kind": "error"}),
        json!({"service": "chime", "kind": "error", "nth": -1}),
        json!([]),
    ];
    for body in bodies {
        is_refused(&cloud.control_api("POST", "faults", &body).await?);
    }
    assert_eq!(cloud.scenario().await?.provider.start().await?.status, 201);
    Ok(())
}
