//! Every payload in `events/audit/`.

use local_testing::{Payloads, TestCloud, TestResult};

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut payloads = Payloads::new(&cloud, "audit")?;

    let mut start = Payloads::new(&cloud, "meeting-manager")?;
    start.send("start", "201").await?;
    let appointment = cloud.first_scenario()?.appointment;
    // An unreadable event fails the run: a schedule has no caller for an error response, but its alarm counts failed
    // runs.
    payloads.send("schedule-without-time", "error INVALID_FIELD").await?;
    payloads.send("unknown-detail-type", "error MALFORMED_REQUEST").await?;
    assert!(cloud.audit_table(&appointment)?.is_empty());

    let ran = payloads.send("schedule", "200").await?;
    assert_eq!(ran.body, serde_json::Value::Null);
    let entries = cloud.audit_table(&appointment)?;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["event"], "call.started");
    assert_eq!(
        entries[0]["ip"], "203.0.113.17",
        "as events/meeting-manager/start.json has it: {}",
        entries[0]
    );
    payloads.send("schedule", "200").await?;
    assert_eq!(cloud.audit_table(&appointment)?.len(), 1, "a schedule that runs twice moves an entry once");

    payloads.send("unknown-route", "404 ROUTE_NOT_FOUND").await?;
    payloads.send("direct", "404 ROUTE_NOT_FOUND").await?;
    payloads.end(&[]);
    Ok(())
}
