//! Legal holds on audit entries: what is under hold does not expire, and expires as usual afterwards.

use std::collections::BTreeSet;

use local::faults::FaultKind;
use local::tokens::Key;
use local_testing::{Answer, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

const DAY: u32 = 24 * 3600;
/// 9999-12-31T23:59:59Z.
const HELD: &str = "253402300799";

async fn cloud() -> TestResult<TestCloud> {
    TestCloud::with_parameters(&[("AuditRetentionDays", "30")]).await
}

/// The three entries of a short call that nobody joined.
async fn a_call(cloud: &TestCloud) -> TestResult<Scenario> {
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    Ok(scenario)
}

/// A request of an auditor who has no account, with a token that is good now.
async fn ask(cloud: &TestCloud, method: &str, scenario: &Scenario, body: Value) -> TestResult<Answer> {
    let claims = json!({ "sub": "an-auditor", "medzen_role": "auditor" });
    let token = cloud.parts().token(&claims, 60, Key::Good)?;
    let path = format!("/appointments/{}/hold", scenario.appointment);
    cloud.request(method, &path, Some(&token), body.to_string()).await
}

async fn place(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    assert_eq!(ask(cloud, "PUT", scenario, json!({ "reason": "AZ-7" })).await?.brief(), "201");
    Ok(())
}

async fn lift(cloud: &TestCloud, scenario: &Scenario) -> TestResult {
    assert_eq!(ask(cloud, "DELETE", scenario, Value::Null).await?.brief(), "200");
    Ok(())
}

/// The next minute's run.
async fn run(cloud: &TestCloud) -> TestResult {
    cloud.parts().clock.advance(60);
    cloud.run_schedule("audit").await
}

/// When the entries of an appointment expire: `usual`, or `held`, each once.
fn expiries(cloud: &TestCloud, scenario: &Scenario) -> TestResult<BTreeSet<&'static str>> {
    let table = cloud.parts().plan.outputs.get("AuditTableName").ok_or("no audit table")?;
    let items = cloud.parts().dynamodb.items(table, &format!("APPT#{}", scenario.appointment))?;
    let expiry = |item: &Value| -> TestResult<&'static str> {
        let expires = item["expiresAt"]["N"].as_str().ok_or("no expiry")?;
        let at = time::OffsetDateTime::parse(
            item["at"]["S"].as_str().ok_or("no time")?,
            &time::format_description::well_known::Rfc3339,
        )?;
        let usual = (at + time::Duration::days(30)).unix_timestamp().to_string();
        Ok(match expires {
            HELD => "held",
            it if it == usual => "usual",
            _ => "another",
        })
    };
    items.iter().map(expiry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_under_hold_do_not_expire_until_it_is_lifted() -> TestResult {
    let cloud = cloud().await?;
    let (held, other) = (a_call(&cloud).await?, a_call(&cloud).await?);
    run(&cloud).await?;
    place(&cloud, &held).await?;
    let state = ask(&cloud, "GET", &held, Value::Null).await?;
    assert_eq!(state.body["auditEntries"]["applied"], false, "{:?}", state.body);
    run(&cloud).await?;
    assert_eq!(expiries(&cloud, &held)?, BTreeSet::from(["held"]));
    assert_eq!(expiries(&cloud, &other)?, BTreeSet::from(["usual"]));
    let state = ask(&cloud, "GET", &held, Value::Null).await?;
    assert_eq!(state.body["auditEntries"]["applied"], true, "{:?}", state.body);
    assert_eq!(state.body["auditEntries"]["count"], 4, "three of the call, and the hold itself");

    cloud.parts().clock.advance(40 * DAY);
    cloud.parts().dynamodb.expire()?;
    assert_eq!(
        (cloud.audit_table(&held.appointment)?.len(), cloud.audit_table(&other.appointment)?.len()),
        (4, 0)
    );

    lift(&cloud, &held).await?;
    run(&cloud).await?;
    assert_eq!(
        expiries(&cloud, &held)?,
        BTreeSet::from(["usual"]),
        "never earlier than the retention setting"
    );
    cloud.parts().dynamodb.expire()?;
    let left = cloud.audit_table(&held.appointment)?;
    assert_eq!(left.len(), 1, "what the retention covers stays: {left:?}");
    assert_eq!(left[0]["event"], "hold.lifted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_written_under_hold_has_its_expiry_at_once() -> TestResult {
    let cloud = cloud().await?;
    let scenario = cloud.scenario().await?;
    place(&cloud, &scenario).await?;
    run(&cloud).await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    let watch = cloud.watch();
    run(&cloud).await?;
    assert_eq!((watch.count("PutItem"), watch.count("UpdateItem")), (1, 0));
    assert_eq!(expiries(&cloud, &scenario)?, BTreeSet::from(["held"]));
    let watch = cloud.watch();
    run(&cloud).await?;
    assert_eq!((watch.count("AssumeRole"), watch.count("Query")), (0, 0), "nothing is new");
    Ok(())
}

/// The run that puts an entry read before the hold that none stands, and its answer comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_put_crosses_the_hold_or_its_end_gets_the_right_expiry() -> TestResult {
    let cloud = cloud().await?;
    let scenario = a_call(&cloud).await?;
    cloud.run_schedule("audit").await?;
    for (change, expected) in [("PUT", "held"), ("DELETE", "usual")] {
        assert_eq!(scenario.provider.start().await?.brief(), "201");
        cloud.fault("dynamodb", Some("PutItem"), FaultKind::KillAfter, Some(1));
        cloud.parts().clock.advance(60);
        assert!(cloud.run_schedule("audit").await.is_err(), "it died after it had put the entry");
        cloud.parts().faults.clear();
        let answer = ask(&cloud, change, &scenario, json!({ "reason": "AZ-7" })).await?;
        assert!(["200", "201"].contains(&answer.brief().as_str()), "{:?}", answer.body);
        run(&cloud).await?;
        assert_eq!(expiries(&cloud, &scenario)?, BTreeSet::from([expected]), "{change}");
        assert_eq!(scenario.provider.end().await?.brief(), "200");
        run(&cloud).await?;
        assert_eq!(
            expiries(&cloud, &scenario)?,
            BTreeSet::from([expected]),
            "{change}, and the entries after it"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_or_is_refused_leaves_the_rest_to_the_next() -> TestResult {
    for (service, operation) in [("sts", "AssumeRole"), ("dynamodb", "Query"), ("dynamodb", "UpdateItem")] {
        for kind in [FaultKind::KillBefore, FaultKind::KillAfter, FaultKind::Error] {
            let cloud = cloud().await?;
            let scenario = a_call(&cloud).await?;
            run(&cloud).await?;
            place(&cloud, &scenario).await?;
            // An error is repeated by the SDK: all of them fail.
            let nth = (kind != FaultKind::Error).then_some(1);
            cloud.fault(service, Some(operation), kind, nth);
            assert!(run(&cloud).await.is_err(), "{kind:?} of {operation}: a failed run fires the alarm");
            cloud.parts().faults.clear();
            run(&cloud).await?;
            run(&cloud).await?;
            assert_eq!(expiries(&cloud, &scenario)?, BTreeSet::from(["held"]), "{kind:?} of {operation}");
        }
    }
    Ok(())
}
