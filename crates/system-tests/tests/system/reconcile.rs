//! The reconciler: what requests left behind, on a moved clock.

use local::faults::Kind;
use local_testing::{Answer, Outcome, Play, Stage, Told, Watch};
use serde_json::{Value, json};

use crate::outbox;

const FUNCTION: &str = "meeting-manager";

/// The state of a session, and why it is so: `ended meeting_gone`.
async fn state(stage: &Stage, session: &str) -> Outcome<String> {
    let columns = "status || coalesce(' ' || end_reason, '')";
    stage.sql(&format!("SELECT {columns} FROM video_call_sessions WHERE id = '{session}'")).await
}

async fn started(play: &Play) -> Outcome<String> {
    let answer = play.provider.start().await?;
    assert_eq!(answer.brief(), "201", "{:?}", answer.body);
    Ok(answer.text("sessionId"))
}

/// Connects the provider, so that the meeting goes on.
async fn connect(stage: &Stage, started: &Answer) -> Outcome {
    let attendee = started.text("attendeeToken");
    stage.chime_event(&started.text("meetingId"), "AttendeeJoined", Some(&attendee))?;
    stage.drain_queues().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_broke_off_is_finished_after_thirty_seconds() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let session = started(&play).await?;
    stage.fault("chime", Some("DeleteMeeting"), Kind::KillBefore, Some(1));
    assert!(play.provider.end().await?.status >= 500, "the end broke off");

    stage.run_schedule(FUNCTION).await?;
    assert_eq!(state(&stage, &session).await?, "ending ended_by_provider", "too early");
    assert_eq!(stage.live_meetings().len(), 1);

    stage.parts().clock.advance(31);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(state(&stage, &session).await?, "ended ended_by_provider");
    assert!(stage.live_meetings().is_empty());
    let by =
        stage.sql(&format!("SELECT ended_by::text FROM video_call_sessions WHERE id = '{session}'")).await?;
    assert_eq!(by, play.provider.id, "who asked stays who asked");
    let part =
        format!("SELECT string_agg(status, ',') FROM video_call_participants WHERE session_id = '{session}'");
    assert_eq!(stage.sql(&part).await?, "left");

    let entries = outbox::chain(&stage, &format!("APPT#{}", play.appointment)).await?;
    assert_eq!(
        outbox::calls(&stage, &play.appointment).await?,
        "call.started, call.end_requested, call.ended"
    );
    let last = &entries[2];
    assert_eq!((&last["actor"], &last["via"]), (&Value::Null, &json!("schedule")), "by the system");
    assert_eq!(last["endedBy"], json!(play.provider.id));
    assert_eq!(play.provider.end().await?.brief(), "200", "and a repetition hears so");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_a_start_that_broke_off_fails_and_its_token_is_never_replayed() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    stage.fault("postgres", Some("activate"), Kind::KillBefore, Some(1));
    assert!(play.provider.start().await?.status >= 500, "the start broke off");
    let session = stage.sql("SELECT id::text FROM video_call_sessions WHERE status = 'creating'").await?;

    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(state(&stage, &session).await?, "creating", "too early");
    stage.parts().clock.advance(31);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(state(&stage, &session).await?, "failed start_abandoned");
    assert_eq!(watch.count("CreateMeetingWithAttendees"), 0);

    let again = started(&play).await?;
    assert_ne!(again, session, "a new session, and so a new token");
    assert_eq!(outbox::calls(&stage, &play.appointment).await?, "call.failed, call.started");
    stage.parts().clock.advance(330);
    assert!(stage.live_meetings().is_empty(), "nobody was in either meeting, so both are over");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_a_call_that_chime_ended_unheard_is_closed() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let session = started(&play).await?;
    stage.parts().clock.advance(299);
    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("GetMeeting"), 0, "it was live five minutes ago");

    stage.parts().clock.advance(2);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(state(&stage, &session).await?, "ended meeting_gone");
    assert_eq!(outbox::calls(&stage, &play.appointment).await?, "call.started, call.ended");
    assert_eq!(play.provider.status().await?.body["hasActiveCall"], false);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_goes_on_is_asked_for_every_five_minutes() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let answer = play.provider.start().await?;
    connect(&stage, &answer).await?;
    // A schedule's time is in whole seconds, so a run may be up to one second early.
    stage.parts().clock.advance(2);
    let mut asked = Vec::new();
    for _ in 0..11 {
        stage.parts().clock.advance(60);
        let watch = stage.watch();
        stage.run_schedule(FUNCTION).await?;
        asked.push(watch.count("GetMeeting"));
    }
    assert_eq!(asked, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
    assert_eq!(state(&stage, &answer.text("sessionId")).await?, "active");
    assert_eq!(
        outbox::calls(&stage, &play.appointment).await?,
        "call.started",
        "nothing changed, nothing is told"
    );
    Ok(())
}

