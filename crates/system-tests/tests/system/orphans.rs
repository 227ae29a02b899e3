//! Meetings that nobody owns, and calls whose end nobody heard of: what the reconciler learns from events.

use local::faults::Kind;
use local_testing::{Outcome, Stage, Told};
use serde_json::{Value, json};

use crate::outbox;

const FUNCTION: &str = "meeting-manager";

/// A meeting that Chime made for a start that died and was then failed: nobody owns it.
async fn orphan(stage: &Stage) -> Outcome<(String, Told)> {
    let play = stage.play().await?;
    stage.fault("postgres", Some("activate"), Kind::KillBefore, Some(1));
    assert!(play.provider.start().await?.status >= 500, "the start broke off");
    stage.parts().faults.clear();
    let session = "SELECT id::text FROM video_call_sessions WHERE status = 'creating'";
    let session = stage.sql(session).await?;
    let of_session = |meeting: &&Value| {
        meeting["externalMeetingId"].as_str().is_some_and(|external| external.ends_with(&session))
    };
    let meeting = stage.meetings().iter().find(of_session).cloned().ok_or("no meeting")?;
    let text = |name: &str| meeting[name].as_str().map(str::to_owned);
    let told = Told { meeting: text("meetingId").ok_or("no id")?, external: text("externalMeetingId") };
    Ok((play.appointment, told))
}

