//! What the host application is told: when a call starts and ends, on the bus, whatever goes wrong in between.

use local::faults::Kind;
use local_testing::{Outcome, Play, Stage};
use serde_json::{Value, json};

const FUNCTION: &str = "meeting-manager";

/// What came to our bus about an appointment, in order.
fn told(stage: &Stage, play: &Play) -> Vec<Value> {
    let all = stage.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    all.into_iter()
        .filter(|event| {
            event["source"] == bus::SOURCE && event["detail"]["appointmentId"] == play.appointment.as_str()
        })
        .collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["detail-type"].as_str()).collect()
}

async fn untold(stage: &Stage) -> Outcome<String> {
    stage.sql("SELECT count(*) FROM medzen.notices WHERE told_at IS NULL").await
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_everyone_learns_that_the_call_began_and_that_it_ended() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let started = play.provider.start().await?;
    // Chime tells that the meeting is there a moment later; a start does not wait for the bus.
    stage.chime_event(&started.text("meetingId"), "MeetingStarted", None)?;
    stage.drain_queues().await?;
    let begun = told(&stage, &play);
    assert_eq!(kinds(&begun), ["Call Started"]);
    assert_eq!(begun[0]["detail"]["userIds"], json!([play.patient.id]), "whoever started it knows");
    assert_eq!(begun[0]["detail"]["sessionId"], started.body["sessionId"]);

    let guests =
        json!({ "action": "batch-join", "appointmentId": play.appointment, "userIds": [play.stranger.id] });
    assert_eq!(play.provider.ask("POST", "/meetings", &guests).await?.brief(), "200");
    assert_eq!(play.provider.end().await?.brief(), "200");
    let all = told(&stage, &play);
    assert_eq!(kinds(&all), ["Call Started", "Call Ended"], "at once");
    let ended = &all[1]["detail"];
    let mut everyone = [&play.provider.id, &play.patient.id, &play.stranger.id];
    everyone.sort();
    assert_eq!(ended["userIds"], json!(everyone));
    assert_eq!(
        (&ended["reason"], &ended["endedBy"]),
        (&json!("ended_by_provider"), &json!(play.provider.id))
    );
    assert_eq!(untold(&stage).await?, "0");
    // Nothing about anyone's person.
    let text = Value::from(all).to_string();
    assert!(!text.contains("Provider") && !text.contains("token"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_a_call_that_chime_ended_is_told_too() -> Outcome {
    let stage = Stage::new().await?;
    let (heard, unheard) = (stage.play().await?, stage.play().await?);
    let started = heard.provider.start().await?;
    unheard.provider.start().await?;
    stage.chime_event(&started.text("meetingId"), "MeetingEnded", None)?;
    stage.drain_queues().await?;
    assert_eq!(kinds(&told(&stage, &heard)), ["Call Started", "Call Ended"]);
    stage.parts().clock.advance(301);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(kinds(&told(&stage, &unheard)), ["Call Started", "Call Ended"]);
    assert_eq!(told(&stage, &unheard)[1]["detail"]["reason"], "meeting_gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bus_is_down_calls_go_on_and_the_schedule_tells_later() -> Outcome {
    for kind in [Kind::Error, Kind::Throttle, Kind::Drop] {
        let stage = Stage::new().await?;
        let play = stage.play().await?;
        stage.fault("events", Some("PutEvents"), kind, None);
        assert_eq!(play.provider.start().await?.brief(), "201");
        assert_eq!(play.provider.end().await?.brief(), "200");
        assert_eq!(untold(&stage).await?, "2");
        stage.parts().clock.advance(31);
        assert!(stage.run_schedule(FUNCTION).await.is_err(), "its alarm tells that the bus is down");
        stage.parts().faults.clear();
        stage.parts().clock.advance(60);
        stage.run_schedule(FUNCTION).await?;
        assert_eq!(untold(&stage).await?, "0");
        let ids: std::collections::BTreeSet<String> =
            told(&stage, &play).iter().map(|event| event["detail"]["eventId"].to_string()).collect();
        assert_eq!(ids.len(), 2, "each is told, a lost answer's twice under one id");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_dies_before_it_told_leaves_it_to_the_schedule() -> Outcome {
    for (operation, kind) in [("PutEvents", Kind::KillBefore), ("PutEvents", Kind::KillAfter)] {
        let stage = Stage::new().await?;
        let play = stage.play().await?;
        assert_eq!(play.provider.start().await?.brief(), "201");
        stage.fault("events", Some(operation), kind, None);
        assert!(play.provider.end().await?.status >= 500);
        stage.parts().faults.clear();
        stage.run_schedule(FUNCTION).await?;
        let so_far = told(&stage, &play).iter().filter(|event| event["detail-type"] == "Call Ended").count();
        assert!(so_far <= 1, "whoever writes a notice has half a minute to send it");
        stage.parts().clock.advance(60);
        stage.run_schedule(FUNCTION).await?;
        assert_eq!(untold(&stage).await?, "0");
        assert!(kinds(&told(&stage, &play)).contains(&"Call Ended"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_that_wait_go_ten_at_a_time_and_are_dropped_after_a_week() -> Outcome {
    let stage = Stage::new().await?;
    for _ in 0..15 {
        assert_eq!(stage.play().await?.provider.start().await?.brief(), "201");
    }
    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("PutEvents"), 2, "ten at most at once");
    assert_eq!((untold(&stage).await?.as_str(), watch.count("mark_notices")), ("0", 2));
    stage.parts().clock.advance(8 * 24 * 3600);
    stage.run_schedule(FUNCTION).await?;
    let left = stage.sql("SELECT count(*) FROM medzen.notices WHERE kind = 'Call Started'").await?;
    assert_eq!(left, "0", "and dropped after a week");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_learns_at_once_who_waits_and_only_once() -> Outcome {
    let stage = Stage::with_parameters(&[("WaitingRoom", "on")]).await?;
    let play = stage.play().await?;
    let started = play.provider.start().await?;
    for _ in 0..3 {
        assert_eq!(play.patient.join().await?.brief(), "202");
    }
    let waiting: Vec<Value> = told(&stage, &play)
        .into_iter()
        .filter(|event| event["detail-type"] == "Participant Waiting")
        .collect();
    let [waits] = waiting.as_slice() else { return Err(format!("{waiting:?}").into()) };
    let detail = &waits["detail"];
    assert_eq!(detail["userIds"], json!([play.provider.id]));
    assert_eq!((&detail["userId"], &detail["role"]), (&json!(play.patient.id), &json!("patient")));
    assert_eq!(detail["sessionId"], started.body["sessionId"]);
    Ok(())
}
