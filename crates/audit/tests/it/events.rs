//! Every payload in `events/audit/`.

use local_testing::{Outcome, Stage, Story};

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_is_answered() -> Outcome {
    let stage = Stage::new().await?;
    let mut story = Story::new(&stage, "audit")?;

    let mut start = Story::new(&stage, "meeting-manager")?;
    start.tell("start", "201").await?;
    let appointment = stage.first_play()?.appointment;
    // An event that cannot be read is a failed run: nobody reads the answer of a schedule, but its alarm counts errors.
    story.tell("schedule-without-time", "error INVALID_FIELD").await?;
    story.tell("unknown-detail-type", "error MALFORMED_REQUEST").await?;
    assert!(stage.audit_table(&appointment)?.is_empty());

    let ran = story.tell("schedule", "200").await?;
    assert_eq!(ran.body, serde_json::Value::Null);
    let entries = stage.audit_table(&appointment)?;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["event"], "call.started");
    assert_eq!(
        entries[0]["ip"], "203.0.113.17",
        "as events/meeting-manager/start.json has it: {}",
        entries[0]
    );
    story.tell("schedule", "200").await?;
    assert_eq!(stage.audit_table(&appointment)?.len(), 1, "a schedule that runs twice moves an entry once");

    story.tell("unknown-route", "404 ROUTE_NOT_FOUND").await?;
    story.tell("direct", "404 ROUTE_NOT_FOUND").await?;
    story.end(&[]);
    Ok(())
}
