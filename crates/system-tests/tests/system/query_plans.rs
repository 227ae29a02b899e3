//! Query plans: statements read what they are about by index, however full the tables are.

use local_testing::{MeetingEvents, TestCloud, TestResult, workspace};
use serde_json::{Value, json};

/// Calls that are over, each with twenty events.
const HISTORY: &str = "
INSERT INTO video_call_sessions (
  id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at,
  activated_at, ended_at, end_reason, duration_seconds)
SELECT gen_random_uuid(), gen_random_uuid(), 'ended', 'us-east-1', 'us-east-1', 'old-' || n, gen_random_uuid(),
  at, at, at, at, 'meeting_ended', 60
FROM generate_series(1, 5000) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS at) AS day;
INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, left_at)
SELECT id, gen_random_uuid(), role, 'left', ended_at, ended_at
FROM video_call_sessions, (VALUES ('provider'), ('patient')) AS part (role);
INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
SELECT video_call_id, user_id, gen_random_uuid()::text, '{}' FROM video_call_participants WHERE status = 'left';
INSERT INTO medzen.chime_events (event_id, meeting_id, kind, at_ms, received_at, session_id)
SELECT gen_random_uuid()::text, meeting_id, 'AttendeeJoined', n, ended_at, id
FROM video_call_sessions, generate_series(1, 20) AS n WHERE status = 'ended';
INSERT INTO medzen.chime_meetings (meeting_id, external_meeting_id, control_region, first_seen_at, ended_at)
SELECT meeting_id, meeting_id, 'us-east-1', ended_at, ended_at
FROM video_call_sessions WHERE status = 'ended';
INSERT INTO medzen.pending_operations (operation, target, session_id, payload, executor, created_at, not_before, completed_at)
SELECT 'publish_event', id::text, id, '{}', 'meeting-manager', ended_at, ended_at, ended_at
FROM video_call_sessions WHERE status = 'ended';
ANALYZE; SELECT ''";

