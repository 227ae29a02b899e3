//! Meetings that nobody owns, and calls whose end nobody heard of: what the reconciler learns from events.

use local::faults::FaultKind;
use local_testing::{MeetingEvents, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::outbox;

const FUNCTION: &str = "meeting-manager";

/// A meeting that Chime made for a start that died and was then failed: nobody owns it.
async fn orphan(cloud: &TestCloud) -> TestResult<(String, MeetingEvents)> {
    let scenario = cloud.scenario().await?;
    cloud.fault("postgres", Some("activate"), FaultKind::KillBefore, Some(1));
    assert!(scenario.provider.start().await?.status >= 500, "the start broke off");
    cloud.parts().faults.clear();
    let session = "SELECT id::text FROM video_call_sessions WHERE status = 'creating'";
    let session = cloud.sql(session).await?;
    let of_session = |meeting: &&Value| {
        meeting["externalMeetingId"].as_str().is_some_and(|external| external.ends_with(&session))
    };
    let meeting = cloud.meetings().iter().find(of_session).cloned().ok_or("no meeting")?;
    let text = |name: &str| meeting[name].as_str().map(str::to_owned);
    let told =
        MeetingEvents { meeting: text("meetingId").ok_or("no id")?, external: text("externalMeetingId") };
    Ok((scenario.appointment, told))
}

fn ids(meetings: &[Value]) -> Vec<&str> {
    meetings.iter().filter_map(|meeting| meeting["meetingId"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_no_open_session_owns_is_ended_after_two_minutes() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (appointment, told) = orphan(&cloud).await?;
    let kept = cloud.scenario().await?;
    let started = kept.provider.start().await?;
    let clock = &cloud.parts().clock;
    let owned = MeetingEvents::of(&cloud, &started);
    let events =
        [told.meeting("MeetingStarted", clock.now())?, owned.meeting("MeetingStarted", clock.now())?];
    assert_eq!(cloud.deliver("attendee", &events).await?, Vec::<usize>::new());

    clock.advance(29);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(cloud.live_meetings().len(), 2, "its session is still creating");
    clock.advance(60);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(cloud.live_meetings().len(), 2, "failed now, but two minutes are not over");
    clock.advance(40);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(ids(&cloud.live_meetings()), [owned.meeting.as_str()], "and not the one that a call owns");
    let told = outbox::events(&cloud, &appointment).await?;
    assert_eq!(told, "call.failed, meeting.unowned_ended");

    let watch = cloud.watch();
    clock.advance(60);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("DeleteMeeting"), 0, "once");
    Ok(())
}

/// A start that is taken over again and again may be creating for longer than two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_whose_session_is_still_creating_is_not_nobody_s() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (_, told) = orphan(&cloud).await?;
    let started = told.meeting("MeetingStarted", cloud.parts().clock.now())?;
    assert_eq!(cloud.deliver("attendee", &[started]).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(180);
    let now = cloud.parts().clock.now().unix_timestamp();
    cloud
        .sql(&format!("UPDATE video_call_sessions SET updated_at = to_timestamp({now}) RETURNING ''"))
        .await?;
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!((watch.count("DeleteMeeting"), cloud.live_meetings().len()), (0, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_of_another_application_is_left_alone() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (_, mut told) = orphan(&cloud).await?;
    told.external = Some(format!("not-{}", told.external.unwrap_or_default()));
    let started = told.meeting("MeetingStarted", cloud.parts().clock.now())?;
    assert_eq!(cloud.deliver("attendee", &[started]).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(200);
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!((watch.count("DeleteMeeting"), cloud.live_meetings().len()), (0, 1));
    Ok(())
}

/// The prefix `medzen-` begins `medzen-prod-` too: one deployment must not end the calls of another in its account.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_of_a_deployment_whose_name_begins_with_ours_is_left_alone() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (_, mut told) = orphan(&cloud).await?;
    let external = told.external.take().ok_or("an external id")?;
    let (prefix, session) = external.split_at(external.len() - 36);
    told.external = Some(format!("{prefix}prod-{session}"));
    let started = told.meeting("MeetingStarted", cloud.parts().clock.now())?;
    assert_eq!(cloud.deliver("attendee", &[started]).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(200);
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!((watch.count("DeleteMeeting"), cloud.live_meetings().len()), (0, 1));
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_meetings").await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_heard_of_only_after_its_call_was_not_nobody_s() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let told = MeetingEvents::of(&cloud, &started);
    let late = told.meeting("MeetingStarted", cloud.parts().clock.now())?;
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    // That it started comes late, that it ended never.
    assert_eq!(cloud.deliver("attendee", &[late]).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(200);
    cloud.run_schedule(FUNCTION).await?;
    let audited = outbox::events(&cloud, &scenario.appointment).await?;
    assert_eq!(audited, "call.started, call.end_requested, call.ended", "and of no other meeting");
    let open = "SELECT count(*) FROM medzen.chime_meetings WHERE ended_at IS NULL";
    assert_eq!(cloud.sql(open).await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_chime_does_not_let_be_ended_is_tried_again() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (_, told) = orphan(&cloud).await?;
    let started = told.meeting("MeetingStarted", cloud.parts().clock.now())?;
    assert_eq!(cloud.deliver("attendee", &[started]).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(121);
    cloud.fault("chime", Some("DeleteMeeting"), FaultKind::Error, None);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(cloud.live_meetings().len(), 1);
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(60);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(cloud.live_meetings().len(), 0);
    let over = cloud.sql("SELECT count(*) FROM medzen.chime_meetings WHERE ended_at IS NOT NULL").await?;
    assert_eq!(over, "1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_that_was_not_heard_of_is_found_within_two_runs() -> TestResult {
    const CALLS: usize = 30;
    let cloud = TestCloud::new().await?;
    for _ in 0..CALLS {
        let scenario = cloud.scenario().await?;
        let started = scenario.provider.start().await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        let told = MeetingEvents::of(&cloud, &started);
        let (attendee, now) = (started.text("attendeeToken"), cloud.parts().clock.now());
        // ParsedEvent: that the provider came and went. Lost: that the meeting ended.
        let events = [
            told.attendee("AttendeeJoined", now, &attendee, &scenario.provider.id)?,
            told.attendee("AttendeeLeft", now + time::Duration::SECOND, &attendee, &scenario.provider.id)?,
        ];
        assert_eq!(cloud.deliver("attendee", &events).await?, Vec::<usize>::new());
    }
    cloud.parts().clock.advance(302);
    assert!(cloud.live_meetings().is_empty(), "Chime has ended them all");
    let open = "SELECT count(*) FROM video_call_sessions WHERE status = 'active'";
    assert_eq!(cloud.sql(open).await?, CALLS.to_string());
    for _ in 0..2 {
        cloud.run_schedule(FUNCTION).await?;
        cloud.parts().clock.advance(60);
    }
    assert_eq!(cloud.sql(open).await?, "0");

    let logs = cloud.parts().lambda.logs();
    let lines: Vec<Value> = logs.iter().filter_map(|line| serde_json::from_str(&line.line).ok()).collect();
    let reconciled: Vec<&Value> = lines.iter().filter(|line| line["message"] == "reconciled").collect();
    for field in ["repaired", "ended_without_event"] {
        let counted: Option<u64> = reconciled.iter().map(|line| line[field].as_u64()).sum();
        assert_eq!(json!(counted), json!(CALLS), "{field}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nobody_s_is_dropped_after_two_days() -> TestResult {
    let cloud = TestCloud::new().await?;
    let unknown =
        MeetingEvents { meeting: "7d9f1c5e-0000-4000-8000-0000000000ff".to_owned(), external: None };
    let now = cloud.parts().clock.now();
    let user = "7d9f1c5e-0000-4000-8000-000000000001";
    let events = [
        unknown.attendee("AttendeeJoined", now, "7d9f1c5e-0000-4000-8000-0000000000ee", user)?,
        unknown.meeting("MeetingEnded", now)?,
    ];
    assert_eq!(cloud.deliver("attendee", &events).await?, Vec::<usize>::new());
    let kept = "SELECT (SELECT count(*) FROM medzen.chime_events) || ' ' || (SELECT count(*) FROM medzen.chime_meetings)";
    for (seconds, left) in [(172_000, "2 1"), (1_000, "0 0")] {
        cloud.parts().clock.advance(seconds);
        cloud.run_schedule(FUNCTION).await?;
        assert_eq!(cloud.sql(kept).await?, left);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn join_tokens_and_counts_of_refusals_are_dropped_two_days_after_they_are_of_use() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (over, on) = (cloud.scenario().await?, cloud.scenario().await?);
    for scenario in [&over, &on] {
        assert_eq!(scenario.provider.start().await?.brief(), "201");
        assert_eq!(scenario.patient.join().await?.brief(), "200");
    }
    assert_eq!(over.provider.end().await?.brief(), "200");
    assert_eq!(over.stranger.join().await?.brief(), "403 NOT_A_MEMBER");
    for _ in 0..12 {
        assert_eq!(on.stranger.join().await?.brief(), "403 NOT_A_MEMBER");
    }
    let kept = "SELECT (SELECT count(*) FROM medzen.video_call_attendee_tokens) || ' ' || (SELECT count(*) FROM medzen.denial_rate_limits)";
    for (seconds, left) in [(172_000, "4 2"), (1_000, "2 1")] {
        cloud.parts().clock.advance(seconds);
        // Chime has ended the other call's meeting by now; its tokens are young.
        cloud.run_schedule(FUNCTION).await?;
        assert_eq!(cloud.sql(kept).await?, left, "what two refusals were not told is kept to be told");
    }
    Ok(())
}
