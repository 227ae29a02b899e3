//! Start under pressure.

use std::collections::BTreeMap;

use local::faults::FaultKind;
use local_testing::{TestCloud, TestResult};
use tokio::task::JoinSet;

use crate::invariants;

/// Both sides created a meeting at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_starts_at_the_same_moment_make_one_meeting() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    // Fifty environments begin here; that two cores may be late with that is not what this test is about.
    let mut warm = JoinSet::new();
    for _ in 0..50 {
        let provider = scenario.provider.clone();
        warm.spawn(async move { provider.status().await });
    }
    warm.join_all().await;
    let watch = cloud.watch();

    let mut starts = JoinSet::new();
    for _ in 0..50 {
        let provider = scenario.provider.clone();
        starts.spawn(async move { provider.start().await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = starts.join_next().await {
        answers.push(answer??);
    }

    let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
    for answer in &answers {
        *statuses.entry(answer.status).or_default() += 1;
        assert_eq!(answer.body, answers[0].body, "50 equal answers");
    }
    assert_eq!(statuses, BTreeMap::from([(201, 1), (200, 49)]));
    assert_eq!(cloud.meetings().len(), 1, "one meeting in the engine");
    let sessions =
        format!("SELECT count(*) FROM video_call_sessions WHERE appointment_id = '{}'", scenario.appointment);
    assert_eq!(cloud.sql(&sessions).await?, "1", "one session");
    let creates = watch.count("CreateMeetingWithAttendees");
    assert!(creates <= 3, "{creates} CreateMeeting calls");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// One row per appointment, overwritten.
#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_an_appointment_keeps_its_own_session() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let first = scenario.provider.start().await?;
    scenario.provider.end().await?;
    let second = scenario.provider.start().await?;
    assert_eq!(second.brief(), "201");
    assert_ne!(second.body["sessionId"], first.body["sessionId"]);
    assert_ne!(second.body["meetingId"], first.body["meetingId"]);

    let late = serde_json::json!({ "sessionId": first.body["sessionId"] });
    let repeated = scenario.provider.ask("DELETE", "/appointments/{a}/call", &late).await?;
    assert_eq!(repeated.body["sessionId"], first.body["sessionId"]);
    assert_eq!(
        scenario.provider.status().await?.body["callStatus"],
        "active",
        "a late end ends only its own call"
    );
    invariants::hold(&cloud, &scenario.appointment).await
}

/// The provider could not rejoin.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_answers_the_same_place() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let first = scenario.provider.start().await?;
    let second = scenario.provider.start().await?;
    assert_eq!((second.status, &second.body), (200, &first.body));
    assert_eq!(scenario.provider.join().await?.body, first.body, "so does a join");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// The existing app comes back by `create`: a rejoin like any other, in the audit and in the roster.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_who_left_and_starts_again_is_back() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let first = scenario.provider.start().await?;
    assert_eq!(scenario.provider.leave().await?.brief(), "200");
    assert_eq!(scenario.patient.status().await?.body["present"], serde_json::json!([]));

    let again = scenario.provider.start().await?;
    assert_eq!((again.status, &again.body), (200, &first.body), "the same place");
    assert_eq!(scenario.patient.status().await?.body["present"], serde_json::json!([scenario.provider.id]));
    assert_eq!(scenario.provider.leave().await?.text("message"), "You have left the call.");
    cloud.run_schedule("audit").await?;
    let audit = cloud.audit_table(&scenario.appointment)?;
    let events: Vec<_> = audit.iter().filter_map(|entry| entry["event"].as_str()).collect();
    assert_eq!(events, ["call.started", "participant.left", "participant.joined", "participant.left"]);
    invariants::hold(&cloud, &scenario.appointment).await
}

/// A double tap on "start", and then "end": the second start was waiting and must not bring the call back.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waited_does_not_bring_back_an_ended_call() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.status().await?;
    let watch = cloud.watch();
    cloud.slow("chime", Some("CreateMeetingWithAttendees"), 1500);
    let mut starts = JoinSet::new();
    for _ in 0..2 {
        let provider = scenario.provider.clone();
        starts.spawn(async move { provider.start().await });
    }
    while watch.count("start_call") < 2 || watch.count("CreateMeetingWithAttendees") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    while let Some(start) = starts.join_next().await {
        assert_eq!(start??.brief(), "410 MEETING_EXPIRED");
    }
    assert!(cloud.live_meetings().is_empty());
    assert_eq!(scenario.provider.status().await?.body["callStatus"], "ended");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// Chime does not say how long it remembers a token, and no client can be in a meeting whose id no response carried.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_token_is_too_old_opens_another_session() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    cloud.fault("chime", Some("CreateMeetingWithAttendees"), FaultKind::Drop, None);
    assert_eq!(scenario.provider.start().await?.brief(), "503 UNAVAILABLE");
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(31);
    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    let sessions = format!(
        "SELECT string_agg(status, ',' ORDER BY created_at) FROM video_call_sessions WHERE appointment_id = '{}'",
        scenario.appointment
    );
    assert_eq!(cloud.sql(&sessions).await?, "failed,active");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_chime_refuses_leaves_nothing_open() -> TestResult {
    let cloud =
        TestCloud::with(local::chime::Options { active_meetings: 0, rate: None, ..Default::default() })
            .await?;
    let scenario = cloud.scenario().await?;
    let refused = scenario.provider.start().await?;
    assert_eq!(refused.brief(), "429 CALL_LIMIT_REACHED");
    assert_eq!(refused.headers.get("retry-after").map(String::as_str), Some("30"));
    assert_eq!(scenario.provider.status().await?.body["callStatus"], "failed");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// The answer to the creation was lost: the next start must get the same meeting, at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_answer_is_lost_is_repaired_by_the_next() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.status().await?;
    cloud.fault("chime", Some("CreateMeetingWithAttendees"), FaultKind::Drop, None);
    let lost = scenario.provider.start().await?;
    assert_eq!(lost.brief(), "503 UNAVAILABLE");
    assert!(lost.headers.contains_key("retry-after"));
    cloud.parts().faults.clear();

    let watch = cloud.watch();
    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    assert_eq!(watch.count("take_over"), 1);
    assert!(watch.count("load_call") <= 1, "it did not wait: {:?}", watch.operations());
    assert_eq!(cloud.meetings().len(), 1, "the meeting of the lost answer");
    invariants::hold(&cloud, &scenario.appointment).await
}

/// The provider ends the call while the meeting is still being made: the request that creates it must delete it.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_during_the_start_leaves_no_meeting() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    scenario.provider.status().await?;
    let watch = cloud.watch();
    cloud.slow("chime", Some("CreateMeetingWithAttendees"), 1500);
    let provider = scenario.provider.clone();
    let starting = tokio::spawn(async move { provider.start().await });
    while watch.count("CreateMeetingWithAttendees") == 0 {
        tokio::task::yield_now().await;
    }
    let ended = scenario.provider.end().await?;
    assert_eq!(ended.brief(), "200", "{:?}", ended.body);
    assert_eq!(starting.await??.brief(), "410 MEETING_EXPIRED");
    assert!(cloud.live_meetings().is_empty(), "whoever made the meeting deleted it");
    invariants::hold(&cloud, &scenario.appointment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_made_in_the_control_region_of_the_template_and_stays_there() -> TestResult {
    let cloud = TestCloud::with_parameters(&[
        ("ControlRegion", "eu-central-1"),
        ("Recording", "off"),
        ("Transcription", "off"),
    ])
    .await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let arn = started.body["meeting"]["MeetingArn"].as_str().ok_or("an ARN")?.to_owned();
    assert!(arn.starts_with("arn:aws:chime:eu-central-1:"), "{arn}");
    let region = "SELECT control_region FROM video_call_sessions";
    assert_eq!(cloud.sql(region).await?, "eu-central-1");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert!(cloud.live_meetings().is_empty());
    Ok(())
}