fn ids(meetings: &[Value]) -> Vec<&str> {
    meetings.iter().filter_map(|meeting| meeting["meetingId"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_no_open_session_owns_is_ended_after_two_minutes() -> Outcome {
    let stage = Stage::new().await?;
    let (appointment, told) = orphan(&stage).await?;
    let kept = stage.play().await?;
    let started = kept.provider.start().await?;
    let clock = &stage.parts().clock;
    let owned = Told::of(&stage, &started);
    let events =
        [told.meeting("MeetingStarted", clock.now())?, owned.meeting("MeetingStarted", clock.now())?];
    assert_eq!(stage.hear("attendee", &events).await?, Vec::<usize>::new());

    clock.advance(29);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(stage.live_meetings().len(), 2, "its session is still creating");
    clock.advance(60);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(stage.live_meetings().len(), 2, "failed now, but two minutes are not over");
    clock.advance(40);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(ids(&stage.live_meetings()), [owned.meeting.as_str()], "and not the one that a call owns");
    let told = outbox::events(&stage, &appointment).await?;
    assert_eq!(told, "call.failed, meeting.unowned_ended");

    let watch = stage.watch();
    clock.advance(60);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("DeleteMeeting"), 0, "once");
    Ok(())
}

/// A start that is taken over again and again may be creating for longer than two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_whose_session_is_still_creating_is_not_nobody_s() -> Outcome {
    let stage = Stage::new().await?;
    let (_, told) = orphan(&stage).await?;
    let started = told.meeting("MeetingStarted", stage.parts().clock.now())?;
    assert_eq!(stage.hear("attendee", &[started]).await?, Vec::<usize>::new());
    stage.parts().clock.advance(180);
    let now = stage.parts().clock.now().unix_timestamp();
    stage
        .sql(&format!("UPDATE video_call_sessions SET updated_at = to_timestamp({now}) RETURNING ''"))
        .await?;
    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!((watch.count("DeleteMeeting"), stage.live_meetings().len()), (0, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_of_another_application_is_left_alone() -> Outcome {
    let stage = Stage::new().await?;
    let (_, mut told) = orphan(&stage).await?;
    told.external = Some(format!("not-{}", told.external.unwrap_or_default()));
    let started = told.meeting("MeetingStarted", stage.parts().clock.now())?;
    assert_eq!(stage.hear("attendee", &[started]).await?, Vec::<usize>::new());
    stage.parts().clock.advance(200);
    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!((watch.count("DeleteMeeting"), stage.live_meetings().len()), (0, 1));
    Ok(())
}

/// The prefix `medzen-` begins `medzen-prod-` too: one deployment must not end the calls of another in its account.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_of_a_deployment_whose_name_begins_with_ours_is_left_alone() -> Outcome {
    let stage = Stage::new().await?;
    let (_, mut told) = orphan(&stage).await?;
    let external = told.external.take().ok_or("an external id")?;
    let (prefix, session) = external.split_at(external.len() - 36);
    told.external = Some(format!("{prefix}prod-{session}"));
    let started = told.meeting("MeetingStarted", stage.parts().clock.now())?;
    assert_eq!(stage.hear("attendee", &[started]).await?, Vec::<usize>::new());
    stage.parts().clock.advance(200);
    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!((watch.count("DeleteMeeting"), stage.live_meetings().len()), (0, 1));
    assert_eq!(stage.sql("SELECT count(*) FROM medzen.chime_meetings").await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_heard_of_only_after_its_call_was_not_nobody_s() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let started = play.provider.start().await?;
    let told = Told::of(&stage, &started);
    let late = told.meeting("MeetingStarted", stage.parts().clock.now())?;
    assert_eq!(play.provider.end().await?.brief(), "200");
    // That it started comes late, that it ended never.
    assert_eq!(stage.hear("attendee", &[late]).await?, Vec::<usize>::new());
    stage.parts().clock.advance(200);
    stage.run_schedule(FUNCTION).await?;
    let audited = outbox::events(&stage, &play.appointment).await?;
    assert_eq!(audited, "call.started, call.end_requested, call.ended", "and of no other meeting");
    let open = "SELECT count(*) FROM medzen.chime_meetings WHERE over_at IS NULL";
    assert_eq!(stage.sql(open).await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_chime_does_not_let_be_ended_is_tried_again() -> Outcome {
    let stage = Stage::new().await?;
    let (_, told) = orphan(&stage).await?;
    let started = told.meeting("MeetingStarted", stage.parts().clock.now())?;
    assert_eq!(stage.hear("attendee", &[started]).await?, Vec::<usize>::new());
    stage.parts().clock.advance(121);
    stage.fault("chime", Some("DeleteMeeting"), Kind::Error, None);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(stage.live_meetings().len(), 1);
    stage.parts().faults.clear();
    stage.parts().clock.advance(60);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(stage.live_meetings().len(), 0);
    let over = stage.sql("SELECT count(*) FROM medzen.chime_meetings WHERE over_at IS NOT NULL").await?;
    assert_eq!(over, "1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_every_end_that_was_not_heard_of_is_found_within_two_runs() -> Outcome {
    const CALLS: usize = 30;
    let stage = Stage::new().await?;
    for _ in 0..CALLS {
        let play = stage.play().await?;
        let started = play.provider.start().await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        let told = Told::of(&stage, &started);
        let (attendee, now) = (started.text("attendeeToken"), stage.parts().clock.now());
        // Heard: that the provider came and went. Lost: that the meeting ended.
        let events = [
            told.attendee("AttendeeJoined", now, &attendee, &play.provider.id)?,
            told.attendee("AttendeeLeft", now + time::Duration::SECOND, &attendee, &play.provider.id)?,
        ];
        assert_eq!(stage.hear("attendee", &events).await?, Vec::<usize>::new());
    }
    stage.parts().clock.advance(302);
    assert!(stage.live_meetings().is_empty(), "Chime has ended them all");
    let open = "SELECT count(*) FROM video_call_sessions WHERE status = 'active'";
    assert_eq!(stage.sql(open).await?, CALLS.to_string());
    for _ in 0..2 {
        stage.run_schedule(FUNCTION).await?;
        stage.parts().clock.advance(60);
    }
    assert_eq!(stage.sql(open).await?, "0");

    let logs = stage.parts().lambda.logs();
    let lines: Vec<Value> = logs.iter().filter_map(|line| serde_json::from_str(&line.line).ok()).collect();
    let reconciled: Vec<&Value> = lines.iter().filter(|line| line["message"] == "reconciled").collect();
    for field in ["mended", "gone"] {
        let counted: Option<u64> = reconciled.iter().map(|line| line[field].as_u64()).sum();
        assert_eq!(json!(counted), json!(CALLS), "{field}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nobody_s_is_dropped_after_two_days() -> Outcome {
    let stage = Stage::new().await?;
    let unknown = Told { meeting: "7d9f1c5e-0000-4000-8000-0000000000ff".to_owned(), external: None };
    let now = stage.parts().clock.now();
    let user = "7d9f1c5e-0000-4000-8000-000000000001";
    let events = [
        unknown.attendee("AttendeeJoined", now, "7d9f1c5e-0000-4000-8000-0000000000ee", user)?,
        unknown.meeting("MeetingEnded", now)?,
    ];
    assert_eq!(stage.hear("attendee", &events).await?, Vec::<usize>::new());
    let kept = "SELECT (SELECT count(*) FROM medzen.chime_events) || ' ' || (SELECT count(*) FROM medzen.chime_meetings)";
    for (seconds, left) in [(172_000, "2 1"), (1_000, "0 0")] {
        stage.parts().clock.advance(seconds);
        stage.run_schedule(FUNCTION).await?;
        assert_eq!(stage.sql(kept).await?, left);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn join_tokens_and_counts_of_refusals_are_dropped_two_days_after_they_are_of_use() -> Outcome {
    let stage = Stage::new().await?;
    let (over, on) = (stage.play().await?, stage.play().await?);
    for play in [&over, &on] {
        assert_eq!(play.provider.start().await?.brief(), "201");
        assert_eq!(play.patient.join().await?.brief(), "200");
    }
    assert_eq!(over.provider.end().await?.brief(), "200");
    assert_eq!(over.stranger.join().await?.brief(), "403 NOT_A_MEMBER");
    for _ in 0..12 {
        assert_eq!(on.stranger.join().await?.brief(), "403 NOT_A_MEMBER");
    }
    let kept = "SELECT (SELECT count(*) FROM medzen.video_call_attendee_tokens) || ' ' || (SELECT count(*) FROM medzen.refusals)";
    for (seconds, left) in [(172_000, "4 2"), (1_000, "2 1")] {
        stage.parts().clock.advance(seconds);
        // Chime has ended the other call's meeting by now; its tokens are young.
        stage.run_schedule(FUNCTION).await?;
        assert_eq!(stage.sql(kept).await?, left, "what two refusals were not told is kept to be told");
    }
    Ok(())
}
