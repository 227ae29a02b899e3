//! The metrics that alarms count, in the lines that the functions write.

use local::faults::FaultKind;
use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

const FUNCTION: &str = "meeting-manager";

/// The values of a metric, in the order in which the functions reported them.
fn values(cloud: &TestCloud, metric: &str) -> TestResult<Vec<u64>> {
    let mut values = Vec::new();
    for line in cloud.parts().lambda.logs() {
        let line: Value = serde_json::from_str(&line.line)?;
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
        if metrics.is_some_and(|metrics| metrics.iter().any(|it| it["Name"] == metric)) {
            values.push(line[metric].as_u64().ok_or("a metric without a value")?);
        }
    }
    Ok(values)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_api_gateway_that_cannot_be_read_is_counted_and_a_bad_request_is_not() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut unreadable = 0;
    for function in ["attendee", "audit", "meeting-manager", "recording"] {
        for event in [json!({ "requestContext": {} }), json!({ "requestContext": { "routeKey": 5 } })] {
            let answer = cloud.invoke(function, &event).await?;
            assert_eq!(answer["statusCode"], 500, "{function}: {answer}");
            unreadable += 1;
            assert_eq!(values(&cloud, "EventUnreadable")?.iter().sum::<u64>(), unreadable, "{function}");
        }
        let bad_request = cloud.invoke(function, &json!({ "body": "no JSON" })).await?;
        assert_eq!(bad_request["statusCode"], 400, "{function}: {bad_request}");
    }
    assert_eq!(values(&cloud, "EventUnreadable")?.iter().sum::<u64>(), unreadable);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_reaches_the_attempt_limit_is_counted_until_it_is_executed() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("ForgottenCallMinutes", "0")]).await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    // Chime ends a meeting to which nobody is connected for 5 minutes, and its attendees with it.
    let (meeting, attendee) = (started.text("meetingId"), started.text("attendeeToken"));
    cloud.chime_event(&meeting, "AttendeeJoined", Some(&attendee))?;
    cloud.drain_queues().await?;
    scenario.patient.join().await?;
    cloud.run_schedule(FUNCTION).await?;
    cloud.fault("chime", Some("DeleteAttendee"), FaultKind::Error, None);
    let remove = format!("/appointments/{{a}}/call/attendees/{}", scenario.patient.id);
    assert_eq!(scenario.provider.ask("DELETE", &remove, &Value::Null).await?.status, 503);
    let mut expected = vec![0];
    for attempt in 1..=10 {
        cloud.parts().clock.advance(601);
        cloud.run_schedule(FUNCTION).await?;
        expected.push(u64::from(attempt == 10));
    }
    assert_eq!(values(&cloud, "PendingOperationsExhausted")?, expected);
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(601);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(values(&cloud, "PendingOperationsExhausted")?.last(), Some(&0), "it was executed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn exhausted_events_are_counted_while_the_bus_is_down() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    cloud.fault("events", Some("PutEvents"), FaultKind::Error, None);
    scenario.provider.start().await?;
    scenario.provider.end().await?;
    for _ in 1..=10 {
        cloud.parts().clock.advance(601);
        assert!(cloud.run_schedule(FUNCTION).await.is_err(), "the failed run raises the alarm");
    }
    let exhausted = values(&cloud, "PendingOperationsExhausted")?;
    assert_eq!(exhausted, [0, 0, 0, 0, 0, 0, 0, 0, 0, 2], "the failed runs reported them");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_count_reports_the_rest_and_releases_its_lease() -> TestResult {
    for statement in ["count_exhausted_operations", "prune", "enqueue_orphan_deletions"] {
        let cloud = TestCloud::new().await?;
        cloud.fault("postgres", Some(statement), FaultKind::Error, None);
        assert!(cloud.run_schedule(FUNCTION).await.is_err(), "{statement}: the failed run raises the alarm");
        cloud.parts().faults.clear();
        let counted = values(&cloud, "PendingOperationsExhausted")?.len();
        assert_eq!(counted, usize::from(statement == "prune"), "{statement}: no value that was not counted");
        // In the same second, so before the lease of the failed run would expire.
        let watch = cloud.watch();
        cloud.run_schedule(FUNCTION).await?;
        assert_eq!(watch.count("prune"), 1, "{statement}: the next run was not skipped");
    }
    Ok(())
}
