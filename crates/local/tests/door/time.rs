//! The clock, and what runs by it.

use local_testing::{Outcome, Stage};
use serde_json::{Value, json};

use crate::{get, is_refused, list, told};

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_moved_forward() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    assert_eq!(play.provider.status().await?.status, 200);
    let before = stage.parts().clock.now();
    told(&stage, "POST", "clock", json!({"advanceSeconds": 3601})).await?;
    assert!(stage.parts().clock.now() - before >= std::time::Duration::from_secs(3601));
    assert_eq!(play.provider.status().await?.status, 401, "tokens are valid for an hour");
    for body in
        [json!({"advanceSeconds": -1}), json!({"advanceSeconds": "1"}), json!({"seconds": 1}), json!({})]
    {
        is_refused(&stage.door("POST", "clock", &body).await?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_has_run_when_it_is_answered() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    play.provider.start().await?;
    assert!(stage.audit_table(&play.appointment)?.is_empty());
    told(&stage, "POST", "schedules/audit/run", Value::Null).await?;
    assert_eq!(stage.audit_table(&play.appointment)?.len(), 1);
    told(&stage, "POST", "schedules/meeting-manager/run", Value::Null).await?;
    // One has no schedule, the other is no function.
    for function in ["attendee", "nobody"] {
        let answer = stage.door("POST", &format!("schedules/{function}/run"), &Value::Null).await?;
        assert_eq!(answer.status, 404, "{function}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_are_listed_with_their_processes() -> Outcome {
    let stage = Stage::new().await?;
    assert_eq!(get(&stage, "environments").await?, json!([]));
    let play = stage.play().await?;
    for invocations in 1..=3 {
        play.provider.status().await?;
        // Answered is not yet idle: the environment asks for its next event a moment later.
        let one = loop {
            let environments = get(&stage, "environments").await?;
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
