//! However much is kept, a batch of events reads what it is about and nothing else.

use local_testing::{MeetingEvents, TestCloud, TestResult};
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
    let (told, attendee) = (MeetingEvents::of(&cloud, &started), started.text("attendeeToken"));
    let event =
        told.attendee("AttendeeJoined", cloud.parts().clock.now(), &attendee, &scenario.provider.id)?;
    assert_eq!(cloud.deliver("attendee", &[event]).await?, Vec::<usize>::new());

    let told: Vec<Value> = (1..=10)
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
        ("insert_events", "jsonb, timestamptz", format!("'{}', {now}", json!(told))),
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
