//! The clock, and what runs by it.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, is_refused, list, ok_body};

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_moved_forward() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.status().await?.status, 200);
    let before = cloud.parts().clock.now();
    ok_body(&cloud, "POST", "clock", json!({"advanceSeconds": 3601})).await?;
    assert!(cloud.parts().clock.now() - before >= std::time::Duration::from_secs(3601));
    assert_eq!(scenario.provider.status().await?.status, 401, "tokens are valid for an hour");
    for body in
        [json!({"advanceSeconds": -1}), json!({"advanceSeconds": "1"}), json!({"seconds": 1}), json!({})]
    {
        is_refused(&cloud.control_api("POST", "clock", &body).await?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_has_run_when_it_is_answered() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    assert!(cloud.audit_table(&scenario.appointment)?.is_empty());
    ok_body(&cloud, "POST", "schedules/audit/run", Value::Null).await?;
    assert_eq!(cloud.audit_table(&scenario.appointment)?.len(), 1);
    ok_body(&cloud, "POST", "schedules/meeting-manager/run", Value::Null).await?;
    // One has no schedule, the other is no function.
    for function in ["attendee", "nobody"] {
        let answer = cloud.control_api("POST", &format!("schedules/{function}/run"), &Value::Null).await?;
        assert_eq!(answer.status, 404, "{function}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_are_listed_with_their_processes() -> TestResult {
    let cloud = TestCloud::new().await?;
    assert_eq!(get(&cloud, "environments").await?, json!([]));
    let scenario = cloud.scenario().await?;
    for invocations in 1..=3 {
        scenario.provider.status().await?;
        // Answered is not yet idle: the environment asks for its next event a moment later.
        let one = loop {
            let environments = get(&cloud, "environments").await?;
            let [one] = list(&environments) else { unreachable!("one environment, not {environments}") };
            if one["state"] == "idle" {
                break one.clone();
            }
        };
        assert_eq!((&one["function"], &one["invocations"]), (&json!("meeting-manager"), &json!(invocations)));
        let pid = one["pid"].as_u64().ok_or("a process")?;
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "process {pid} runs");
    }
    Ok(())
}