/// A request asked for the meeting ten seconds before Chime ended it; that it ended was not heard.
#[tokio::test(flavor = "multi_thread")]
async fn f10_a_call_that_everyone_has_left_is_asked_for_in_each_run() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let answer = play.provider.start().await?;
    let told = Told::of(&stage, &answer);
    let (attendee, now) = (answer.text("attendeeToken"), stage.parts().clock.now());
    let events =
        ["AttendeeJoined", "AttendeeLeft"].map(|kind| told.attendee(kind, now, &attendee, &play.provider.id));
    let events = events.into_iter().collect::<Outcome<Vec<_>>>()?;
    assert_eq!(stage.hear("attendee", &events).await?, Vec::<usize>::new());
    stage.parts().clock.advance(290);
    let checked =
        play.patient.ask("POST", "/appointments/{a}/call/attendees", &json!({ "checked": true })).await?;
    assert_eq!(checked.brief(), "200", "it lives");
    stage.parts().clock.advance(12);
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(state(&stage, &answer.text("sessionId")).await?, "ended meeting_gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_is_no_proof_that_a_call_lives() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    started(&play).await?;
    stage.parts().clock.advance(200);
    assert_eq!(play.patient.join().await?.brief(), "200");
    assert_eq!(play.patient.leave().await?.brief(), "200");
    stage.parts().clock.advance(200);
    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(watch.count("GetMeeting"), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_chime_does_not_answer_waits_for_the_next_run_and_stops_nobody() -> Outcome {
    for kind in [Kind::Throttle, Kind::Error, Kind::Drop] {
        let stage = Stage::new().await?;
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push(started(&stage.play().await?).await?);
        }
        stage.parts().clock.advance(301);
        stage.fault("chime", Some("GetMeeting"), kind, Some(1));
        let active = "SELECT count(*)::text FROM video_call_sessions WHERE status = 'active'";
        let watch = stage.watch();
        stage.run_schedule(FUNCTION).await?;
        assert_eq!(stage.sql(active).await?, "1", "{kind:?}: the others were closed");
        assert_eq!(watch.count("GetMeeting"), 3, "{kind:?}: a retry would break the rate");
        stage.parts().clock.advance(60);
        stage.run_schedule(FUNCTION).await?;
        for session in &sessions {
            assert_eq!(state(&stage, session).await?, "ended meeting_gone", "{kind:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_are_one() -> Outcome {
    let stage = Stage::new().await?;
    let mut plays = Vec::new();
    for _ in 0..3 {
        let play = stage.play().await?;
        started(&play).await?;
        plays.push(play);
    }
    stage.parts().clock.advance(301);
    let watch = stage.watch();
    let (one, two) = tokio::join!(stage.run_schedule(FUNCTION), stage.run_schedule(FUNCTION));
    one.and(two)?;
    assert_eq!(watch.count("GetMeeting"), 3, "each meeting is asked for by one of them");
    assert_eq!(watch.count("reconcile_page"), 2);
    assert_eq!(watch.count("reconcile_settle"), 1);
    for play in &plays {
        assert_eq!(outbox::calls(&stage, &play.appointment).await?, "call.started, call.ended");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_overtakes_a_run_is_told_once() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let answer = play.provider.start().await?;
    connect(&stage, &answer).await?;
    stage.parts().clock.advance(301);
    let slow = json!({ "service": "chime", "operation": "GetMeeting", "kind": "latency", "ms": 2000 });
    stage.parts().faults.add(serde_json::from_value(slow)?);
    let watch = stage.watch();
    let end = async {
        while watch.count("GetMeeting") == 0 {
            tokio::task::yield_now().await;
        }
        play.provider.end().await
    };
    let (run, ended) = tokio::join!(stage.run_schedule(FUNCTION), end);
    run?;
    assert_eq!(ended?.brief(), "200");
    assert_eq!(
        watch.count("reconcile_settle"),
        1,
        "the run came to its end too, with a meeting that is gone"
    );
    assert_eq!(state(&stage, &answer.text("sessionId")).await?, "ended ended_by_provider");
    assert_eq!(
        outbox::calls(&stage, &play.appointment).await?,
        "call.started, call.end_requested, call.ended"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_of_an_earlier_minute_changes_nothing() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let session = started(&play).await?;
    stage
        .sql(&format!(
            "UPDATE video_call_sessions SET status = 'ending' WHERE id = '{session}' RETURNING id::text"
        ))
        .await?;
    stage.sql("INSERT INTO medzen.leases VALUES ('reconcile', 'later', now() + interval '1 hour') RETURNING name").await?;
    stage.parts().clock.advance(60);
    let watch = stage.watch();
    stage.run_schedule(FUNCTION).await?;
    assert_eq!(watch.operations(), ["reconcile_page"], "another run, with a later time, has been at it");
    Ok(())
}

/// One session for each thing a run mends, and one that is well.
struct Broken {
    ending: (Play, String),
    creating: (Play, String),
    gone: (Play, String),
    well: (Play, String),
}

async fn broken(stage: &Stage) -> Outcome<Broken> {
    let mut plays = Vec::new();
    for _ in 0..3 {
        let play = stage.play().await?;
        let session = started(&play).await?;
        plays.push((play, session));
    }
    let play = stage.play().await?;
    let answer = play.provider.start().await?;
    connect(stage, &answer).await?;
    let well = (play, answer.text("sessionId"));
    let mut plays = plays.into_iter();
    let mut next = || plays.next().ok_or("three were started");
    let (ending, creating, gone) = (next()?, next()?, next()?);
    stage.parts().clock.advance(301);
    let set = |session: &str, columns: &str| {
        format!("UPDATE video_call_sessions SET {columns} WHERE id = '{session}' RETURNING id::text")
    };
    let by =
        format!("status = 'ending', end_reason = 'ended_by_provider', ended_by = '{}'", ending.0.provider.id);
    stage.sql(&set(&ending.1, &by)).await?;
    stage
        .sql(&set(&creating.1, "status = 'creating', meeting_id = NULL, meeting = NULL, activated_at = NULL"))
        .await?;
    Ok(Broken { ending, creating, gone, well })
}

/// Kills a run at its nth backend call and lets the next minute's run mend what is left. `false`: it has fewer calls.
async fn killed_at(stage: &Stage, nth: u32, kind: Kind) -> Outcome<bool> {
    let Broken { ending, creating, gone, well } = broken(stage).await?;
    stage.fault("*", None, kind, Some(nth));
    let killed = stage.run_schedule(FUNCTION).await.is_err();
    stage.parts().faults.clear();
    stage.parts().clock.advance(60);
    stage.run_schedule(FUNCTION).await?;

    let case = format!("{kind:?} {nth}");
    for ((play, session), wanted, told) in [
        (&ending, "ended ended_by_provider", "call.started, call.ended"),
        (&creating, "failed start_abandoned", "call.started, call.failed"),
        (&gone, "ended meeting_gone", "call.started, call.ended"),
        (&well, "active", "call.started"),
    ] {
        assert_eq!(state(stage, session).await?, wanted, "{case}");
        assert_eq!(outbox::calls(stage, &play.appointment).await?, told, "{case}");
    }
    let live = stage.live_meetings();
    let of_well = format!("SELECT meeting_id FROM video_call_sessions WHERE id = '{}'", well.1);
    assert_eq!(live.len(), 1, "{case}: one live meeting per open session");
    assert_eq!(live[0]["meetingId"], json!(stage.sql(&of_well).await?), "{case}");
    // Else the next world's run would ask for it too.
    assert_eq!(well.0.provider.end().await?.brief(), "200", "{case}");
    Ok(killed)
}

async fn killed_at_every_call(kind: Kind) -> Outcome {
    let stage = Stage::new().await?;
    let mut kills = 0;
    for nth in 1.. {
        if !killed_at(&stage, nth, kind).await? {
            break;
        }
        kills += 1;
    }
    // Page, one meeting ended, two asked for, settled, lease given back.
    assert!(kills >= 6, "{kills} calls of a run were reached");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_before_any_backend_call_is_made_good_by_the_next() -> Outcome {
    killed_at_every_call(Kind::KillBefore).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_after_any_backend_call_is_made_good_by_the_next() -> Outcome {
    killed_at_every_call(Kind::KillAfter).await
}

/// 10,000 sessions: most are over, 300 are well, 100 are due.
const MANY: &str = "WITH kinds AS (
  SELECT n, CASE WHEN n <= 20 THEN 'creating' WHEN n <= 40 THEN 'ending' WHEN n <= 400 THEN 'active' ELSE 'ended' END AS status
  FROM generate_series(1, 10000) AS n
), made AS (
  INSERT INTO video_call_sessions (id, appointment_id, status, control_region, media_region, meeting_id, meeting, created_by,
    created_at, updated_at, activated_at, checked_at, ended_at)
  SELECT gen_random_uuid(), gen_random_uuid(), status, 'us-east-1', 'us-east-1',
    CASE WHEN status <> 'creating' THEN gen_random_uuid()::text END,
    CASE WHEN status <> 'creating' THEN '{}'::jsonb END, gen_random_uuid(),
    long_ago, long_ago, CASE WHEN status <> 'creating' THEN long_ago END, CASE WHEN n > 100 THEN today END,
    CASE WHEN status = 'ended' THEN long_ago END
  FROM kinds, (SELECT to_timestamp($now) AS today, to_timestamp($now) - interval '10 minutes' AS long_ago) AS times
  RETURNING 1
)
SELECT count(*)::text FROM made";

/// A removal that Chime was not told of, and a meeting that nobody owns.
const BESIDES: &str = "WITH one AS (
  SELECT id FROM video_call_sessions WHERE status = 'active' AND checked_at IS NOT NULL LIMIT 1
), person AS (
  INSERT INTO video_call_participants (session_id, user_id, role, status)
  SELECT id, gen_random_uuid(), 'patient', 'removed' FROM one
  RETURNING session_id, user_id
), debt AS (
  INSERT INTO medzen.attendee_debts (id, session_id, user_id, attendee_id, kind, since)
  SELECT gen_random_uuid(), session_id, user_id, gen_random_uuid()::text, 'delete', to_timestamp($now) - interval '1 minute'
  FROM person
)
INSERT INTO medzen.chime_meetings (meeting_id, external_meeting_id, control_region, heard_at)
SELECT gen_random_uuid()::text, '$prefix' || gen_random_uuid(), 'us-east-1', to_timestamp($now) - interval '3 minutes'
RETURNING ''";

const OWED: &str = "SELECT (SELECT count(*) FROM medzen.attendee_debts) || ' '
  || (SELECT count(*) FROM medzen.chime_meetings WHERE over_at IS NULL)";

/// The statement that was sent, explained: it reads what is due and not what is over.
async fn reads_by_index(stage: &Stage, watch: &Watch<'_>) -> Outcome {
    let page =
        watch.calls().into_iter().find(|call| call.operation == "reconcile_page").ok_or("a page was read")?;
    let database = stage.parts().world.database();
    database.batch_execute("ANALYZE public.video_call_sessions").await?;
    let mut statement = page.request.body;
    let past = "now() - interval '5 minutes'";
    for (parameter, value) in [
        ("$7", "10"),
        ("$6", "20"),
        ("$5", past),
        ("$4", past),
        ("$3", "now()"),
        ("$2", "now()"),
        ("$1", "'explained'"),
    ] {
        statement = statement.replace(parameter, value);
    }
    let plan = stage.sql(&format!("EXPLAIN (FORMAT JSON) {statement}")).await?;
    for index in ["video_call_sessions_unfinished", "video_call_sessions_unasked"] {
        assert!(plan.contains(index), "{index} is not used: {plan}");
    }
    assert!(!plan.contains("Seq Scan"), "{plan}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_due_of_ten_thousand_take_few_turns_and_two_questions_a_second() -> Outcome {
    let stage = Stage::new().await?;
    let now = stage.parts().clock.now().unix_timestamp().to_string();
    assert_eq!(stage.sql(&MANY.replace("$now", &now)).await?, "10000");
    let due = "SELECT count(*)::text FROM video_call_sessions
      WHERE status IN ('creating', 'ending') OR (status = 'active' AND checked_at IS NULL)";
    assert_eq!(stage.sql(due).await?, "100");
    let functions = &stage.parts().plan.functions;
    let prefix =
        functions.iter().find_map(|it| it.environment.get("EXTERNAL_ID_PREFIX")).ok_or("no prefix")?;
    assert_eq!(stage.sql(&BESIDES.replace("$now", &now).replace("$prefix", prefix)).await?, "");

    let all = stage.watch();
    let mut runs = 0;
    while stage.sql(due).await? != "0" {
        runs += 1;
        assert!(runs <= 5, "a run mends some twenty calls; {} are left after five", stage.sql(due).await?);
        let watch = stage.watch();
        stage.run_schedule(FUNCTION).await?;
        let turns = watch.calls().iter().filter(|call| call.service == "postgres").count();
        assert!(turns <= 24, "{turns} turns in one run");
        if runs == 1 {
            assert_eq!(
                stage.sql(OWED).await?,
                "0 0",
                "who must not listen is not kept waiting by calls to be asked for"
            );
        }
        stage.parts().clock.advance(60);
    }
    let asked: Vec<u64> =
        all.calls().iter().filter(|call| call.operation == "GetMeeting").map(|call| call.at_ms).collect();
    assert_eq!(asked.len(), 60, "each due meeting once, no other");
    for three in asked.windows(3) {
        assert!(three[2] - three[0] >= 1000, "three in {} ms", three[2] - three[0]);
    }
    assert_eq!(all.count("DeleteMeeting"), 21);
    let turns = all.calls().iter().filter(|call| call.service == "postgres").count();
    println!("{runs} runs, {turns} turns");
    reads_by_index(&stage, &all).await?;
    let entries = "SELECT count(*) || ' of ' || count(DISTINCT chain) FROM medzen.audit_outbox";
    assert_eq!(stage.sql(entries).await?, "100 of 100", "each change is told once");
    Ok(())
}