/// The tables that a plan reads from end to end.
fn read_whole(plan: &Value, found: &mut Vec<String>) {
    match plan {
        Value::Object(node) => {
            if node.get("Node Type").is_some_and(|kind| kind == "Seq Scan") {
                found.extend(node.get("Relation Name").and_then(Value::as_str).map(str::to_owned));
            }
            node.values().for_each(|part| read_whole(part, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| read_whole(part, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_events_reads_no_table_from_end_to_end() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let started = scenario.provider.start().await?;
    cloud.sql(HISTORY).await?;
    let watch = cloud.watch();
    let (meeting_events, attendee) = (MeetingEvents::of(&cloud, &started), started.text("attendeeToken"));
    let event = meeting_events.attendee(
        "AttendeeJoined",
        cloud.parts().clock.now(),
        &attendee,
        &scenario.provider.id,
    )?;
    assert_eq!(cloud.deliver("attendee", &[event]).await?, Vec::<usize>::new());

    let batch: Vec<Value> = (1..=10)
        .map(|n| {
            json!({ "event_id": format!("e-{n}"), "meeting_id": format!("old-{n}"), "external_meeting_id": format!("old-{n}"),
                    "control_region": "us-east-1", "kind": "AttendeeLeft", "at_ms": n })
        })
        .collect();
    let readings =
        "SELECT json_agg(json_build_object('session_id', id, 'version', 0, 'status', 'ended', 'connected_count', 0,
        'max_participants', 1, 'events', '[\"e-1\"]'::json, 'entries', '[]'::json, 'participants', '[]'::json))::text
        FROM (SELECT id FROM video_call_sessions WHERE status = 'ended' LIMIT 10) AS ended";
    let readings = cloud.sql(readings).await?;
    let now = "'2026-11-20T15:00:00Z'";
    let arguments = [
        ("insert_events", "jsonb, timestamptz", format!("'{}', {now}", json!(batch))),
        (
            "apply_projection",
            "jsonb, timestamptz, jsonb, text, text",
            format!("'{readings}', {now}, '{{}}', 'call.ended', 'Call Ended'"),
        ),
    ];
    let role = cloud.parts().database.functions_role();
    for (name, types, values) in arguments {
        let call = watch.calls().into_iter().find(|call| call.operation == name).ok_or(name)?;
        let explained = cloud
            .sql(&format!(
                "BEGIN; SET LOCAL ROLE {role}; PREPARE it ({types}) AS {};
                 EXPLAIN (FORMAT JSON) EXECUTE it ({values}); DEALLOCATE it; ROLLBACK",
                call.request.body
            ))
            .await?;
        let mut whole = Vec::new();
        read_whole(&serde_json::from_str(&explained)?, &mut whole);
        assert_eq!(whole, Vec::<String>::new(), "{name} reads them whole: {explained}");
    }
    Ok(())
}

/// Beside [`HISTORY`], 20,000 calls that are over, the host's accounts and appointments, and 200 active calls of two.
const HOST_AND_CALLS: &str = "
INSERT INTO video_call_sessions (
  id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at,
  activated_at, ended_at, end_reason, duration_seconds)
SELECT gen_random_uuid(), gen_random_uuid(), 'ended', 'us-east-1', 'us-east-1', 'older-' || n, gen_random_uuid(),
  now(), now(), now(), now(), 'meeting_ended', 60
FROM generate_series(1, 20000) AS n;
INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, left_at)
SELECT id, gen_random_uuid(), role, 'left', ended_at, ended_at
FROM video_call_sessions, (VALUES ('provider'), ('patient')) AS part (role) WHERE meeting_id LIKE 'older-%';
INSERT INTO users (id, firebase_uid, display_name)
SELECT gen_random_uuid(), 'user-' || n, 'User ' || n FROM generate_series(1, 5000) AS n;
INSERT INTO appointments (id, provider_user_id, patient_user_id)
SELECT gen_random_uuid(), id, id FROM users WHERE firebase_uid LIKE 'user-%';
INSERT INTO video_call_sessions (
  id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at, activated_at)
SELECT gen_random_uuid(), id, 'active', 'us-east-1', 'us-east-1', 'active-' || id, provider_user_id, now(), now(), now()
FROM appointments WHERE provider_user_id = patient_user_id LIMIT 200;
INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at)
SELECT s.id, member, role, 'joined', now()
FROM video_call_sessions s, LATERAL (VALUES (s.created_by, 'provider'), (gen_random_uuid(), 'patient')) AS part (member, role)
WHERE s.meeting_id LIKE 'active-%';
INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
SELECT video_call_id, user_id, gen_random_uuid()::text, '{}'
FROM video_call_participants JOIN video_call_sessions s ON s.id = video_call_id WHERE s.meeting_id NOT LIKE 'old-%';
ANALYZE; SELECT ''";

/// Counts the rows that a transaction reads by sequential scans, also inside of functions, whose plans EXPLAIN does not show.
/// `EXISTS` on a view reads one.
const ROWS_READ_WHOLE: &str = "
BEGIN;
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT relid, seq_tup_read FROM pg_stat_xact_user_tables;
SET LOCAL ROLE {role};
DO $do$ BEGIN EXECUTE $statement${statement}$statement$ USING {values}; END $do$;
RESET ROLE;
SELECT coalesce(json_object_agg(relname, rows), '{}')::text FROM (
  SELECT now.relname, now.seq_tup_read - coalesce(before.seq_tup_read, 0) AS rows
  FROM pg_stat_xact_user_tables now LEFT JOIN before USING (relid)
) AS read WHERE rows > 1;
ROLLBACK";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_ended_memberships_reads_no_table_from_end_to_end() -> TestResult {
    let cloud = TestCloud::new().await?;
    cloud.sql(HISTORY).await?;
    cloud.sql(HOST_AND_CALLS).await?;
    let watch = cloud.watch();
    cloud.run_schedule("meeting-manager").await?;
    let page = watch.calls().into_iter().find(|call| call.operation == "membership_page");
    let statement = page.ok_or("no page was read")?.request.body;
    let values = "'{cancelled}'::text[], 20::bigint, NULL::uuid[]";
    assert_eq!(rows_read_whole(&cloud, &statement, values).await?, "{}");
    Ok(())
}

/// The rows that a statement with these values reads by sequential scans, by table.
async fn rows_read_whole(cloud: &TestCloud, statement: &str, values: &str) -> TestResult<String> {
    let role = cloud.parts().database.functions_role();
    let read = ROWS_READ_WHOLE.replace("{role}", role).replace("{statement}", statement);
    cloud.sql(&read.replace("{values}", values)).await
}

