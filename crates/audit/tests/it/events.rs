//! Every payload in `events/audit/`.

use local_testing::{Payloads, TestCloud, TestResult};
use serde_json::{Value, json};

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
    assert_eq!(ran.body, Value::Null);
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
    holds(&mut payloads, &cloud, &appointment).await?;
    payloads.end(&["hold", "lift-hold", "get-hold"]);
    Ok(())
}

/// A hold is placed and lifted by an auditor without an account, then by direct invocations in the name of a user.
async fn holds(payloads: &mut Payloads<'_>, cloud: &TestCloud, appointment: &str) -> TestResult {
    for (case, code) in [
        ("hold-by-provider", "403 AUDITOR_ONLY"),
        ("hold-by-list-of-roles", "403 AUDITOR_ONLY"),
        ("get-hold-by-provider", "403 AUDITOR_ONLY"),
        ("lift-hold-by-patient", "403 AUDITOR_ONLY"),
        ("hold-with-bad-field", "422 INVALID_FIELD"),
        ("hold-with-bad-id", "422 INVALID_FIELD"),
        ("hold-of-no-appointment", "404 APPOINTMENT_NOT_FOUND"),
        ("direct-by-unknown-user", "403 UNKNOWN_USER"),
        ("direct-unknown-action", "422 INVALID_FIELD"),
    ] {
        payloads.send(case, code).await?;
    }
    let none = payloads.send("get-hold", "200").await?;
    assert_eq!((&none.body["onHold"], &none.body["placedAt"]), (&json!(false), &Value::Null));
    let placed = payloads.send("hold", "201").await?;
    assert_eq!((&placed.body["onHold"], &placed.body["reason"]), (&json!(true), &json!("3 O 123/26")));
    let by = placed.text("placedBy");
    assert!(by.starts_with("sub:") && by.len() == 68, "an auditor without an account is a hash: {by}");
    let again = payloads.send("hold", "200").await?;
    assert_eq!(again.body["placedAt"], placed.body["placedAt"], "one that stands stays as it is");
    let lifted = payloads.send("lift-hold", "200").await?;
    assert_eq!((&lifted.body["onHold"], &lifted.body["liftedBy"]), (&json!(false), &json!(by)));
    let again = payloads.send("lift-hold", "200").await?;
    assert_eq!(again.body["liftedAt"], lifted.body["liftedAt"]);

    let placed = payloads.send("direct-hold", "201").await?;
    assert_eq!(placed.text("placedBy"), cloud.first_scenario()?.provider.id);
    assert_eq!(payloads.send("direct-get-hold", "200").await?.body, placed.body);
    payloads.send("direct-lift-hold", "200").await?;

    payloads.send("schedule", "200").await?;
    let entries = cloud.audit_table(appointment)?;
    let holds: Vec<_> =
        entries.iter().filter(|it| it["event"].as_str().is_some_and(|it| it.starts_with("hold."))).collect();
    let events: Vec<_> = holds.iter().filter_map(|it| it["event"].as_str()).collect();
    assert_eq!(
        events,
        ["hold.placed", "hold.lifted", "hold.placed", "hold.lifted"],
        "one entry for each change"
    );
    for entry in holds {
        assert_eq!(
            (&entry["role"], &entry["holdReason"]),
            (&json!("auditor"), &json!("3 O 123/26")),
            "{entry}"
        );
    }
    let denied = cloud.audit_chain(&format!("ACTOR#{}", cloud.first_scenario()?.provider.id))?;
    let codes: Vec<_> = denied.iter().map(|it| (it["code"].as_str(), it["appointmentId"].as_str())).collect();
    assert_eq!(codes, [(Some("AUDITOR_ONLY"), Some(appointment)); 2], "{denied:?}");
    Ok(())
}
