//! Events put on the bus by hand, and the queues of the real templates that they come to.

use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{get, has_only, is_refused, list, ok_body};

fn event(event_type: &str) -> Value {
    json!({
        "source": "aws.chime", "detail-type": "Chime Meeting State Change", "id": "event-1",
        "detail": {
            "version": "0", "eventType": event_type, "timestamp": 1_767_225_600_000_i64,
            "meetingId": "7d9f1c5e-0000-4000-8000-0000000000aa", "attendeeId": "7d9f1c5e-0000-4000-8000-0000000000bb",
        },
    })
}

fn pending() -> Value {
    json!({
        "source": "medzen.internal", "detail-type": "Operation Pending", "id": "event-2",
        "detail": {
            "operation": "delete_attendee", "operationId": "7d9f1c5e-0000-4000-8000-0000000000cc",
            "executor": "meeting-manager",
        },
    })
}

/// The same event, on our own bus.
fn on_our_bus(cloud: &TestCloud, mut event: Value) -> TestResult<Value> {
    let buses = &cloud.parts().plan.buses;
    event["bus"] = json!(buses.first().ok_or("a bus of our own")?.name);
    Ok(event)
}

/// The queue that a function reads, as the control API lists it.
async fn queue(cloud: &TestCloud, function: &str) -> TestResult<Value> {
    let queues = get(cloud, "queues").await?;
    has_only(&queues, &["queues", "mappings"]);
    let mapping = list(&queues["mappings"]).iter().find(|mapping| mapping["function"] == function);
    let mapping = mapping.ok_or("it reads no queue")?;
    has_only(mapping, &["function", "queue", "enabled", "problem"]);
    assert_eq!((&mapping["enabled"], &mapping["problem"]), (&json!(true), &Value::Null));
    let queue = list(&queues["queues"]).iter().find(|queue| queue["name"] == mapping["queue"]);
    let queue = queue.ok_or("its queue is not listed")?;
    has_only(queue, &["name", "visible", "inFlight", "delayed", "deadLetterQueue"]);
    Ok(queue.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_to_the_function_that_it_is_for() -> TestResult {
    let cloud = TestCloud::new().await?;
    ok_body(&cloud, "POST", "queues/hold", Value::Null).await?;
    let whole =
        ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"];
    for (event, visible) in [
        (event("chime:AttendeeJoined"), [1, 0]),
        (event("chime:MeetingEnded"), [2, 0]),
        (on_our_bus(&cloud, pending())?, [2, 1]),
        // That of transcript.
        (event("chime:TranscriptionStarted"), [2, 1]),
        // Matched by no rule: on the bus that only AWS and Chime use here.
        (pending(), [2, 1]),
    ] {
        let put = ok_body(&cloud, "POST", "events", event.clone()).await?;
        has_only(&put, &["event", "rules"]);
        has_only(&put["event"], &whole);
        assert_eq!((&put["event"]["id"], &put["event"]["region"]), (&event["id"], &json!("us-east-1")));
        for (function, visible) in ["attendee", "meeting-manager"].into_iter().zip(visible) {
            assert_eq!(queue(&cloud, function).await?["visible"], visible, "{function}, {event}");
        }
    }

    ok_body(&cloud, "DELETE", "queues/hold", Value::Null).await?;
    assert_eq!(cloud.drain_queues().await?, 0);
    for function in ["attendee", "meeting-manager"] {
        let queue = queue(&cloud, function).await?;
        let left = [&queue["visible"], &queue["inFlight"], &queue["delayed"]];
        assert_eq!(left, [&json!(0), &json!(0), &json!(0)], "{function}");
        assert!(cloud.dead_letters(function)?.is_empty());
    }
    let deliveries = get(&cloud, "events").await?;
    let deliveries = list(&deliveries["deliveries"]);
    assert_eq!(deliveries.len(), 4, "that of the transcription to transcript: {deliveries:?}");
    for delivery in deliveries {
        has_only(delivery, &["event", "bus", "rule", "target", "outcome"]);
        assert_eq!(delivery["outcome"], "delivered");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_function_can_read_is_given_up_and_kept() -> TestResult {
    let cloud = TestCloud::new().await?;
    let plan = &cloud.parts().plan;
    for function in ["attendee", "meeting-manager"] {
        let mapping = plan.mappings.iter().find(|mapping| mapping.function == function).ok_or("a mapping")?;
        cloud.hold_queues();
        cloud.parts().queues.send(&mapping.queue, "[]", "test", 0)?;
        let readable = match function {
            "attendee" => event("chime:AttendeeLeft"),
            _ => on_our_bus(&cloud, pending())?,
        };
        cloud.send_event(&readable)?;
        cloud.release_queues();
        for _ in 0..5 {
            assert_eq!(cloud.drain_queues().await?, 1, "the other message is done at once");
            cloud.parts().clock.advance(126);
        }
        assert_eq!(cloud.drain_queues().await?, 0);
        assert_eq!(cloud.dead_letters(function)?, [json!([])]);

        let queues = get(&cloud, "queues").await?;
        let name = queue(&cloud, function).await?["deadLetterQueue"].clone();
        let dead = list(&queues["queues"]).iter().find(|queue| queue["name"] == name).ok_or("its queue")?;
        let message = &dead["messages"][0];
        has_only(message, &["id", "receives", "sentAt", "md5", "body"]);
        assert_eq!((&message["receives"], &message["body"]), (&json!(5), &json!("[]")));
        let lines: Vec<_> =
            cloud.parts().lambda.logs().into_iter().filter(|line| line.function == function).collect();
        let failures = lines.iter().filter(|line| line.line.contains("\"message failed\"")).count();
        assert_eq!(failures, 5, "once for each failure: {lines:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_none_is_refused() -> TestResult {
    let cloud = TestCloud::new().await?;
    for body in [
        json!({}),
        json!({"source": "aws.chime", "detail-type": "x"}),
        json!({"source": "aws.chime", "detail-type": "x", "detail": []}),
        json!({"source": "aws.chime", "detail-type": "x", "detail": {}, "surprise": 1}),
    ] {
        is_refused(&cloud.control_api("POST", "events", &body).await?);
    }
    assert_eq!(get(&cloud, "bus").await?, json!({"events": []}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_chime_is_lost_on_demand() -> TestResult {
    let cloud = TestCloud::new().await?;
    let fault = json!({"service": "events", "operation": "chime:MeetingEnded", "kind": "lose", "nth": 1});
    ok_body(&cloud, "POST", "faults", fault).await?;
    let started = cloud.scenario().await?.provider.start().await?;
    let meeting = started.text("meetingId");
    let lost = cloud.chime_event(&meeting, "MeetingEnded", None)?;
    let came = cloud.chime_event(&meeting, "MeetingEnded", None)?;
    assert!(cloud.picked(&lost).is_empty());
    assert_eq!(cloud.picked(&came).len(), 1);
    assert_eq!(list(&get(&cloud, "events").await?["deliveries"])[0]["outcome"], "lost");
    assert_eq!(cloud.drain_queues().await?, 0);
    Ok(())
}
