//! Backends that are down.

use std::time::{Duration, Instant};

use local::faults::FaultKind;
use local_testing::{TestCloud, TestResult};
use tokio::time::timeout;

use crate::invariants;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_gives_503_and_heals_without_a_restart() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    let pids = pids(&cloud);

    cloud.parts().proxy.pause();
    let (status, health, join) = tokio::join!(
        scenario.provider.status(),
        cloud.request("GET", "/health", None, ""),
        scenario.patient.join()
    );
    for answer in [status?, health?, join?] {
        assert_eq!(answer.brief(), "503 UNAVAILABLE", "{:?}", answer.body);
        assert!(answer.headers.contains_key("retry-after"));
    }
    cloud.parts().proxy.resume();

    assert_eq!(scenario.provider.status().await?.brief(), "200", "the next request works");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(cloud.request("GET", "/health", None, "").await?.brief(), "200");
    assert!(pids.iter().all(|pid| self::pids(&cloud).contains(pid)), "no environment was restarted");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// A database that hangs instead of refusing must not take longer than one that refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_gives_503_within_three_seconds() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    cloud.slow("postgres", None, 60_000);
    // A bound of the answer's time, not of the machine's speed: the function gives up after 2.5 s.
    let began = Instant::now();
    let answer = timeout(Duration::from_secs(10), scenario.provider.status()).await??;
    assert_eq!(answer.brief(), "503 UNAVAILABLE", "{:?}", answer.body);
    eprintln!("a hanging database was answered after {} ms", began.elapsed().as_millis());
    cloud.parts().faults.clear();
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_starts_without_its_database_serves_when_it_is_there() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    cloud.parts().proxy.pause();
    assert_eq!(scenario.provider.start().await?.brief(), "503 UNAVAILABLE");
    cloud.parts().proxy.resume();
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chime_that_is_down_gives_503_and_the_same_start_works_later() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    cloud.fault("chime", None, FaultKind::Error, None);
    let refused = scenario.provider.start().await?;
    assert_eq!(refused.brief(), "503 UNAVAILABLE");
    assert_eq!(scenario.provider.status().await?.body["callStatus"], "creating");
    cloud.parts().faults.clear();
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// Chime's API may be down while the calls themselves go on: a participant can rejoin.
#[tokio::test(flavor = "multi_thread")]
async fn a_chime_api_that_is_down_keeps_nobody_out_of_a_running_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let joined = scenario.patient.join().await?;
    cloud.parts().clock.advance(1200);
    cloud.fault("chime", None, FaultKind::Error, None);
    assert_eq!(scenario.patient.join().await?.body, joined.body);
    assert_eq!(scenario.provider.start().await?.body, started.body);
    let checked = serde_json::json!({ "checked": true });
    let asked = scenario.patient.ask("POST", "/appointments/{a}/call/attendees", &checked).await?;
    assert_eq!(asked.brief(), "503 UNAVAILABLE", "a checked rejoin fails, for Chime cannot be asked");
    Ok(())
}

/// A row that an operator holds locked: the caller gets 503, and the statement does not commit later, when the lock is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_given_up_does_not_take_effect_later() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let lock = format!(
        "BEGIN; SELECT id FROM video_call_sessions WHERE id = '{}' FOR UPDATE",
        started.text("sessionId")
    );
    cloud.sql(&lock).await?;
    assert_eq!(scenario.provider.end().await?.brief(), "503 UNAVAILABLE");
    cloud.sql("COMMIT; SELECT 1").await?;
    assert_eq!(scenario.provider.status().await?.body["callStatus"], "active");
    assert_eq!(scenario.provider.end().await?.body["callStatus"], "ended");
    invariants::hold(&cloud, &scenario.appointment).await
}

fn pids(cloud: &TestCloud) -> Vec<u64> {
    let environments = serde_json::json!(cloud.parts().lambda.environments());
    environments
        .as_array()
        .map(|all| all.iter().filter_map(|it| it["pid"].as_u64()).collect())
        .unwrap_or_default()
}
