//! Events put on the bus by hand, and the queues of the real templates that they come to.

use local_testing::{Outcome, Stage};
use serde_json::{Value, json};

use crate::{get, has_only, is_refused, list, told};

fn event(event_type: &str) -> Value {
    json!({
        "source": "aws.chime", "detail-type": "Chime Meeting State Change", "id": "event-1",
        "detail": {
            "version": "0", "eventType": event_type, "timestamp": 1_767_225_600_000_i64,
            "meetingId": "7d9f1c5e-0000-4000-8000-0000000000aa", "attendeeId": "7d9f1c5e-0000-4000-8000-0000000000bb",
        },
    })
}

/// The queue that a function reads, as the door lists it.
async fn queue(stage: &Stage, function: &str) -> Outcome<Value> {
    let queues = get(stage, "queues").await?;
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
async fn an_event_comes_to_the_function_that_it_is_for() -> Outcome {
    let stage = Stage::new().await?;
    told(&stage, "POST", "queues/hold", Value::Null).await?;
    for (event_type, function, other) in [
        ("chime:AttendeeJoined", "attendee", "meeting-manager"),
        ("chime:MeetingEnded", "meeting-manager", "attendee"),
    ] {
        let put = told(&stage, "POST", "events", event(event_type)).await?;
        has_only(&put, &["event", "rules"]);
        let whole =
            ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"];
        has_only(&put["event"], &whole);
        assert_eq!((&put["event"]["id"], &put["event"]["region"]), (&json!("event-1"), &json!("us-east-1")));
        assert_eq!(queue(&stage, function).await?["visible"], 1, "{event_type}");
        let others = queue(&stage, other).await?["visible"].clone();
        assert_eq!(others, i32::from(function == "meeting-manager"), "{event_type}");
    }
    told(&stage, "POST", "events", event("chime:TranscriptionStarted")).await?;

    told(&stage, "DELETE", "queues/hold", Value::Null).await?;
    assert_eq!(stage.drain_queues().await?, 0);
    for function in ["attendee", "meeting-manager"] {
        let queue = queue(&stage, function).await?;
        let left = [&queue["visible"], &queue["inFlight"], &queue["delayed"]];
        assert_eq!(left, [&json!(0), &json!(0), &json!(0)], "{function}");
        assert!(stage.dead_letters(function)?.is_empty());
    }
    let deliveries = get(&stage, "events").await?;
    let deliveries = list(&deliveries["deliveries"]);
    assert_eq!(deliveries.len(), 2, "nobody hears the third: {deliveries:?}");
    for delivery in deliveries {
        has_only(delivery, &["event", "bus", "rule", "target", "outcome"]);
        assert_eq!((&delivery["bus"], &delivery["outcome"]), (&json!("default"), &json!("delivered")));
    }
    assert_eq!(list(&get(&stage, "bus").await?["events"]).len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_function_can_read_is_given_up_and_kept() -> Outcome {
    let stage = Stage::new().await?;
    let plan = &stage.parts().plan;
    for function in ["attendee", "meeting-manager"] {
        let mapping = plan.mappings.iter().find(|mapping| mapping.function == function).ok_or("a mapping")?;
        stage.hold_queues();
        stage.parts().queues.send(&mapping.queue, "[]", "test", 0)?;
        stage.send_event(&event(if function == "attendee" {
            "chime:AttendeeLeft"
        } else {
            "chime:MeetingEnded"
        }))?;
        stage.release_queues();
        for _ in 0..5 {
            assert_eq!(stage.drain_queues().await?, 1, "the other message is done at once");
            stage.parts().clock.advance(126);
        }
        assert_eq!(stage.drain_queues().await?, 0);
        assert_eq!(stage.dead_letters(function)?, [json!([])]);

        let queues = get(&stage, "queues").await?;
        let name = queue(&stage, function).await?["deadLetterQueue"].clone();
        let dead = list(&queues["queues"]).iter().find(|queue| queue["name"] == name).ok_or("its queue")?;
        let message = &dead["messages"][0];
        has_only(message, &["id", "receives", "sentAt", "md5", "body"]);
        assert_eq!((&message["receives"], &message["body"]), (&json!(5), &json!("[]")));
        let lines: Vec<_> =
            stage.parts().lambda.logs().into_iter().filter(|line| line.function == function).collect();
        let told = lines.iter().filter(|line| line.line.contains("\"message failed\"")).count();
        assert_eq!(told, 5, "once for each failure: {lines:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_none_is_refused() -> Outcome {
    let stage = Stage::new().await?;
    for body in [
        json!({}),
        json!({"source": "aws.chime", "detail-type": "x"}),
        json!({"source": "aws.chime", "detail-type": "x", "detail": []}),
        json!({"source": "aws.chime", "detail-type": "x", "detail": {}, "surprise": 1}),
    ] {
        is_refused(&stage.door("POST", "events", &body).await?);
    }
    assert_eq!(get(&stage, "bus").await?, json!({"events": []}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_chime_is_lost_on_demand() -> Outcome {
    let stage = Stage::new().await?;
    let fault = json!({"service": "events", "operation": "chime:MeetingEnded", "kind": "lose", "nth": 1});
    told(&stage, "POST", "faults", fault).await?;
    let started = stage.play().await?.provider.start().await?;
    let meeting = started.text("meetingId");
    let lost = stage.chime_event(&meeting, "MeetingEnded", None)?;
    let came = stage.chime_event(&meeting, "MeetingEnded", None)?;
    assert!(stage.picked(&lost).is_empty());
    assert_eq!(stage.picked(&came).len(), 1);
    assert_eq!(list(&get(&stage, "events").await?["deliveries"])[0]["outcome"], "lost");
    assert_eq!(stage.drain_queues().await?, 0);
    Ok(())
}
