//! The cases a newcomer tries first.

use local_testing::{TestCloud, TestResult};
use tokio::task::JoinSet;

use crate::invariants;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_starts_a_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;

    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);

    let meetings = cloud.live_meetings();
    assert_eq!(meetings.len(), 1, "one meeting in Chime");
    assert_eq!(meetings[0]["meetingId"], started.body["meetingId"]);
    assert_eq!(meetings[0]["attendees"].as_array().map(Vec::len), Some(1));
    let session = started.text("sessionId");
    let row = cloud
        .sql(&format!("SELECT status || ' ' || meeting_id FROM video_call_sessions WHERE id = '{session}'"))
        .await?;
    assert_eq!(row, format!("active {}", started.text("meetingId")));
    assert_eq!(participants(&cloud, &session).await?, "provider joined");

    cloud.run_schedule("audit").await?;
    let audit = cloud.audit_table(&scenario.appointment)?;
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0]["event"], "call.started");
    assert_eq!(audit[0]["actor"], scenario.provider.id.as_str());
    Ok(())
}

/// The client's SDK wants `Meeting` and `Attendee` exactly as Chime gave them.
#[tokio::test(flavor = "multi_thread")]
async fn a_patient_joins_with_meeting_and_attendee_as_chime_gave_them() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;

    let joined = scenario.patient.join().await?;
    assert_eq!(joined.brief(), "200", "{:?}", joined.body);
    assert_eq!(joined.body["meeting"], started.body["meeting"]);
    for url in ["AudioHostUrl", "SignalingUrl", "TurnControlUrl", "EventIngestionUrl"] {
        assert!(joined.body["meeting"]["MediaPlacement"][url].is_string(), "{url}: {:?}", joined.body);
    }
    assert_eq!(joined.body["attendee"]["ExternalUserId"], scenario.patient.id.as_str());
    assert!(joined.body["attendee"]["JoinToken"].is_string());
    assert_eq!(joined.body["attendeeToken"], joined.body["attendee"]["AttendeeId"]);
    assert_eq!(joined.body["role"], "patient");

    let meetings = cloud.live_meetings();
    assert_eq!(meetings[0]["attendees"].as_array().map(Vec::len), Some(2), "a second attendee");
    for caller in [&scenario.provider, &scenario.patient] {
        let roster = caller.roster().await?;
        let people: Vec<_> = roster.body["attendees"]
            .as_array()
            .ok_or("a roster")?
            .iter()
            .map(|person| (person["userId"].as_str(), person["present"].as_bool(), person["status"].as_str()))
            .collect();
        let expected = [&scenario.provider.id, &scenario.patient.id]
            .map(|id| (Some(id.as_str()), Some(true), Some("joined")));
        assert_eq!(people, expected);
        assert!(!roster.body.to_string().contains("JoinToken"), "a roster bears no tokens");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_ends_the_call_for_everyone() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    scenario.patient.join().await?;
    cloud.parts().clock.advance(125);

    let ended = scenario.provider.end().await?;
    assert_eq!(ended.brief(), "200", "{:?}", ended.body);
    assert_eq!(ended.body["callStatus"], "ended");
    let seconds = ended.body["durationSeconds"].as_i64().ok_or("a duration")?;
    assert!((125..140).contains(&seconds), "{seconds} s");
    assert!(cloud.live_meetings().is_empty(), "the meeting is gone");
    let session = started.text("sessionId");
    assert_eq!(participants(&cloud, &session).await?, "patient left,provider left");
    let stored = cloud
        .sql(&format!("SELECT duration_seconds FROM video_call_sessions WHERE id = '{session}'"))
        .await?;
    assert_eq!(stored, seconds.to_string());
    assert_eq!(scenario.patient.status().await?.body["callStatus"], "ended");
    assert_eq!(scenario.patient.join().await?.brief(), "404 NO_ACTIVE_CALL");

    let again = scenario.provider.end().await?;
    assert_eq!(again.brief(), "200", "ending twice is no error");
    assert_eq!(again.body["endedAt"], ended.body["endedAt"]);
    invariants::hold(&cloud, &scenario.appointment).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_at_once_do_not_touch_each_other() -> TestResult {
    let cloud = std::sync::Arc::new(TestCloud::new().await?);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let cloud = std::sync::Arc::clone(&cloud);
        calls.spawn(async move {
            let scenario = cloud.scenario().await?;
            // A hundred environments begin here; that two cores may be late with that is not what this test is about.
            let (_warm, _too) = tokio::join!(scenario.provider.status(), scenario.patient.roster());
            let started = scenario.provider.start().await?;
            assert_eq!(started.brief(), "201", "{:?}", started.body);
            let joined = scenario.patient.join().await?;
            assert_eq!(joined.brief(), "200", "{:?}", joined.body);
            assert_eq!(joined.body["meetingId"], started.body["meetingId"]);
            let roster = scenario.patient.roster().await?;
            assert_eq!(roster.body["attendees"].as_array().map(Vec::len), Some(2), "{:?}", roster.body);
            TestResult::Ok((scenario, started.text("meetingId")))
        });
    }
    let mut meetings = std::collections::HashSet::new();
    let mut scenarios = Vec::new();
    while let Some(call) = calls.join_next().await {
        let (scenario, meeting) = call??;
        meetings.insert(meeting);
        scenarios.push(scenario);
    }
    assert_eq!(meetings.len(), 50, "each its own meeting");
    assert_eq!(cloud.live_meetings().len(), 50);
    let ended = scenarios[0].provider.end().await?;
    assert_eq!(ended.brief(), "200");
    assert_eq!(cloud.live_meetings().len(), 49, "ending one ends one");
    for scenario in &scenarios {
        invariants::hold(&cloud, &scenario.appointment).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_leaves_may_come_again() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.start().await?;
    let joined = scenario.patient.join().await?;

    let left = scenario.patient.leave().await?;
    assert_eq!((left.brief().as_str(), &left.body["canRejoin"]), ("200", &true.into()));
    assert_eq!(scenario.patient.leave().await?.brief(), "200", "leaving twice is no error");
    let status = scenario.provider.status().await?;
    assert_eq!(status.body["present"], serde_json::json!([scenario.provider.id]));
    assert_eq!(status.body["callStatus"], "active", "the call goes on");

    let again = scenario.patient.join().await?;
    assert_eq!(again.body["attendee"], joined.body["attendee"], "the same attendee");
    invariants::hold(&cloud, &scenario.appointment).await?;
    Ok(())
}

async fn participants(cloud: &TestCloud, session: &str) -> TestResult<String> {
    cloud
        .sql(&format!(
            "SELECT string_agg(role || ' ' || status, ',' ORDER BY role)
             FROM video_call_participants WHERE video_call_id = '{session}'"
        ))
        .await
}