/// Beside the calls that are over, a recording of each, with its capture and its segment.
const RECORDINGS: &str = "
INSERT INTO medzen.recordings (id, session_id, intent, automatic, layout, began_at, ended_at, end_reason, finished_at)
SELECT gen_random_uuid(), id, 'ended', true, 'active_speaker', ended_at, ended_at, 'call_ended', ended_at
FROM video_call_sessions WHERE status = 'ended';
INSERT INTO medzen.media_captures (
  id, session_id, purposes, recording_id, status, pipeline_id, opened_at, confirmed_at, began_at, stop_requested_at, stop_reason,
  ended_at)
SELECT gen_random_uuid(), session_id, '{recording}', id, 'stopped', 'capture-' || id, ended_at, ended_at, ended_at, ended_at,
  'call_ended', ended_at
FROM medzen.recordings;
INSERT INTO medzen.recording_segments (
  capture_id, recording_id, number, status, changed_at, concatenation_id, concatenations, started_at, duration_seconds, sha256)
SELECT id, recording_id, 1, 'ready', ended_at, 'joined-' || id, 1, ended_at, 60, repeat('0', 64)
FROM medzen.media_captures;
ANALYZE; SELECT ''";

/// Holds that were lifted long ago and are applied, and one that stands.
const HOLDS: &str = "
INSERT INTO medzen.legal_holds (appointment_id, reason, placed_at, placed_by, lifted_at, lifted_by, entries_applied_at)
SELECT appointment_id, 'AZ-1', created_at, 'a', created_at, 'a', created_at
FROM video_call_sessions WHERE status = 'ended' ORDER BY id OFFSET 10;
INSERT INTO medzen.legal_holds (appointment_id, reason, placed_at, placed_by, file_changes)
SELECT appointment_id, 'AZ-2', created_at, 'a', 7 FROM video_call_sessions WHERE status = 'ended' ORDER BY id DESC LIMIT 1;
ANALYZE; SELECT ''";

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_recordings_reads_a_table_from_end_to_end() -> TestResult {
    let cloud = TestCloud::new().await?;
    for rows in [HISTORY, HOST_AND_CALLS, RECORDINGS, HOLDS] {
        cloud.sql(rows).await?;
    }
    let ids = "SELECT c.id || ' ' || c.recording_id || ' ' || c.session_id || ' ' || s.appointment_id || ' ' || c.pipeline_id
        FROM medzen.media_captures c JOIN video_call_sessions s ON s.id = c.session_id ORDER BY c.id LIMIT 1";
    let ids = cloud.sql(ids).await?;
    let [capture, recording, session, appointment, pipeline] =
        ids.split(' ').collect::<Vec<_>>().try_into().map_err(|_| "no capture")?;
    let held = cloud.sql("SELECT max(id) || ' ' || appointment_id FROM medzen.legal_holds WHERE lifted_at IS NULL GROUP BY appointment_id LIMIT 1").await?;
    let (hold_id, held) = held.split_once(' ').ok_or("no hold")?;
    let user = cloud.first_scenario()?.provider.id;
    let (now, origin) = ("'2026-11-20T15:00:00Z'::timestamptz", "'{}'::jsonb");
    let changed = json!({
        "id": recording, "intent": "ended", "automatic": true, "layout": "active_speaker", "beganAt": "2026-11-20T15:00:00Z",
        "endedAt": "2026-11-20T15:00:00Z", "endReason": "requested",
    });
    let segment =
        json!({ "status": "failed", "concatenations": 2, "defect": "no_file", "missingSeconds": 60 });
    let nothing = "[null, null]";
    for (name, values) in [
        ("due_captures", "1000::bigint".to_owned()),
        ("due_segments", format!("{now}, 100::bigint")),
        ("due_recordings", format!("{now}, 100::bigint")),
        ("begin_search", format!("'search'::text, {now}, {now}")),
        (
            "request_recording",
            format!("'{session}'::uuid, true, {origin}, '{user}'::uuid, 'provider'::text, 'recording.requested'::text, {now}"),
        ),
        ("find_pipeline", format!("'{pipeline}'::text, NULL::uuid")),
        ("find_pipeline", format!("NULL::text, '{capture}'::uuid")),
        ("find_recording", format!("'{recording}'::uuid")),
        ("list_recordings", format!("NULL::text, '{user}'::uuid, '{appointment}'::uuid, NULL::uuid, '{{}}'::text[]")),
        ("list_recordings", format!("NULL::text, '{user}'::uuid, NULL::uuid, '{recording}'::uuid, '{{}}'::text[]")),
        ("load_segment", format!("'{capture}'::uuid")),
        ("session_operations", format!("'{session}'::uuid, 'stop_capture'::text")),
        ("recording_captures", format!("'{recording}'::uuid")),
        (
            "request_deletion",
            format!(
                "NULL::uuid, now() - interval '8 years', 100::bigint, {now}, {origin}, NULL::uuid, NULL::text,
                 'recording.deletion_requested'::text"
            ),
        ),
        (
            "recording_deleted",
            format!("'{recording}'::uuid, {now}, {origin}, 'recording.deleted'::text"),
        ),
        ("unknown_captures", format!("ARRAY['{capture}']::uuid[]")),
        ("chunks_deleted", format!("'{capture}'::uuid, {now}")),
        (
            "audit_playback",
            format!("'{recording}'::uuid, '{user}'::uuid, 'provider'::text, {now}, {origin}, 'recording.played'::text, {now}"),
        ),
        (
            "apply_captures",
            format!(
                "'{session}'::uuid, {now}, {origin}, '{user}'::uuid, 'provider'::text, '{nothing}'::jsonb, '{changed}'::jsonb,
                 '[]'::jsonb, NULL::jsonb, NULL::jsonb, {now}, 'a'::text, 'b'::text, 'Recording Started'::text"
            ),
        ),
        ("is_on_hold", format!("'{recording}'::uuid, NULL::uuid, NULL::uuid")),
        ("is_on_hold", format!("NULL::uuid, '{capture}'::uuid, NULL::uuid")),
        ("is_on_hold", format!("NULL::uuid, NULL::uuid, '{capture}'::uuid")),
        ("load_hold", format!("NULL::text, '{user}'::uuid, '{appointment}'::uuid")),
        ("place_hold", format!("'{appointment}'::uuid, 'AZ-7'::text, '{user}'::text, {now}, {origin}, 'hold.placed'::text")),
        ("lift_hold", format!("'{held}'::uuid, '{user}'::text, {now}, {origin}, 'hold.lifted'::text")),
        ("hold_files", format!("'{held}'::uuid, 1::integer")),
        (
            "advance_hold",
            format!("{hold_id}::bigint, 7::integer, 2::bigint, NULL::jsonb, {now}, {origin}, 'hold.applied'::text, true"),
        ),
        ("lease_hold_entries", format!("{now}, {now}, 50::bigint")),
        ("hold_entries_applied", format!("{hold_id}::bigint, 2::bigint, {now}, true, true")),
        (
            "apply_segment",
            format!(
                "'{capture}'::uuid, '{segment}'::jsonb, 'ready'::text, 1::integer, 'delete_chunks'::text, {now}, {origin},
                 'a'::text, {now}"
            ),
        ),
    ] {
        let file = workspace().join(format!("crates/store/sql/{name}.sql"));
        let statement = std::fs::read_to_string(&file)?;
        assert_eq!(rows_read_whole(&cloud, &statement, &values).await?, "{}", "{name} with {values}");
    }
    Ok(())
}

