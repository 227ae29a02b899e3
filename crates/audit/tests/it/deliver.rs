//! Delivery from the outbox to the table: nothing is lost, duplicated or overwritten.

use domain::audit::{Entry, Hash, verify};
use local::faults::FaultKind;
use local_testing::{Scenario, TestCloud, TestResult};
use serde_json::Value;

/// The four entries of a short call.
async fn a_call(cloud: &TestCloud) -> TestResult<Scenario> {
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    Ok(scenario)
}

fn items(cloud: &TestCloud, scenario: &Scenario) -> TestResult<Vec<Value>> {
    let table = cloud.parts().plan.outputs.get("AuditTableName").ok_or("no audit table")?;
    Ok(cloud.parts().dynamodb.items(table, &format!("APPT#{}", scenario.appointment))?)
}

/// The table's items form an unbroken chain, verified from their content alone.
fn whole(cloud: &TestCloud, scenario: &Scenario) -> TestResult<Vec<String>> {
    let (mut chain, mut events) = (Vec::new(), Vec::new());
    for item in items(cloud, scenario)? {
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        let mut hash: Hash = [0; 32];
        hex::decode_to_slice(text("hash"), &mut hash)?;
        chain.push(Entry { seq: text("sk").parse()?, payload: text("payload"), hash });
        events.push(text("event"));
    }
    verify(&format!("APPT#{}", scenario.appointment), &chain)?;
    Ok(events)
}

const DELIVERED: [&str; 4] = ["call.started", "participant.joined", "call.end_requested", "call.ended"];

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_the_whole_chain_and_the_keys_of_its_indexes() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = a_call(&cloud).await?;
    cloud.run_schedule("audit").await?;
    assert_eq!(whole(&cloud, &scenario)?, DELIVERED);

    for item in items(&cloud, &scenario)? {
        let payload: Value = serde_json::from_str(item["payload"]["S"].as_str().ok_or("a payload")?)?;
        for name in ["event", "at", "meetingId", "actor"] {
            assert_eq!(item[name]["S"], payload[name], "{name}");
        }
        let at = item["at"]["S"].as_str().ok_or("a time")?;
        assert_eq!((at.len(), &at[at.len() - 1..]), (24, "Z"), "times sort as texts: {at}");
        assert!(item["expiresAt"]["N"].as_str().is_some_and(|at| at.parse::<i64>().is_ok()));
    }
    let watch = cloud.watch();
    cloud.run_schedule("audit").await?;
    assert_eq!(watch.count("PutItem"), 0, "what has arrived is not sent again");
    Ok(())
}

/// The table drops an entry after its retention time, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn entries_expire_after_the_one_retention_setting() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("AuditRetentionDays", "30")]).await?;
    let scenario = a_call(&cloud).await?;
    cloud.run_schedule("audit").await?;
    let day = 24 * 3600;
    cloud.parts().clock.advance(29 * day);
    cloud.parts().dynamodb.expire()?;
    assert_eq!(items(&cloud, &scenario)?.len(), 4);
    cloud.parts().clock.advance(2 * day);
    cloud.parts().dynamodb.expire()?;
    assert_eq!(items(&cloud, &scenario)?.len(), 0);
    Ok(())
}

/// The run dies, or loses its responses, at each of its requests; the next run finishes its work.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_anywhere_neither_loses_nor_duplicates_entries() -> TestResult {
    for kind in [FaultKind::KillBefore, FaultKind::KillAfter, FaultKind::Drop] {
        for nth in 1..=8 {
            let cloud = TestCloud::new().await?;
            let scenario = a_call(&cloud).await?;
            // A warm environment: the nth request is one of the run's own.
            cloud.parts().faults.clear();
            cloud.fault("*", None, kind, Some(nth));
            let _died_or_not = cloud.run_schedule("audit").await;
            cloud.parts().faults.clear();
            // The dead run's lease expires.
            cloud.parts().clock.advance(60);
            cloud.run_schedule("audit").await.map_err(|error| format!("{kind:?} at {nth}: {error}"))?;
            assert_eq!(whole(&cloud, &scenario)?, DELIVERED, "{kind:?} at {nth}");
            let waiting = "SELECT count(*) FROM medzen.audit_outbox WHERE delivered_at IS NULL";
            assert_eq!(cloud.sql(waiting).await?, "0", "{kind:?} at {nth}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_down_fails_the_run_and_keeps_the_entries() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = a_call(&cloud).await?;
    cloud.fault("dynamodb", None, FaultKind::Error, None);
    assert!(cloud.run_schedule("audit").await.is_err(), "a failed run fires the alarm");
    cloud.parts().faults.clear();
    assert_eq!(items(&cloud, &scenario)?.len(), 0);
    cloud.parts().clock.advance(60);
    cloud.run_schedule("audit").await?;
    assert_eq!(whole(&cloud, &scenario)?, DELIVERED);
    Ok(())
}

/// Another entry under an entry's number: nothing is overwritten, and every run reports the conflict until an
/// operator resolves it.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_in_conflict_keeps_the_alarm_on() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = a_call(&cloud).await?;
    cloud.run_schedule("audit").await?;
    let before = items(&cloud, &scenario)?;
    // The outbox as if another writer had put an entry into the table first.
    let outbox = format!(
        "UPDATE medzen.audit_outbox SET hash = sha256('another'), delivered_at = NULL, leased_until = NULL
         WHERE chain = 'APPT#{}' AND seq = 2 RETURNING seq",
        scenario.appointment
    );
    cloud.sql(&outbox).await?;
    for _ in 0..2 {
        cloud.run_schedule("audit").await?;
        cloud.parts().clock.advance(60);
    }
    assert_eq!(conflicts(&cloud), [0, 1, 1], "the alarm's metric, run by run");
    assert_eq!(items(&cloud, &scenario)?, before, "nothing was overwritten");
    let other = a_call(&cloud).await?;
    cloud.run_schedule("audit").await?;
    assert_eq!(conflicts(&cloud), [0, 1, 1, 1]);
    assert_eq!(whole(&cloud, &other)?, DELIVERED, "and the others are delivered");
    Ok(())
}

/// The metric `AuditConflicts` of each run so far.
fn conflicts(cloud: &TestCloud) -> Vec<u64> {
    let logs = cloud.parts().lambda.logs();
    let lines = logs.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(&line.line).ok());
    lines.filter_map(|line| line["AuditConflicts"].as_u64()).collect()
}

/// Hundreds of entries at once, and two runs at once: each is put once.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_share_the_work() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    for n in 1..=150 {
        assert_eq!(scenario.patient.join().await?.brief(), "200");
        assert_eq!(scenario.patient.leave().await?.brief(), "200");
        if n % 30 == 0 {
            // Joins are limited per minute.
            cloud.parts().clock.advance(61);
        }
    }
    let watch = cloud.watch();
    let (one, two) = tokio::join!(cloud.run_schedule("audit"), cloud.run_schedule("audit"));
    one.and(two)?;
    assert_eq!(watch.count("PutItem"), 301);
    assert_eq!(whole(&cloud, &scenario)?.len(), 301);
    Ok(())
}
