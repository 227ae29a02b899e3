//! Batches of Chime's events that fail in part or as a whole, and functions that die while they handle one.

use local::faults::FaultKind;
use local_testing::{MeetingEvents, TestCloud, TestResult};
use serde_json::json;
use tokio::task::JoinSet;

use crate::events::{ATTENDEE, MEETING, On, session};
use crate::outbox;

#[tokio::test(flavor = "multi_thread")]
async fn another_s_and_newer_events_are_taken_and_a_broken_one_fails_alone() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let others = MeetingEvents {
        meeting: "7d9f1c5e-0000-4000-8000-0000000000ff".to_owned(),
        external: Some("another-app-1".to_owned()),
    };
    let mut newer = on.patient("AttendeeJoined", 10)?;
    newer["detail"]["eventType"] = "chime:AttendeeWaved".into();
    let mut broken = on.patient("AttendeeJoined", 10)?;
    broken["detail"]["timestamp"] = "soon".into();
    let batch = [
        on.provider("AttendeeJoined", 10)?,
        others.meeting("MeetingStarted", on.at(1))?,
        newer,
        broken,
        json!("no JSON"),
        on.patient("AttendeeJoined", 11)?,
    ];
    // The message that cannot be read at all is reported first.
    let mut given_back = cloud.deliver(ATTENDEE, &batch).await?;
    given_back.sort_unstable();
    assert_eq!(given_back, [3, 4]);
    assert_eq!(session(&cloud, &on, "connected_count").await?, "2");
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_events").await?, "2");
    assert_eq!(
        cloud.sql("SELECT count(*) FROM medzen.chime_meetings WHERE meeting_id LIKE '%ff'").await?,
        "0"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_database_refuses_harms_no_other() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    cloud
        .sql(
            "DO $$ BEGIN
               ALTER TABLE medzen.chime_events ADD CONSTRAINT not_these CHECK (kind <> 'AttendeeVideoStarted');
             END $$; SELECT ''",
        )
        .await?;
    let batch = [
        on.provider("AttendeeJoined", 10)?,
        on.provider("AttendeeVideoStarted", 11)?,
        on.patient("AttendeeJoined", 12)?,
    ];
    assert_eq!(cloud.deliver(ATTENDEE, &batch).await?, [1]);
    assert_eq!(session(&cloud, &on, "connected_count").await?, "2");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_down_all_come_again_and_nothing_is_lost() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let batch = [on.provider("AttendeeJoined", 10)?, on.patient("AttendeeJoined", 11)?];
    cloud.fault("postgres", None, FaultKind::Error, None);
    assert_eq!(cloud.deliver(ATTENDEE, &batch).await?, [0, 1]);
    cloud.parts().faults.clear();
    assert_eq!(cloud.deliver(ATTENDEE, &batch).await?, Vec::<usize>::new());
    assert_eq!(session(&cloud, &on, "connected_count").await?, "2");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_ten_takes_two_round_trips_and_a_repeated_one_less() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (one, other) = (On::set(&cloud).await?, On::set(&cloud).await?);
    let mut batch = Vec::new();
    for (on, second) in [(&one, 10), (&other, 20), (&one, 30), (&other, 40), (&one, 50)] {
        batch.push(on.provider("AttendeeJoined", second)?);
        batch.push(on.patient("AttendeeLeft", second)?);
    }
    assert_eq!(batch.len(), 10);
    // The first batch publishes the starts of the calls.
    assert_eq!(cloud.deliver(ATTENDEE, &[one.patient("AttendeeAdded", 1)?]).await?, Vec::<usize>::new());
    cloud.slow("*", None, 20);
    let watch = cloud.watch();
    assert_eq!(cloud.deliver(ATTENDEE, &batch).await?, Vec::<usize>::new());
    assert_eq!(watch.operations(), ["insert_events", "apply_projection"]);
    let watch = cloud.watch();
    assert_eq!(cloud.deliver(ATTENDEE, &batch).await?, Vec::<usize>::new());
    assert_eq!(watch.operations(), ["insert_events"], "there is nothing to write");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_at_once_about_one_call_lose_no_event() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let mut pending = JoinSet::new();
    let cloud = std::sync::Arc::new(cloud);
    for n in 0..24_i64 {
        let kind = if n % 2 == 0 { "AttendeeJoined" } else { "AttendeeLeft" };
        let event = if n < 12 { on.provider(kind, 10 + n * 70)? } else { on.patient(kind, 10 + n * 70)? };
        let cloud = std::sync::Arc::clone(&cloud);
        pending.spawn(async move { cloud.deliver(ATTENDEE, &[event]).await });
    }
    while let Some(given_back) = pending.join_next().await {
        assert_eq!(given_back??, Vec::<usize>::new());
    }
    assert_eq!(on.stands(&on.scenario.provider).await?, "left 420 6/0");
    assert_eq!(on.stands(&on.scenario.patient).await?, "left 420 6/0");
    let audit_entries = outbox::chain(&cloud, &format!("APPT#{}", on.scenario.appointment)).await?;
    assert_eq!(audit_entries.len(), 2 + 24, "call.started, participant.joined, and one for each event");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_killed_at_any_call_is_finished_by_the_next_delivery() -> TestResult {
    for kind in [FaultKind::KillBefore, FaultKind::KillAfter] {
        for nth in 1..=2 {
            let cloud = TestCloud::new().await?;
            let on = On::set(&cloud).await?;
            let batch = [on.provider("AttendeeJoined", 10)?, on.patient("AttendeeJoined", 12)?];
            // Warm, so that the nth call is the batch's.
            assert_eq!(
                cloud.deliver(ATTENDEE, &[on.patient("AttendeeAdded", 1)?]).await?,
                Vec::<usize>::new()
            );
            cloud.fault("*", None, kind, Some(nth));
            assert!(cloud.deliver(ATTENDEE, &batch).await.is_err(), "{kind:?} {nth}: it died");
            cloud.parts().faults.clear();
            assert_eq!(cloud.deliver(ATTENDEE, &batch).await?, Vec::<usize>::new(), "{kind:?} {nth}");
            assert_eq!(session(&cloud, &on, "connected_count").await?, "2", "{kind:?} {nth}");
            let audit_events = outbox::events(&cloud, &on.scenario.appointment).await?;
            assert_eq!(
                audit_events.matches("participant.connected").count(),
                2,
                "{kind:?} {nth}: {audit_events}"
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_kept_and_not_read_are_read_by_the_schedule_and_never_dropped() -> TestResult {
    let cloud = TestCloud::new().await?;
    let on = On::set(&cloud).await?;
    let batch = [on.provider("AttendeeJoined", 10)?, on.patient("AttendeeJoined", 12)?];
    cloud.fault("postgres", Some("apply_projection"), FaultKind::Error, None);
    assert_eq!(cloud.deliver(ATTENDEE, &batch).await?, [0, 1], "the queue gives them up in the end");
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_events").await?, "2", "they are kept");
    cloud.parts().clock.advance(3 * 86_400);
    cloud.run_schedule("meeting-manager").await.expect_err("the run says that it could not read them");
    assert_eq!(cloud.sql("SELECT count(*) FROM medzen.chime_events").await?, "2", "and keeps them");
    cloud.parts().faults.clear();
    cloud.run_schedule("meeting-manager").await?;
    let audit_events = outbox::events(&cloud, &on.scenario.appointment).await?;
    assert_eq!(audit_events.matches("participant.connected").count(), 2, "{audit_events}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_killed_at_any_call_while_a_meeting_ends_publishes_one_end() -> TestResult {
    for kind in [FaultKind::KillBefore, FaultKind::KillAfter] {
        for nth in 1..=4 {
            let cloud = TestCloud::new().await?;
            let on = On::set(&cloud).await?;
            // Warm, and the start is published, so that the nth call is the batch's.
            // Everyone left five minutes before the end, so that the batch closes the call without asking Chime.
            let left = [
                on.provider("AttendeeJoined", 5)?,
                on.patient("AttendeeJoined", 6)?,
                on.provider("AttendeeLeft", 10)?,
                on.patient("AttendeeLeft", 11)?,
            ];
            assert_eq!(cloud.deliver(ATTENDEE, &left).await?, Vec::<usize>::new());
            cloud.fault("*", None, kind, Some(nth));
            let ended = [on.ended(312)?];
            assert!(cloud.deliver(ATTENDEE, &ended).await.is_err(), "{kind:?} {nth}: it died");
            cloud.parts().faults.clear();
            assert_eq!(cloud.deliver(ATTENDEE, &ended).await?, Vec::<usize>::new(), "{kind:?} {nth}");
            cloud.parts().clock.advance(61);
            cloud.run_schedule(MEETING).await?;
            assert_eq!(
                outbox::calls(&cloud, &on.scenario.appointment).await?,
                "call.started, call.ended",
                "{kind:?} {nth}"
            );
            let bus = cloud.parts().bus.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            let ends: std::collections::BTreeSet<String> = bus
                .iter()
                .filter(|event| event["detail-type"] == "Call Ended")
                .map(|event| event["detail"]["eventId"].to_string())
                .collect();
            assert_eq!(ends.len(), 1, "{kind:?} {nth}: under one id, however often");
        }
    }
    Ok(())
}
