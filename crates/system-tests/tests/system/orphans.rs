//! Orphan meetings, and calls whose end event was lost: the reconciler's work on stored events.

use local::faults::FaultKind;
use local_testing::{MeetingEvents, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::outbox;

const FUNCTION: &str = "meeting-manager";

/// An orphan: a meeting that Chime created for a start that was killed and later failed.
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
    let meeting_events =
        MeetingEvents { meeting: text("meetingId").ok_or("no id")?, external: text("externalMeetingId") };
    Ok((scenario.appointment, meeting_events))
}

fn ids(meetings: &[Value]) -> Vec<&str> {
    meetings.iter().filter_map(|meeting| meeting["meetingId"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_no_open_session_owns_is_ended_after_two_minutes() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (appointment, meeting_events) = orphan(&cloud).await?;
    let kept = cloud.scenario().await?;
    let started = kept.provider.start().await?;
    let clock = &cloud.parts().clock;
    let owned = MeetingEvents::of(&cloud, &started);
    let events = [
        meeting_events.meeting("MeetingStarted", clock.now())?,
        owned.meeting("MeetingStarted", clock.now())?,
    ];
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
    let audit_events = outbox::events(&cloud, &appointment).await?;
    assert_eq!(audit_events, "call.failed, meeting.unowned_ended");

    let watch = cloud.watch();
    clock.advance(60);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("DeleteMeeting"), 0, "once");
    Ok(())
}

/// A start that is taken over again and again may be creating for longer than two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_whose_session_is_still_creating_is_not_an_orphan() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (_, meeting_events) = orphan(&cloud).await?;
    let started = meeting_events.meeting("MeetingStarted", cloud.parts().clock.now())?;
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
    let (_, mut meeting_events) = orphan(&cloud).await?;
    meeting_events.external = Some(format!("not-{}", meeting_events.external.unwrap_or_default()));
    let started = meeting_events.meeting("MeetingStarted", cloud.parts().clock.now())?;
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
    let (_, mut meeting_events) = orphan(&cloud).await?;
    let external = meeting_events.external.take().ok_or("an external id")?;
    let (prefix, session) = external.split_at(external.len() - 36);
    meeting_events.external = Some(format!("{prefix}prod-{session}"));
    let started = meeting_events.meeting("MeetingStarted", cloud.parts().clock.now())?;
    assert_eq!(cloud.deliver("attendee", &[started]).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(200);
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!((watch.count("DeleteMeeting"), cloud.live_meetings().len()), (0, 1));
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_meetings").await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_whose_first_event_arrives_after_its_call_is_not_an_orphan() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    let meeting_events = MeetingEvents::of(&cloud, &started);
    let late = meeting_events.meeting("MeetingStarted", cloud.parts().clock.now())?;
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    // The event of its start arrives late, that of its end never.
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
    let (_, meeting_events) = orphan(&cloud).await?;
    let started = meeting_events.meeting("MeetingStarted", cloud.parts().clock.now())?;
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
async fn every_missed_end_is_found_within_two_runs() -> TestResult {
    const CALLS: usize = 30;
    let cloud = TestCloud::new().await?;
    for _ in 0..CALLS {
        let scenario = cloud.scenario().await?;
        let started = scenario.provider.start().await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        let meeting_events = MeetingEvents::of(&cloud, &started);
        let (attendee, now) = (started.text("attendeeToken"), cloud.parts().clock.now());
        // Delivered: the provider joined and left. Lost: the meeting ended.
        let events = [
            meeting_events.attendee("AttendeeJoined", now, &attendee, &scenario.provider.id)?,
            meeting_events.attendee(
                "AttendeeLeft",
                now + time::Duration::SECOND,
                &attendee,
                &scenario.provider.id,
            )?,
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
async fn events_of_unknown_meetings_are_deleted_after_two_days() -> TestResult {
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
    for (seconds, left) in [(172_000, "2 0"), (1_000, "0 0")] {
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
        assert_eq!(cloud.sql(kept).await?, left, "the events of the failed publishes stay pending");
    }
    Ok(())
}
