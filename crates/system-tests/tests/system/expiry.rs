//! States that end by themselves: participants who vanished, calls that everyone left, calls with one who was forgotten.

use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::with_waiting_room;
use crate::{invariants, outbox};

const MEETING: &str = "meeting-manager";

/// A call that the provider started and is connected to.
async fn started(cloud: &TestCloud) -> TestResult<(Scenario, Answer)> {
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    happen(cloud, &started, "AttendeeJoined", &started).await?;
    Ok((scenario, started))
}

/// An attendee connects or leaves, by Chime's events.
async fn happen(cloud: &TestCloud, call: &Answer, kind: &str, place: &Answer) -> TestResult {
    cloud.chime_event(&call.text("meetingId"), kind, Some(&place.text("attendeeToken")))?;
    cloud.drain_queues().await?;
    Ok(())
}

async fn row(cloud: &TestCloud, caller: &Caller, columns: &str) -> TestResult<String> {
    cloud.sql(&format!("SELECT {columns} FROM video_call_participants WHERE user_id = '{}'", caller.id)).await
}

async fn session(cloud: &TestCloud, call: &Answer, columns: &str) -> TestResult<String> {
    let id = call.text("sessionId");
    cloud.sql(&format!("SELECT {columns} FROM video_call_sessions WHERE id = '{id}'")).await
}

/// Lets the time pass and runs the reconciler. Returns the attendees that it deleted.
async fn after(cloud: &TestCloud, seconds: u32) -> TestResult<usize> {
    cloud.parts().clock.advance(seconds);
    let watch = cloud.watch();
    cloud.run_schedule(MEETING).await?;
    Ok(watch.count("DeleteAttendee"))
}

