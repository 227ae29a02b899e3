//! The reconciler: repairs of interrupted requests, on an advanced clock.

use local::faults::FaultKind;
use local_testing::{Answer, MeetingEvents, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::{invariants, outbox};

pub(crate) const FUNCTION: &str = "meeting-manager";

/// The state of a session, and why it is so: `ended meeting_gone`.
async fn state(cloud: &TestCloud, session: &str) -> TestResult<String> {
    let columns = "status || coalesce(' ' || coalesce(end_reason, error_message), '')";
    cloud.sql(&format!("SELECT {columns} FROM video_call_sessions WHERE id = '{session}'")).await
}

async fn started(scenario: &Scenario) -> TestResult<String> {
    let answer = scenario.provider.start().await?;
    assert_eq!(answer.brief(), "201", "{:?}", answer.body);
    Ok(answer.text("sessionId"))
}

/// Connects the provider, so that the meeting goes on.
async fn connect(cloud: &TestCloud, started: &Answer) -> TestResult {
    let attendee = started.text("attendeeToken");
    cloud.chime_event(&started.text("meetingId"), "AttendeeJoined", Some(&attendee))?;
    cloud.drain_queues().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_broke_off_is_finished_after_thirty_seconds() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = started(&scenario).await?;
    cloud.fault("chime", Some("DeleteMeeting"), FaultKind::KillBefore, Some(1));
    assert!(scenario.provider.end().await?.status >= 500, "the end broke off");

    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(state(&cloud, &session).await?, "ending ended_by_provider", "too early");
    assert_eq!(cloud.live_meetings().len(), 1);

    cloud.parts().clock.advance(31);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(state(&cloud, &session).await?, "ended ended_by_provider");
    assert!(cloud.live_meetings().is_empty());
    let by =
        cloud.sql(&format!("SELECT ended_by::text FROM video_call_sessions WHERE id = '{session}'")).await?;
    assert_eq!(by, scenario.provider.id, "who asked stays who asked");
    let part = format!(
        "SELECT string_agg(status, ',') FROM video_call_participants WHERE video_call_id = '{session}'"
    );
    assert_eq!(cloud.sql(&part).await?, "left");

    let entries = outbox::chain(&cloud, &format!("APPT#{}", scenario.appointment)).await?;
    assert_eq!(
        outbox::calls(&cloud, &scenario.appointment).await?,
        "call.started, call.end_requested, call.ended"
    );
    let last = &entries[2];
    assert_eq!((&last["actor"], &last["via"]), (&Value::Null, &json!("schedule")), "by the system");
    assert_eq!(last["endedBy"], json!(scenario.provider.id));
    assert_eq!(scenario.provider.end().await?.brief(), "200", "and a repetition succeeds");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_broke_off_fails_and_its_token_is_never_replayed() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    cloud.fault("postgres", Some("activate"), FaultKind::KillBefore, Some(1));
    assert!(scenario.provider.start().await?.status >= 500, "the start broke off");
    let session = cloud.sql("SELECT id::text FROM video_call_sessions WHERE status = 'creating'").await?;

    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(state(&cloud, &session).await?, "creating", "too early");
    cloud.parts().clock.advance(31);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(state(&cloud, &session).await?, "failed start_abandoned");
    assert_eq!(watch.count("CreateMeetingWithAttendees"), 0);

    let again = started(&scenario).await?;
    assert_ne!(again, session, "a new session, and so a new token");
    assert_eq!(outbox::calls(&cloud, &scenario.appointment).await?, "call.failed, call.started");
    cloud.parts().clock.advance(330);
    assert!(cloud.live_meetings().is_empty(), "nobody was in either meeting, so both are over");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_meeting_ended_event_was_lost_is_closed() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = started(&scenario).await?;
    cloud.parts().clock.advance(240);
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("GetMeeting"), 0, "it was live less than five minutes ago");

    cloud.parts().clock.advance(61);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(state(&cloud, &session).await?, "ended meeting_gone");
    assert_eq!(outbox::calls(&cloud, &scenario.appointment).await?, "call.started, call.ended");
    assert_eq!(scenario.provider.status().await?.body["hasActiveCall"], false);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_meeting_of_a_running_call_is_verified_every_five_minutes() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let answer = scenario.provider.start().await?;
    connect(&cloud, &answer).await?;
    // A schedule's time is in whole seconds, so a run may be up to one second early.
    cloud.parts().clock.advance(2);
    let mut asked = Vec::new();
    for _ in 0..11 {
        cloud.parts().clock.advance(60);
        let watch = cloud.watch();
        cloud.run_schedule(FUNCTION).await?;
        asked.push(watch.count("GetMeeting"));
    }
    assert_eq!(asked, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
    assert_eq!(state(&cloud, &answer.text("sessionId")).await?, "active");
    assert_eq!(outbox::calls(&cloud, &scenario.appointment).await?, "call.started", "no change, no event");
    Ok(())
}

/// A request asked for the meeting ten seconds before Chime ended it; the event of its end was lost.
#[tokio::test(flavor = "multi_thread")]
async fn the_meeting_of_an_empty_call_is_verified_in_each_run() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let answer = scenario.provider.start().await?;
    let meeting_events = MeetingEvents::of(&cloud, &answer);
    let (attendee, now) = (answer.text("attendeeToken"), cloud.parts().clock.now());
    let events = ["AttendeeJoined", "AttendeeLeft"]
        .map(|kind| meeting_events.attendee(kind, now, &attendee, &scenario.provider.id));
    let events = events.into_iter().collect::<TestResult<Vec<_>>>()?;
    assert_eq!(cloud.deliver("attendee", &events).await?, Vec::<usize>::new());
    cloud.parts().clock.advance(290);
    let checked =
        scenario.patient.ask("POST", "/appointments/{a}/call/attendees", &json!({ "checked": true })).await?;
    assert_eq!(checked.brief(), "200", "it lives");
    cloud.parts().clock.advance(12);
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(state(&cloud, &answer.text("sessionId")).await?, "ended meeting_gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_is_no_proof_that_a_call_lives() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    started(&scenario).await?;
    cloud.parts().clock.advance(200);
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(scenario.patient.leave().await?.brief(), "200");
    cloud.parts().clock.advance(200);
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("GetMeeting"), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_check_fails_waits_for_the_next_run_and_delays_no_other() -> TestResult {
    for kind in [FaultKind::Throttle, FaultKind::Error, FaultKind::Drop] {
        let cloud = TestCloud::new().await?;
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push(started(&cloud.scenario().await?).await?);
        }
        cloud.parts().clock.advance(301);
        cloud.fault("chime", Some("GetMeeting"), kind, Some(1));
        let active = "SELECT count(*)::text FROM video_call_sessions WHERE status = 'active'";
        let watch = cloud.watch();
        cloud.run_schedule(FUNCTION).await?;
        assert_eq!(cloud.sql(active).await?, "1", "{kind:?}: the others were closed");
        assert_eq!(watch.count("GetMeeting"), 3, "{kind:?}: a retry would break the rate");
        cloud.parts().clock.advance(60);
        cloud.run_schedule(FUNCTION).await?;
        for session in &sessions {
            assert_eq!(state(&cloud, session).await?, "ended meeting_gone", "{kind:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_are_one() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut scenarios = Vec::new();
    for _ in 0..3 {
        let scenario = cloud.scenario().await?;
        started(&scenario).await?;
        scenarios.push(scenario);
    }
    cloud.parts().clock.advance(301);
    let watch = cloud.watch();
    let (one, two) = tokio::join!(cloud.run_schedule(FUNCTION), cloud.run_schedule(FUNCTION));
    one.and(two)?;
    assert_eq!(watch.count("GetMeeting"), 3, "each meeting is asked for by one of them");
    assert_eq!(watch.count("reconcile_page"), 2);
    assert_eq!(watch.count("apply_reconciliation"), 1);
    for scenario in &scenarios {
        assert_eq!(outbox::calls(&cloud, &scenario.appointment).await?, "call.started, call.ended");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_concurrent_with_a_reconciler_run_is_published_once() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let answer = scenario.provider.start().await?;
    connect(&cloud, &answer).await?;
    cloud.parts().clock.advance(301);
    let slow = json!({ "service": "chime", "operation": "GetMeeting", "kind": "latency", "ms": 2000 });
    cloud.parts().faults.add(serde_json::from_value(slow)?);
    let watch = cloud.watch();
    let end = async {
        while watch.count("GetMeeting") == 0 {
            tokio::task::yield_now().await;
        }
        scenario.provider.end().await
    };
    let (run, ended) = tokio::join!(cloud.run_schedule(FUNCTION), end);
    run?;
    assert_eq!(ended?.brief(), "200");
    assert_eq!(
        watch.count("apply_reconciliation"),
        1,
        "the run came to its end too, with a meeting that is gone"
    );
    assert_eq!(state(&cloud, &answer.text("sessionId")).await?, "ended ended_by_provider");
    assert_eq!(
        outbox::calls(&cloud, &scenario.appointment).await?,
        "call.started, call.end_requested, call.ended"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_of_an_earlier_minute_changes_nothing() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let session = started(&scenario).await?;
    cloud
        .sql(&format!(
            "UPDATE video_call_sessions SET status = 'ending' WHERE id = '{session}' RETURNING id::text"
        ))
        .await?;
    cloud.sql("INSERT INTO medzen.leases VALUES ('reconcile', 'later', now() + interval '1 hour') RETURNING name").await?;
    cloud.parts().clock.advance(60);
    let watch = cloud.watch();
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(watch.operations(), ["reconcile_page"], "another run, with a later time, has been at it");
    Ok(())
}

/// One session for each repair of a run, and one that needs none.
struct Broken {
    ending: (Scenario, String),
    creating: (Scenario, String),
    gone: (Scenario, String),
    well: (Scenario, String),
}

async fn broken(cloud: &TestCloud) -> TestResult<Broken> {
    let mut scenarios = Vec::new();
    for _ in 0..3 {
        let scenario = cloud.scenario().await?;
        let session = started(&scenario).await?;
        scenarios.push((scenario, session));
    }
    let scenario = cloud.scenario().await?;
    let answer = scenario.provider.start().await?;
    connect(cloud, &answer).await?;
    let well = (scenario, answer.text("sessionId"));
    let mut scenarios = scenarios.into_iter();
    let mut next = || scenarios.next().ok_or("three were started");
    let (ending, creating, gone) = (next()?, next()?, next()?);
    cloud.parts().clock.advance(301);
    let set = |session: &str, columns: &str| {
        format!("UPDATE video_call_sessions SET {columns} WHERE id = '{session}' RETURNING id::text")
    };
    let by =
        format!("status = 'ending', end_reason = 'ended_by_provider', ended_by = '{}'", ending.0.provider.id);
    cloud.sql(&set(&ending.1, &by)).await?;
    cloud.sql(&delete_meeting(&ending.1)).await?;
    cloud.sql(&set(&creating.1, "status = 'creating', meeting_id = NULL, activated_at = NULL")).await?;
    Ok(Broken { ending, creating, gone, well })
}

/// The operation that a request inserts when it begins an end.
fn delete_meeting(session: &str) -> String {
    format!(
        "SELECT medzen.enqueue_operation('delete_meeting', meeting_id, id,
           jsonb_build_object('controlRegion', control_region, 'orphan', false), created_at, NULL)::text
         FROM video_call_sessions WHERE id = '{session}'"
    )
}

/// Kills a run at its nth backend call and lets the next minute's run finish the repairs. `false`: it has fewer calls.
async fn killed_at(cloud: &TestCloud, nth: u32, kind: FaultKind) -> TestResult<bool> {
    let Broken { ending, creating, gone, well } = broken(cloud).await?;
    cloud.fault("*", None, kind, Some(nth));
    let killed = cloud.run_schedule(FUNCTION).await.is_err();
    cloud.parts().faults.clear();
    cloud.parts().clock.advance(60);
    cloud.run_schedule(FUNCTION).await?;

    let case = format!("{kind:?} {nth}");
    for ((scenario, session), wanted, expected_calls) in [
        (&ending, "ended ended_by_provider", "call.started, call.ended"),
        (&creating, "failed start_abandoned", "call.started, call.failed"),
        (&gone, "ended meeting_gone", "call.started, call.ended"),
        (&well, "active", "call.started"),
    ] {
        assert_eq!(state(cloud, session).await?, wanted, "{case}");
        assert_eq!(outbox::calls(cloud, &scenario.appointment).await?, expected_calls, "{case}");
    }
    let live = cloud.live_meetings();
    let of_well = format!("SELECT meeting_id FROM video_call_sessions WHERE id = '{}'", well.1);
    assert_eq!(live.len(), 1, "{case}: one live meeting per open session");
    assert_eq!(live[0]["meetingId"], json!(cloud.sql(&of_well).await?), "{case}");
    // Else the next world's run would ask for it too.
    assert_eq!(well.0.provider.end().await?.brief(), "200", "{case}");
    Ok(killed)
}

async fn killed_at_every_call(kind: FaultKind) -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut kills = 0;
    for nth in 1.. {
        if !killed_at(&cloud, nth, kind).await? {
            break;
        }
        kills += 1;
    }
    // Page, one meeting ended, two verified, result stored, lease released.
    assert!(kills >= 6, "{kills} calls of a run were reached");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_before_any_backend_call_is_made_good_by_the_next() -> TestResult {
    killed_at_every_call(FaultKind::KillBefore).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_after_any_backend_call_is_made_good_by_the_next() -> TestResult {
    killed_at_every_call(FaultKind::KillAfter).await
}

/// Such a session has no activation, so there is nothing to project, and nothing of it stops the projection of others.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_the_provider_ended_is_no_burden_of_later_runs() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    cloud.fault("chime", Some("CreateMeetingWithAttendees"), FaultKind::KillBefore, Some(1));
    assert!(scenario.provider.start().await?.status >= 500, "the start broke off");
    cloud.parts().faults.clear();
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    cloud.run_schedule(FUNCTION).await?;
    assert_eq!(cloud.sql("SELECT count(*) FROM video_call_sessions WHERE projection_stale").await?, "0");
    invariants::hold(&cloud, &scenario.appointment).await
}