/// Transcripts of one call each, `{prefix}` with numbers, of `{segments}` segments; the last of them has the word `porphyria`.
const TRANSCRIPTS: &str = "
INSERT INTO video_call_sessions (
  id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at, activated_at, ended_at,
  end_reason, duration_seconds)
SELECT gen_random_uuid(), gen_random_uuid(), 'ended', 'us-east-1', 'us-east-1', '{prefix}-' || n, gen_random_uuid(), now(), now(), now(),
  now(), 'meeting_ended', 60
FROM generate_series(1, {transcripts}) AS n;
INSERT INTO medzen.transcripts (id, session_id, created_at, finished_at, outcome, segment_count, sha256)
SELECT gen_random_uuid(), id, now(), now(), 'ready', {segments}, '' FROM video_call_sessions WHERE meeting_id LIKE '{prefix}-%';
INSERT INTO medzen.transcript_segments (
  transcript_id, result_id, place, rank, source, start_ms, end_ms, content, speaker, body, language, spans, unfinished, revoked, search)
SELECT t.id, 'r-' || n, 0, '1', 'live', n, n, false, 's', body, 'en-US', '[]', false, false, to_tsvector('english', body)
FROM medzen.transcripts t JOIN video_call_sessions s ON s.id = t.session_id, generate_series(1, {segments}) AS n,
  LATERAL (SELECT 'pain on day ' || n || CASE WHEN s.meeting_id = '{prefix}-{transcripts}' AND n = 1 THEN ' porphyria' ELSE '' END AS body) AS said
WHERE s.meeting_id LIKE '{prefix}-%';
SELECT gin_clean_pending_list('medzen.transcript_segments_search')::text; ANALYZE; SELECT ''";