async fn expired(cloud: &TestCloud, scenario: &Scenario) -> TestResult<Vec<Value>> {
    let chain = outbox::chain(cloud, &format!("APPT#{}", scenario.appointment)).await?;
    let expired = chain.iter().filter(|entry| entry["event"] == "participant.expired");
    Ok(expired.map(|entry| json!([entry["userId"], entry["reason"], entry["actor"]])).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_patient_who_stops_asking_has_left() -> TestResult {
    let cloud = with_waiting_room().await?;
    let (scenario, _started) = started(&cloud).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "202");
    // A patient who asks stays, however long it takes.
    for _ in 0..4 {
        assert_eq!(after(&cloud, 60).await?, 0);
        let status = scenario.patient.status().await?;
        assert_eq!(status.body["me"]["status"], "waiting", "{:?}", status.body);
    }
    // So does one that repeats the join instead.
    for _ in 0..3 {
        after(&cloud, 60).await?;
        assert_eq!(scenario.patient.join().await?.brief(), "202");
    }
    assert_eq!(expired(&cloud, &scenario).await?, Vec::<Value>::new());
    after(&cloud, 89).await?;
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "waiting", "not yet");
    after(&cloud, 3).await?;
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "left");
    assert_eq!(scenario.provider.status().await?.body["waiting"], json!([]));
    assert_eq!(expired(&cloud, &scenario).await?, [json!([scenario.patient.id, "not_seen", null])]);
    assert_eq!(scenario.patient.join().await?.brief(), "202", "coming back is waiting anew");
    assert_eq!(scenario.provider.status().await?.body["waiting"].as_array().map(Vec::len), Some(1));
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_who_never_connects_has_left_and_the_token_does_not_work_any_more() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, started) = started(&cloud).await?;
    let joined = scenario.patient.join().await?;
    assert_eq!(joined.brief(), "200");
    assert_eq!(after(&cloud, 118).await?, 0, "not yet");
    assert_eq!(after(&cloud, 4).await?, 1, "the attendee is deleted in the same run");
    assert_eq!(row(&cloud, &scenario.patient, "status || ' ' || duration_seconds").await?, "left 0");
    assert_eq!(row(&cloud, &scenario.provider, "status").await?, "joined", "the connected one stays");
    let attendee = joined.text("attendeeToken");
    assert!(!json!(cloud.live_meetings()).to_string().contains(&attendee), "deleted at Chime");
    assert_eq!(expired(&cloud, &scenario).await?, [json!([scenario.patient.id, "not_connected", null])]);

    let consent =
        scenario.provider.ask("PUT", "/appointments/{a}/call/consent", &json!({ "recording": true })).await?;
    assert_eq!(consent.brief(), "200");
    let status = scenario.provider.status().await?;
    assert_eq!(status.body["consent"]["recording"]["allowed"], true, "a participant who left blocks nothing");

    let again = scenario.patient.join().await?;
    assert_eq!(again.brief(), "200");
    assert_ne!(again.text("attendeeToken"), attendee, "a rejoin has a new attendee");
    assert_eq!(again.text("meetingId"), started.text("meetingId"));
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_for_the_status_is_not_disconnected_where_chimes_event_was_lost() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, _started) = started(&cloud).await?;
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    for _ in 0..6 {
        assert_eq!(after(&cloud, 60).await?, 0);
        assert_eq!(scenario.patient.status().await?.brief(), "200");
    }
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "joined");
    assert_eq!(after(&cloud, 92).await?, 1, "once it is silent too, it is gone");
    assert_eq!(row(&cloud, &scenario.patient, "status").await?, "left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_every_participant_left_ends_though_chime_reports_a_connection() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (scenario, started) = started(&cloud).await?;
    // The client stays connected, or the event of its departure is lost: Chime keeps the meeting.
    assert_eq!(scenario.provider.leave().await?.brief(), "200");
    after(&cloud, 298).await?;
    assert_eq!(session(&cloud, &started, "status").await?, "active", "not yet");
    after(&cloud, 4).await?;
    assert_eq!(session(&cloud, &started, "status || ' ' || end_reason").await?, "ended everyone_left");
    assert!(cloud.live_meetings().is_empty());
    assert_eq!(
        outbox::calls(&cloud, &scenario.appointment).await?,
        "call.started, call.end_requested, call.ended"
    );
    assert_eq!(scenario.provider.start().await?.brief(), "201", "a new call may begin");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_who_is_alone_for_long_is_asked_and_the_call_ends_without_an_answer() -> TestResult {
    for answers in [true, false] {
        let cloud = TestCloud::new().await?;
        let (scenario, started) = started(&cloud).await?;
        let patient = scenario.patient.join().await?;
        happen(&cloud, &started, "AttendeeJoined", &patient).await?;
        after(&cloud, 600).await?;
        assert_eq!(scenario.provider.status().await?.body["endsAt"], Value::Null, "two are in the call");
        happen(&cloud, &started, "AttendeeLeft", &patient).await?;
        after(&cloud, 1_790).await?;
        assert_eq!(scenario.provider.status().await?.body["endsAt"], Value::Null, "not yet");
        after(&cloud, 12).await?;
        let status = scenario.provider.status().await?;
        assert!(status.body["endsAt"].is_string(), "{:?}", status.body);
        assert_eq!(
            scenario.patient.status().await?.body["endsAt"],
            Value::Null,
            "only the participant in it is asked"
        );
        if answers {
            let stay = scenario
                .provider
                .ask("POST", "/appointments/{a}/call/attendees", &json!({ "stay": true }))
                .await?;
            assert_eq!(stay.brief(), "200");
            assert_eq!(scenario.provider.status().await?.body["endsAt"], Value::Null);
        }
        after(&cloud, 302).await?;
        let state = session(&cloud, &started, "status || coalesce(' ' || end_reason, '')").await?;
        assert_eq!(state, if answers { "active" } else { "ended forgotten" });
        assert_eq!(cloud.live_meetings().len(), usize::from(answers));
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_before_or_after_an_expiry_is_finished_by_the_next() -> TestResult {
    use local::faults::FaultKind;
    for (operation, kind) in [
        ("expire", FaultKind::KillBefore),
        ("expire", FaultKind::KillAfter),
        ("DeleteAttendee", FaultKind::KillBefore),
        ("DeleteAttendee", FaultKind::KillAfter),
    ] {
        let cloud = TestCloud::new().await?;
        let (scenario, _started) = started(&cloud).await?;
        assert_eq!(scenario.patient.join().await?.brief(), "200");
        cloud.parts().clock.advance(130);
        cloud.fault("*", Some(operation), kind, Some(1));
        assert!(cloud.run_schedule(MEETING).await.is_err(), "{operation} {kind:?}: it was killed");
        cloud.parts().faults.clear();
        after(&cloud, 60).await?;
        assert_eq!(row(&cloud, &scenario.patient, "status").await?, "left", "{operation} {kind:?}");
        let open = "SELECT count(*) FROM medzen.pending_operations WHERE operation = 'delete_attendee' AND completed_at IS NULL";
        assert_eq!(cloud.sql(open).await?, "0", "{operation} {kind:?}");
        assert_eq!(expired(&cloud, &scenario).await?.len(), 1, "{operation} {kind:?}");
    }
    Ok(())
}
