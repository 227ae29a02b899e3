//! Joining back: after a network loss, after Chime ended the meeting, from two devices.

use local::faults::FaultKind;
use local_testing::{TestCloud, TestResult};
use serde_json::json;
use tokio::task::JoinSet;

use crate::invariants;

/// A short network drop was taken for the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_rejoin_after_a_network_loss_gives_the_same_attendee() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let joined = scenario.patient.join().await?;
    let meeting = started.text("meetingId");
    for (event, attendee) in [("chime:AttendeeJoined", &joined), ("chime:AttendeeDropped", &joined)] {
        let event = json!({ "eventType": event, "attendeeId": attendee.text("attendeeToken") });
        cloud.parts().chime.event(&meeting, serde_json::from_value(event)?)?;
    }
    cloud.drain_queues().await?;
    let status = scenario.provider.status().await?;
    assert_eq!(status.text("callStatus"), "active", "a connection that is lost ends no call");

    let again = scenario.patient.join().await?;
    assert_eq!(again.brief(), "200");
    assert_eq!(again.body, joined.body, "the same attendee");
    assert_eq!(cloud.live_meetings()[0]["attendees"].as_array().map(Vec::len), Some(2));
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_of_one_person_get_the_same_attendee() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let mut joins = JoinSet::new();
    for _ in 0..8 {
        let patient = scenario.patient.clone();
        joins.spawn(async move { patient.join().await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = joins.join_next().await {
        answers.push(answer??);
    }
    for answer in &answers {
        assert_eq!(answer.brief(), "200", "{:?}", answer.body);
        assert_eq!(answer.body, answers[0].body);
    }
    let attendees = cloud.live_meetings()[0]["attendees"].as_array().map(Vec::len);
    assert_eq!(attendees, Some(2), "what was made in vain was taken back");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// Stale "active" calls. Chime ends a meeting that nobody is in after five minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_patient_who_joins_a_dead_meeting_hears_that_it_is_over() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.join().await?;
    cloud.parts().clock.advance(330);
    assert!(cloud.live_meetings().is_empty());

    assert_eq!(scenario.patient.join().await?.brief(), "410 MEETING_EXPIRED");
    assert_eq!(scenario.patient.status().await?.body["callStatus"], "ended");
    assert_eq!(scenario.patient.join().await?.brief(), "404 NO_ACTIVE_CALL");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_to_a_dead_meeting_hears_that_it_is_over() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    cloud.parts().clock.advance(330);
    assert_eq!(scenario.patient.join().await?.brief(), "410 MEETING_EXPIRED");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_who_comes_back_to_a_dead_meeting_gets_a_new_one() -> TestResult {
    let cloud = TestCloud::new().await?;
    for by_join in [false, true] {
        let scenario = cloud.scenario().await?;
        let first = scenario.provider.start().await?;
        cloud.parts().clock.advance(330);
        let second =
            if by_join { scenario.provider.join().await? } else { scenario.provider.start().await? };
        assert!(second.status < 300, "{:?}", second.body);
        assert_ne!(second.body["meetingId"], first.body["meetingId"]);
        assert_ne!(second.body["sessionId"], first.body["sessionId"]);
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

/// The database still believes in the meeting; the client found it dead and asks for a checked rejoin.
#[tokio::test(flavor = "multi_thread")]
async fn a_checked_rejoin_asks_chime_first() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let joined = scenario.patient.join().await?;
    let checked = json!({ "checked": true });
    let path = "/appointments/{a}/call/attendees";

    let watch = cloud.watch();
    assert_eq!(scenario.patient.ask("POST", path, &checked).await?.body, joined.body);
    assert_eq!(watch.operations(), ["load_call", "GetMeeting", "mark_checked"]);

    // Chime has ended the meeting and its event does not reach the database yet.
    cloud.fault("postgres", Some("insert_events"), FaultKind::Error, None);
    let ended = serde_json::from_value(json!({ "eventType": "chime:MeetingEnded" }))?;
    cloud.parts().chime.event(&started.text("meetingId"), ended)?;
    assert_eq!(scenario.patient.join().await?.brief(), "200", "unchecked, it is still believed");
    let watch = cloud.watch();
    assert_eq!(scenario.patient.ask("POST", path, &checked).await?.brief(), "200");
    let operations: Vec<_> =
        watch.operations().into_iter().filter(|operation| operation != "insert_events").collect();
    assert_eq!(operations, ["load_call"], "asked a moment ago: one phone must not use up Chime's quota");
    cloud.parts().clock.advance(11);
    assert_eq!(scenario.patient.ask("POST", path, &checked).await?.brief(), "410 MEETING_EXPIRED");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// The end comes between a join's attendee and the statement that notes it: the statement must not let the join through.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_is_noted_after_the_end_is_refused() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    scenario.patient.status().await?;
    cloud.slow("postgres", Some("join"), 1500);
    let watch = cloud.watch();
    let patient = scenario.patient.clone();
    let joining = tokio::spawn(async move { patient.join().await });
    while watch.count("join") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert_eq!(joining.await??.brief(), "404 NO_ACTIVE_CALL");
    let handed_out = format!(
        "SELECT count(*) FROM medzen.video_call_attendee_tokens WHERE user_id = '{}'",
        scenario.patient.id
    );
    assert_eq!(cloud.sql(&handed_out).await?, "0", "no token of a call that is over");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// A session in `ending` whose end never finished must not stand in the way of the next call.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_finishes_the_end_of_the_call_before() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let first = scenario.provider.start().await?;
    cloud.fault("chime", Some("DeleteMeeting"), local::faults::FaultKind::KillBefore, Some(1));
    assert_eq!(scenario.provider.end().await?.status, 500, "the function died");
    assert_eq!(
        scenario.patient.join().await?.brief(),
        "404 NO_ACTIVE_CALL",
        "nobody joins a call that is ending"
    );

    cloud.parts().clock.advance(100);

    let second = scenario.provider.start().await?;
    assert_eq!(second.brief(), "201", "{:?}", second.body);
    assert_ne!(second.body["meetingId"], first.body["meetingId"]);
    assert_eq!(cloud.live_meetings().len(), 1);
    let duration = format!(
        "SELECT duration_seconds < 60 FROM video_call_sessions WHERE id = '{}'",
        first.text("sessionId")
    );
    assert_eq!(
        cloud.sql(&duration).await?,
        "t",
        "it was over when the provider asked, not when it was finished"
    );
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_all_the_time_is_told_to_slow_down() -> TestResult {
    for waiting_room in ["off", "on"] {
        let cloud = TestCloud::with_parameters(&[("WaitingRoom", waiting_room)]).await?;
        let scenario = cloud.scenario().await?;
        scenario.provider.start().await?;
        for _ in 0..domain::join::MAX_JOINS_PER_MINUTE {
            assert!(matches!(scenario.patient.join().await?.status, 200 | 202), "room {waiting_room}");
            assert_eq!(scenario.patient.leave().await?.brief(), "200");
        }
        let slower = scenario.patient.join().await?;
        assert_eq!(slower.brief(), "429 JOIN_RATE_LIMITED", "room {waiting_room}");
        cloud.parts().clock.advance(61);
        let joined = scenario.patient.join().await?;
        assert!(matches!(joined.status, 200 | 202), "a minute later, room {waiting_room}: {:?}", joined.body);
        assert_eq!(
            scenario.patient.join().await?.body,
            joined.body,
            "who is here may ask as often as they like"
        );
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}