/// The blocks that a search for a word in the transcripts of `mine` reads.
async fn blocks_of_search(cloud: &TestCloud, word: &str) -> TestResult<u64> {
    let role = cloud.parts().database.functions_role();
    let mine = "SELECT array_agg(t.id ORDER BY length(s.meeting_id), s.meeting_id)::text
        FROM medzen.transcripts t JOIN video_call_sessions s ON s.id = t.session_id WHERE s.meeting_id LIKE 'mine-%'";
    let mine = cloud.sql(mine).await?;
    let explained = cloud
        .sql(&format!(
            "BEGIN; SET LOCAL ROLE {role};
             EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
             SELECT * FROM medzen.search_segments('{mine}', '{word}', NULL, NULL, NULL, NULL, 21); ROLLBACK"
        ))
        .await?;
    let explained: Value = serde_json::from_str(&explained)?;
    let plan = &explained[0]["Plan"];
    let blocks = |name: &str| plan[name].as_u64().unwrap_or_default();
    Ok(blocks("Shared Hit Blocks") + blocks("Shared Read Blocks"))
}

/// Row-level security would keep `@@` from its index, and a word in every call would be looked for in the calls of everyone.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_reads_no_more_however_much_others_have_said() -> TestResult {
    let cloud = TestCloud::new().await?;
    let rows = |prefix: &str, transcripts: u32, segments: u32| {
        let rows = TRANSCRIPTS.replace("{prefix}", prefix).replace("{transcripts}", &transcripts.to_string());
        rows.replace("{segments}", &segments.to_string())
    };
    cloud.sql(&rows("mine", 40, 20)).await?;
    cloud.sql(&rows("theirs", 100, 100)).await?;
    let words = ["porphyria", "pain"];
    let mut before = Vec::new();
    for word in words {
        // Blocks that are read once in a connection are not counted.
        blocks_of_search(&cloud, word).await?;
        before.push(blocks_of_search(&cloud, word).await?);
    }
    cloud.sql(&rows("others", 400, 100)).await?;
    for (word, before) in words.into_iter().zip(before) {
        blocks_of_search(&cloud, word).await?;
        let after = blocks_of_search(&cloud, word).await?;
        assert!(
            before > 0 && after <= 2 * before,
            "{word}: {before} blocks before, {after} with five times as much text"
        );
    }
    Ok(())
}

/// The blocks that a statement reads which loads a call, once everything is cached.
async fn blocks_read(cloud: &TestCloud, statement: &str, values: &str) -> TestResult<i64> {
    let role = cloud.parts().database.functions_role();
    let types = "text, uuid, uuid, text, uuid, text[], boolean, timestamptz, timestamptz";
    let mut least = i64::MAX;
    for _ in 0..5 {
        let explained = cloud
            .sql(&format!(
                "BEGIN; SET LOCAL ROLE {role}; PREPARE it ({types}) AS {statement};
                 EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE it ({values}); DEALLOCATE it; ROLLBACK"
            ))
            .await?;
        let explained: Value = serde_json::from_str(&explained)?;
        least = least.min(explained[0]["Plan"]["Shared Hit Blocks"].as_i64().ok_or("no blocks")?);
    }
    Ok(least)
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_take_at_most_a_quarter_of_the_load_of_a_call_that_is_not_recorded() -> TestResult {
    let cloud = TestCloud::new().await?;
    for rows in [HISTORY, HOST_AND_CALLS, RECORDINGS] {
        cloud.sql(rows).await?;
    }
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    let watch = cloud.watch();
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    let load = watch.calls().into_iter().find(|call| call.operation == "load_call").ok_or("no load")?;
    let whole = load.request.body.clone();
    let begin = whole.find("'captures',").ok_or("no captures")?;
    let end = begin + whole[begin..].find("')\n").ok_or("no end")? + 2;
    let without = format!("{}'captures', NULL{}", &whole[..begin], &whole[end..]);
    let values = format!(
        "NULL, '{}', '{}', NULL, NULL, '{{}}', false, now(), now()",
        scenario.provider.id, scenario.appointment
    );
    let all = blocks_read(&cloud, &whole, &values).await?;
    let of_captures = all - blocks_read(&cloud, &without, &values).await?;
    // Mostly the plan of the function's query, which PostgreSQL makes at each call of it.
    assert!(of_captures > 0 && of_captures * 4 <= all, "{of_captures} of {all} blocks");
    Ok(())
}
