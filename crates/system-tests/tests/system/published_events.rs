//! The events that the host application receives on the bus: start and end of a call, despite failures.

use local::faults::FaultKind;
use local_testing::{Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

const FUNCTION: &str = "meeting-manager";

/// The events on our bus for an appointment, in order.
fn published_events(cloud: &TestCloud, scenario: &Scenario) -> Vec<Value> {
    let all = cloud.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    all.into_iter()
        .filter(|event| {
            event["source"] == bus::SOURCE
                && event["detail"]["appointmentId"] == scenario.appointment.as_str()
        })
        .collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["detail-type"].as_str()).collect()
}

async fn unpublished_count(cloud: &TestCloud) -> TestResult<String> {
    cloud.sql("SELECT count(*) FROM medzen.pending_operations WHERE operation = 'publish_event' AND completed_at IS NULL").await
}

#[tokio::test(flavor = "multi_thread")]
async fn start_and_end_of_a_call_are_published_for_everyone_in_it() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    // Chime sends MeetingStarted a moment later; a start does not wait for the bus.
    cloud.chime_event(&started.text("meetingId"), "MeetingStarted", None)?;
    cloud.drain_queues().await?;
    let begun = published_events(&cloud, &scenario);
    assert_eq!(kinds(&begun), ["Call Started"]);
    assert_eq!(
        begun[0]["detail"]["userIds"],
        json!([scenario.patient.id]),
        "the user who started it is left out"
    );
    assert_eq!(begun[0]["detail"]["sessionId"], started.body["sessionId"]);

    let guests = json!({ "action": "batch-join", "appointmentId": scenario.appointment, "userIds": [scenario.stranger.id] });
    assert_eq!(scenario.provider.ask("POST", "/meetings", &guests).await?.brief(), "200");
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    let all = published_events(&cloud, &scenario);
    assert_eq!(kinds(&all), ["Call Started", "Call Ended"], "at once");
    let ended = &all[1]["detail"];
    let mut everyone = [&scenario.provider.id, &scenario.patient.id, &scenario.stranger.id];
    everyone.sort();
    assert_eq!(ended["userIds"], json!(everyone));
    assert_eq!(
        (&ended["reason"], &ended["endedBy"]),
        (&json!("ended_by_provider"), &json!(scenario.provider.id))
    );
    assert_eq!(unpublished_count(&cloud).await?, "0");
    // No personal data.
    let text = Value::from(all).to_string();
    assert!(!text.contains("Provider") && !text.contains("token"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_chime_ended_is_published_too() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (with_event, without_event) = (cloud.scenario().await?, cloud.scenario().await?);
    let started = with_event.provider.start().await?;
    without_event.provider.start().await?;
    cloud.chime_event(&started.text("meetingId"), "MeetingEnded", None)?;
    cloud.drain_queues().await?;
    assert_eq!(kinds(&published_events(&cloud, &with_event)), ["Call Started"], "it is to be verified");
    cloud.parts().clock.advance(2);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(kinds(&published_events(&cloud, &with_event)), ["Call Started", "Call Ended"]);
    assert_eq!(published_events(&cloud, &with_event)[1]["detail"]["reason"], "meeting_ended");
    cloud.parts().clock.advance(301);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(kinds(&published_events(&cloud, &without_event)), ["Call Started", "Call Ended"]);
    assert_eq!(published_events(&cloud, &without_event)[1]["detail"]["reason"], "meeting_gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bus_is_down_calls_go_on_and_the_schedule_publishes_later() -> TestResult {
    for kind in [FaultKind::Error, FaultKind::Throttle, FaultKind::Drop] {
        let cloud = TestCloud::new().await?;
        let scenario = cloud.scenario().await?;
        cloud.fault("events", Some("PutEvents"), kind, None);
        assert_eq!(scenario.provider.start().await?.brief(), "201");
        assert_eq!(scenario.provider.end().await?.brief(), "200");
        assert_eq!(unpublished_count(&cloud).await?, "2");
        cloud.parts().clock.advance(31);
        assert!(cloud.run_schedule(FUNCTION).await.is_err(), "the failed run raises the alarm");
        let released = cloud
            .sql(
                "SELECT string_agg(last_error, ' ') FROM medzen.pending_operations
                 WHERE operation = 'publish_event' AND leased_until IS NULL",
            )
            .await?;
        assert_eq!(released, "UNAVAILABLE UNAVAILABLE", "each has its cause and waits for no lease");
        cloud.parts().faults.clear();
        cloud.parts().clock.advance(60);
        cloud.run_schedule(FUNCTION).await?;
        assert_eq!(unpublished_count(&cloud).await?, "0");
        let ids: std::collections::BTreeSet<String> = published_events(&cloud, &scenario)
            .iter()
            .map(|event| event["detail"]["eventId"].to_string())
            .collect();
        assert_eq!(ids.len(), 2, "each is published; after a lost answer twice with one id");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_function_killed_before_publishing_is_published_by_the_schedule() -> TestResult {
    for (operation, kind) in [("PutEvents", FaultKind::KillBefore), ("PutEvents", FaultKind::KillAfter)] {
        let cloud = TestCloud::new().await?;
        let scenario = cloud.scenario().await?;
        assert_eq!(scenario.provider.start().await?.brief(), "201");
        cloud.fault("events", Some(operation), kind, None);
        assert!(scenario.provider.end().await?.status >= 500);
        cloud.parts().faults.clear();
        cloud.run_schedule(FUNCTION).await?;
        let so_far = published_events(&cloud, &scenario)
            .iter()
            .filter(|event| event["detail-type"] == "Call Ended")
            .count();
        assert!(so_far <= 1, "the function that inserts an event has 30 s to publish it");
        cloud.parts().clock.advance(60);
        cloud.run_schedule(FUNCTION).await?;
        assert_eq!(unpublished_count(&cloud).await?, "0");
        assert!(kinds(&published_events(&cloud, &scenario)).contains(&"Call Ended"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_wait_are_published_ten_at_a_time_and_deleted_after_a_week() -> TestResult {
    let cloud = TestCloud::new().await?;
    let now = cloud.parts().clock.now().unix_timestamp();
    let fifteen = format!(
        "SELECT count(medzen.enqueue_event('Call Started', NULL, '{{}}', to_timestamp({now}), to_timestamp({now}), NULL))::text
         FROM generate_series(1, 15)"
    );
    assert_eq!(cloud.sql(&fifteen).await?, "15");
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("PutEvents"), 2, "ten at most at once");
    assert_eq!((unpublished_count(&cloud).await?.as_str(), watch.count("complete_operations")), ("0", 2));
    cloud.parts().clock.advance(8 * 24 * 3600);
    cloud.run_schedule(FUNCTION).await?;
    let left = cloud
        .sql("SELECT count(*) FROM medzen.pending_operations WHERE payload ->> 'detailType' = 'Call Started'")
        .await?;
    assert_eq!(left, "0", "and dropped after a week");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn participant_waiting_is_published_to_the_provider_at_once_and_only_once() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("WaitingRoom", "on")]).await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    for _ in 0..3 {
        assert_eq!(scenario.patient.join().await?.brief(), "202");
    }
    let waiting: Vec<Value> = published_events(&cloud, &scenario)
        .into_iter()
        .filter(|event| event["detail-type"] == "Participant Waiting")
        .collect();
    let [waits] = waiting.as_slice() else { return Err(format!("{waiting:?}").into()) };
    let detail = &waits["detail"];
    assert_eq!(detail["userIds"], json!([scenario.provider.id]));
    assert_eq!((&detail["userId"], &detail["role"]), (&json!(scenario.patient.id), &json!("patient")));
    assert_eq!(detail["sessionId"], started.body["sessionId"]);
    Ok(())
}
