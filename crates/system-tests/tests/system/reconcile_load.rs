//! A run of the reconciler over many sessions: round trips, requests to Chime, and reads by index.

use local_testing::{TestCloud, TestResult, Watch};

use crate::reconcile::FUNCTION;

/// 10,000 sessions: most have ended, 300 need no repair, 100 are due.
const MANY: &str = "WITH kinds AS (
  SELECT n, CASE WHEN n <= 20 THEN 'creating' WHEN n <= 40 THEN 'ending' WHEN n <= 400 THEN 'active' ELSE 'ended' END AS status
  FROM generate_series(1, 10000) AS n
), made AS (
  INSERT INTO video_call_sessions (id, appointment_id, status, control_region, media_region, meeting_id, created_by,
    created_at, updated_at, activated_at, checked_at, ended_at)
  SELECT gen_random_uuid(), gen_random_uuid(), status, 'us-east-1', 'us-east-1',
    CASE WHEN status <> 'creating' THEN gen_random_uuid()::text END,
    gen_random_uuid(),
    long_ago, long_ago, CASE WHEN status <> 'creating' THEN long_ago END, CASE WHEN n > 100 THEN today END,
    CASE WHEN status = 'ended' THEN long_ago END
  FROM kinds, (SELECT to_timestamp($now) AS today, to_timestamp($now) - interval '10 minutes' AS long_ago) AS times
  RETURNING id, appointment_id, status, meeting_id, created_at
), appointment AS (
  INSERT INTO appointments (id, provider_user_id, patient_user_id)
  SELECT made.appointment_id, first.provider_user_id, first.patient_user_id
  FROM made, (SELECT provider_user_id, patient_user_id FROM appointments LIMIT 1) AS first
  WHERE made.status = 'active'
), operation AS (
  INSERT INTO medzen.pending_operations (operation, target, session_id, payload, executor, created_at, not_before)
  SELECT 'delete_meeting', meeting_id, id, '{\"controlRegion\": \"us-east-1\", \"orphan\": false}', 'meeting-manager',
    created_at, created_at
  FROM made WHERE status = 'ending'
)
SELECT count(*)::text FROM made";

/// A removal that did not reach Chime, in a call that its provider is connected to, and an orphan meeting.
const BESIDES: &str = "WITH one AS (
  SELECT id FROM video_call_sessions WHERE status = 'active' AND checked_at IS NOT NULL LIMIT 1
), person AS (
  INSERT INTO video_call_participants (video_call_id, user_id, role, status)
  SELECT id, gen_random_uuid(), 'patient', 'removed' FROM one
  RETURNING video_call_id, user_id
), provider AS (
  INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, connected)
  SELECT one.id, provider_user_id, 'provider', 'joined', to_timestamp($now), true
  FROM one, (SELECT provider_user_id FROM appointments LIMIT 1) AS first
), operation AS (
  INSERT INTO medzen.pending_operations (operation, target, session_id, payload, executor, created_at, not_before)
  SELECT 'delete_attendee', gen_random_uuid()::text, s.id, jsonb_build_object(
    'userId', person.user_id, 'controlRegion', s.control_region, 'meetingId', s.meeting_id), 'meeting-manager', at, at
  FROM person JOIN video_call_sessions s ON s.id = person.video_call_id,
    (SELECT to_timestamp($now) - interval '1 minute' AS at) AS time
)
INSERT INTO medzen.chime_meetings (meeting_id, external_meeting_id, control_region, first_seen_at)
SELECT gen_random_uuid()::text, '$prefix' || gen_random_uuid(), 'us-east-1', to_timestamp($now) - interval '3 minutes'
RETURNING ''";

const OPEN_OPERATIONS: &str = "SELECT (SELECT count(*) FROM medzen.pending_operations
    WHERE operation = 'delete_attendee' AND completed_at IS NULL) || ' '
  || (SELECT count(*) FROM medzen.chime_meetings WHERE ended_at IS NULL)";

/// The statement that was sent, explained: it reads the due sessions and not the ended ones.
async fn reads_by_index(cloud: &TestCloud, watch: &Watch<'_>) -> TestResult {
    let page =
        watch.calls().into_iter().find(|call| call.operation == "reconcile_page").ok_or("a page was read")?;
    let database = cloud.parts().seed.database();
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
    let plan = cloud.sql(&format!("EXPLAIN (FORMAT JSON) {statement}")).await?;
    for index in ["video_call_sessions_unfinished", "video_call_sessions_unverified"] {
        assert!(plan.contains(index), "{index} is not used: {plan}");
    }
    assert!(!plan.contains("Seq Scan"), "{plan}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_due_of_ten_thousand_take_few_turns_and_two_questions_a_second() -> TestResult {
    let cloud = TestCloud::new().await?;
    let now = cloud.parts().clock.now().unix_timestamp().to_string();
    assert_eq!(cloud.sql(&MANY.replace("$now", &now)).await?, "10000");
    let due = "SELECT count(*)::text FROM video_call_sessions
      WHERE status IN ('creating', 'ending') OR (status = 'active' AND checked_at IS NULL)";
    assert_eq!(cloud.sql(due).await?, "100");
    let functions = &cloud.parts().plan.functions;
    let prefix =
        functions.iter().find_map(|it| it.environment.get("EXTERNAL_ID_PREFIX")).ok_or("no prefix")?;
    assert_eq!(cloud.sql(&BESIDES.replace("$now", &now).replace("$prefix", prefix)).await?, "");

    let all = cloud.watch();
    let mut runs = 0;
    while cloud.sql(due).await? != "0" {
        runs += 1;
        assert!(runs <= 5, "a run repairs some twenty calls; {} are left after five", cloud.sql(due).await?);
        let watch = cloud.watch();
        cloud.run_schedule(FUNCTION).await?;
        let turns = watch.calls().iter().filter(|call| call.service == "postgres").count();
        assert!(turns <= 24, "{turns} turns in one run");
        if runs == 1 {
            assert_eq!(
                cloud.sql(OPEN_OPERATIONS).await?,
                "0 0",
                "who must not listen is not kept waiting by calls to be asked for"
            );
        }
        cloud.parts().clock.advance(60);
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
    reads_by_index(&cloud, &all).await?;
    let entries = "SELECT count(*) || ' of ' || count(DISTINCT chain) FROM medzen.audit_outbox";
    assert_eq!(cloud.sql(entries).await?, "100 of 100", "each change is audited once");
    Ok(())
}
