//! All grants in our schemas as one list. A new table, view, function or grant must be added here.

use local_testing::TestResult;
use tokio_postgres::Client;

use crate::database::{SUPERUSER, column, in_a_database, supabase};

/// Grantee, privilege, object and columns; owners left out.
const GRANTS: &[&str] = &[
    "authenticated EXECUTE medzen.own_consultations()",
    "authenticated EXECUTE medzen.own_participant_names()",
    "authenticated EXECUTE medzen.own_sessions()",
    "authenticated EXECUTE medzen.own_user_ids()",
    "authenticated SELECT appointments",
    "authenticated SELECT users",
    "authenticated SELECT video_call_consents",
    "authenticated SELECT video_call_participants",
    "authenticated SELECT video_call_participants_view",
    "authenticated SELECT video_call_sessions",
    "functions DELETE medzen.audit_outbox",
    "functions DELETE medzen.chime_events",
    "functions DELETE medzen.chime_meetings",
    "functions DELETE medzen.denial_rate_limits",
    "functions DELETE medzen.pending_operations",
    "functions DELETE medzen.transcript_entities",
    "functions DELETE medzen.transcript_segments",
    "functions DELETE medzen.video_call_attendee_tokens",
    "functions EXECUTE medzen.alone_since(uuid,timestamp with time zone)",
    "functions EXECUTE medzen.appointment_chain(uuid)",
    "functions EXECUTE medzen.audit_append(text,jsonb,timestamp with time zone)",
    "functions EXECUTE medzen.call_appointment(uuid,text[])",
    "functions EXECUTE medzen.call_meeting(uuid)",
    "functions EXECUTE medzen.call_member_ids(uuid,uuid)",
    "functions EXECUTE medzen.caller(text,uuid,uuid)",
    "functions EXECUTE medzen.capabilities(text,text,text)",
    "functions EXECUTE medzen.capture_state(uuid)",
    "functions EXECUTE medzen.captures_unchanged(uuid,jsonb)",
    "functions EXECUTE medzen.chain_length(text)",
    "functions EXECUTE medzen.complete_transcript(uuid,timestamp with time zone)",
    "functions EXECUTE medzen.enqueue_capability_update(uuid,uuid,jsonb,timestamp with time zone,timestamp with time zone)",
    "functions EXECUTE medzen.enqueue_event(text,uuid,jsonb,timestamp with time zone,timestamp with time \
     zone,timestamp with time zone)",
    "functions EXECUTE medzen.enqueue_hold(uuid,timestamp with time zone)",
    "functions EXECUTE medzen.enqueue_operation(text,text,uuid,jsonb,timestamp with time zone,timestamp with time zone)",
    "functions EXECUTE medzen.finish_capture(uuid,timestamp with time zone)",
    "functions EXECUTE medzen.finish_recording(uuid,timestamp with time zone,timestamp with time zone)",
    "functions EXECUTE medzen.finish_run(uuid,timestamp with time zone)",
    "functions EXECUTE medzen.hand_out_token(uuid,uuid,boolean)",
    "functions EXECUTE medzen.has_attendee(uuid,uuid,text)",
    "functions EXECUTE medzen.has_stored_attendee(uuid,uuid)",
    "functions EXECUTE medzen.holds_token(uuid,uuid)",
    "functions EXECUTE medzen.insert_consent(uuid,uuid,jsonb,timestamp with time zone)",
    "functions EXECUTE medzen.insert_segment(uuid,timestamp with time zone)",
    "functions EXECUTE medzen.is_on_hold(uuid)",
    "functions EXECUTE medzen.is_text_complete(uuid)",
    "functions EXECUTE medzen.known_attendees(uuid)",
    "functions EXECUTE medzen.may_be_in_call(uuid,uuid)",
    "functions EXECUTE medzen.may_capture(uuid,text[])",
    "functions EXECUTE medzen.missing_consents(uuid,uuid)",
    "functions EXECUTE medzen.newest_decision(uuid,uuid,text)",
    "functions EXECUTE medzen.open_capture(uuid,uuid,text[],timestamp with time zone,uuid,text)",
    "functions EXECUTE medzen.operation_executor(text)",
    "functions EXECUTE medzen.presence(uuid,timestamp with time zone)",
    "functions EXECUTE medzen.reason_to_end(uuid,timestamp with time zone,timestamp with time zone,timestamp with time zone)",
    "functions EXECUTE medzen.reported_end(uuid)",
    "functions EXECUTE medzen.reserve_transcription(date,bigint,bigint,bigint)",
    "functions EXECUTE medzen.revoke_attendee(uuid,uuid,timestamp with time zone,timestamp with time zone)",
    "functions EXECUTE medzen.run_json(medzen.transcription_runs)",
    "functions EXECUTE medzen.runs(uuid)",
    "functions EXECUTE medzen.search_configuration(text)",
    "functions EXECUTE medzen.search_queries(text,text)",
    "functions EXECUTE medzen.search_segments(uuid[],text,text,bigint,text,integer,integer)",
    "functions EXECUTE medzen.seconds_between(timestamp with time zone,timestamp with time zone)",
    "functions EXECUTE medzen.segment_count(uuid)",
    "functions EXECUTE medzen.stop_refused_captures(uuid,uuid,timestamp with time zone)",
    "functions EXECUTE medzen.stop_refused_run(uuid,uuid,timestamp with time zone)",
    "functions EXECUTE medzen.transcription_left(date,bigint)",
    "functions EXECUTE medzen.transcription_revoked_at(uuid)",
    "functions INSERT medzen.call_meetings",
    "functions INSERT medzen.chime_events",
    "functions INSERT medzen.chime_meetings",
    "functions INSERT medzen.denial_rate_limits",
    "functions INSERT medzen.leases",
    "functions INSERT medzen.legal_holds",
    "functions INSERT medzen.media_captures",
    "functions INSERT medzen.participant_quality",
    "functions INSERT medzen.recording_segments",
    "functions INSERT medzen.recordings",
    "functions INSERT medzen.searches",
    "functions INSERT medzen.transcript_entities",
    "functions INSERT medzen.transcript_segments",
    "functions INSERT medzen.transcription_budgets",
    "functions INSERT medzen.transcription_gaps",
    "functions INSERT medzen.transcription_jobs",
    "functions INSERT medzen.transcription_languages",
    "functions INSERT medzen.transcription_runs",
    "functions INSERT medzen.transcripts",
    "functions INSERT medzen.usage_ledger",
    "functions INSERT medzen.video_call_attendee_tokens",
    "functions INSERT video_call_consents",
    "functions INSERT video_call_participants",
    "functions INSERT video_call_sessions",
    "functions SELECT medzen.audit_outbox",
    "functions SELECT medzen.call_appointments",
    "functions SELECT medzen.call_meetings",
    "functions SELECT medzen.call_users",
    "functions SELECT medzen.chime_events",
    "functions SELECT medzen.chime_meetings",
    "functions SELECT medzen.denial_rate_limits",
    "functions SELECT medzen.leases",
    "functions SELECT medzen.legal_holds",
    "functions SELECT medzen.media_captures",
    "functions SELECT medzen.participant_quality",
    "functions SELECT medzen.pending_operations",
    "functions SELECT medzen.recording_segments",
    "functions SELECT medzen.recordings",
    "functions SELECT medzen.searches",
    "functions SELECT medzen.transcript_entities",
    "functions SELECT medzen.transcript_segments",
    "functions SELECT medzen.transcription_budgets",
    "functions SELECT medzen.transcription_gaps",
    "functions SELECT medzen.transcription_jobs",
    "functions SELECT medzen.transcription_languages",
    "functions SELECT medzen.transcription_runs",
    "functions SELECT medzen.transcripts",
    "functions SELECT medzen.usage_ledger",
    "functions SELECT medzen.video_call_attendee_tokens",
    "functions SELECT video_call_consents",
    "functions SELECT video_call_participants",
    "functions SELECT video_call_sessions",
    "functions UPDATE medzen.audit_outbox (conflict, delivered_at, leased_until)",
    "functions UPDATE medzen.chime_events (session_id)",
    "functions UPDATE medzen.chime_meetings (ended_at)",
    "functions UPDATE medzen.denial_rate_limits (request_id, seen, since, suppressed)",
    "functions UPDATE medzen.leases (expires_at, holder)",
    "functions UPDATE medzen.legal_holds (entries_applied, entries_applied_at, entries_leased_until, file_changes, \
     file_pass, file_versions, files_applied, files_applied_at, lifted_at, lifted_by)",
    "functions UPDATE medzen.media_captures (began_at, confirmed_at, ended_at, pipeline_arn, pipeline_id, revoked, \
     speaking, speech_deleted_at, status, stop_reason, stop_requested_at, text_taken_at)",
    "functions UPDATE medzen.participant_quality (summary)",
    "functions UPDATE medzen.pending_operations (attempts, completed_at, last_attempt_at, last_error, leased_until, \
     not_before, superseded_until)",
    "functions UPDATE medzen.recording_segments (changed_at, chunks_deleted_at, concatenation_id, concatenations, \
     defect, duration_seconds, missing_seconds, sha256, started_at, status)",
    "functions UPDATE medzen.recordings (deleted_at, deletion_requested_at, end_reason, ended_at, ended_by, \
     finished_at, intent, pause_reason, paused_at)",
    "functions UPDATE medzen.searches (began_at, finished_at, found, position)",
    "functions UPDATE medzen.transcript_segments (revoked)",
    "functions UPDATE medzen.transcription_budgets (reserved_seconds)",
    "functions UPDATE medzen.transcription_gaps (ended_at)",
    "functions UPDATE medzen.transcription_jobs (changed_at, concatenation_id, ended_at, message, reason, sound_began_at, \
     sound_seconds, status)",
    "functions UPDATE medzen.transcription_languages (at, confirmed, message)",
    "functions UPDATE medzen.transcription_runs (attempt, confirmed_at, end_reason, ended_at, limit_at, message, \
     started_at, status)",
    "functions UPDATE medzen.transcripts (deleted_at, deletion_requested_at, finished_at, gaps, outcome, segment_count, sha256)",
    "functions UPDATE medzen.video_call_attendee_tokens (attendee_id)",
    "functions UPDATE video_call_participants (admitted_at, audio, connected, connections, content, drops, \
     duration_seconds, join_count, join_count_since, joined_at, left_at, observer_kind, role, seen_at, status, video, waiting_since)",
    "functions UPDATE video_call_sessions (activated_at, attempt, attempt_by, checked_at, connected_count, \
     duration_seconds, end_reason, ended_at, ended_by, error_message, last_attempt_at, last_event_at, last_left_at, max_participants_reached, meeting_id, projection_stale, projection_version, recording_enabled, recording_requested, status, stay_confirmed_at, updated_at)",
    "functions USAGE schema medzen",
];

/// The roles and the command of each policy.
const POLICIES: &[&str] = &[
    "medzen.audit_outbox: functions_deliver UPDATE {functions}",
    "medzen.audit_outbox: functions_prune DELETE {functions}",
    "medzen.audit_outbox: functions_read SELECT {functions}",
    "medzen.call_meetings: functions ALL {functions}",
    "medzen.chime_events: functions_apply UPDATE {functions}",
    "medzen.chime_events: functions_insert INSERT {functions}",
    "medzen.chime_events: functions_prune DELETE {functions}",
    "medzen.chime_events: functions_read SELECT {functions}",
    "medzen.chime_meetings: functions ALL {functions}",
    "medzen.denial_rate_limits: functions ALL {functions}",
    "medzen.leases: functions ALL {functions}",
    "medzen.legal_holds: functions_apply UPDATE {functions}",
    "medzen.legal_holds: functions_place INSERT {functions}",
    "medzen.legal_holds: functions_read SELECT {functions}",
    "medzen.media_captures: functions ALL {functions}",
    "medzen.participant_quality: functions ALL {functions}",
    "medzen.pending_operations: functions_execute UPDATE {functions}",
    "medzen.pending_operations: functions_prune DELETE {functions}",
    "medzen.pending_operations: functions_read SELECT {functions}",
    "medzen.recording_segments: functions ALL {functions}",
    "medzen.recordings: functions ALL {functions}",
    "medzen.searches: functions ALL {functions}",
    "medzen.transcript_entities: functions ALL {functions}",
    "medzen.transcript_segments: functions ALL {functions}",
    "medzen.transcription_budgets: functions ALL {functions}",
    "medzen.transcription_gaps: functions ALL {functions}",
    "medzen.transcription_jobs: functions ALL {functions}",
    "medzen.transcription_languages: functions ALL {functions}",
    "medzen.transcription_runs: functions ALL {functions}",
    "medzen.transcripts: functions ALL {functions}",
    "medzen.usage_ledger: functions ALL {functions}",
    "medzen.video_call_attendee_tokens: functions ALL {functions}",
    "public.appointments: own_appointments SELECT {authenticated}",
    "public.users: own_account SELECT {authenticated}",
    "public.video_call_consents: functions ALL {functions}",
    "public.video_call_consents: own_consents SELECT {authenticated}",
    "public.video_call_participants: functions ALL {functions}",
    "public.video_call_participants: own_calls SELECT {authenticated}",
    "public.video_call_sessions: functions ALL {functions}",
    "public.video_call_sessions: own_calls SELECT {authenticated}",
];

const LIST_GRANTS: &str = "
WITH ours AS (
  SELECT c.*, c.oid::regclass::text AS name FROM pg_class c
  WHERE c.relnamespace IN ('public'::regnamespace, 'medzen'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
), given AS (
  SELECT acl.grantee, acl.privilege_type, ours.name, ours.relowner AS owner, NULL AS columns
  FROM ours, aclexplode(ours.relacl) AS acl
  UNION ALL
  SELECT acl.grantee, acl.privilege_type, ours.name, ours.relowner, string_agg(a.attname, ', ' ORDER BY a.attname)
  FROM ours JOIN pg_attribute a ON a.attrelid = ours.oid, aclexplode(a.attacl) AS acl
  GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT acl.grantee, acl.privilege_type, p.oid::regprocedure::text, p.proowner, NULL
  FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS acl
  WHERE p.pronamespace IN ('public'::regnamespace, 'medzen'::regnamespace)
  UNION ALL
  SELECT acl.grantee, acl.privilege_type, 'schema medzen', n.nspowner, NULL
  FROM pg_namespace n, aclexplode(n.nspacl) AS acl WHERE n.nspname = 'medzen'
)
SELECT concat_ws(' ', CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type, name,
                 '(' || columns || ')') COLLATE \"C\" AS line
FROM given WHERE grantee <> owner
ORDER BY line";

const LIST_POLICIES: &str = "
SELECT format('%s.%s: %s %s %s', schemaname, tablename, policyname, cmd, roles) COLLATE \"C\" AS line
FROM pg_policies WHERE schemaname IN ('public', 'medzen') ORDER BY line";

/// Tables without row-level security, and views that clients reach with their owner's rights.
const OPEN: &str = "
SELECT c.oid::regclass::text FROM pg_class c
WHERE (c.relnamespace IN ('public'::regnamespace, 'medzen'::regnamespace) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity)
   OR (c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')
       AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false))
ORDER BY 1";

const FORCED: &str = "SELECT oid::regclass::text FROM pg_class WHERE relforcerowsecurity ORDER BY 1";

async fn lines(client: &Client, sql: &str) -> TestResult<Vec<String>> {
    Ok(column(client, sql).await?)
}

/// The lines of a list, sorted, with `functions` in place of the role of this database's functions.
async fn listed(client: &Client, list: &str, functions_role: &str) -> TestResult<Vec<String>> {
    let own = |line: String| line.replace(functions_role, "functions");
    let mut listed: Vec<String> = lines(client, list).await?.into_iter().map(own).collect();
    listed.sort();
    Ok(listed)
}

async fn check(client: &Client, functions_role: &str) -> TestResult {
    assert_eq!(lines(client, OPEN).await?, Vec::<String>::new(), "without row-level security");
    assert_eq!(lines(client, FORCED).await?, ["medzen.video_call_attendee_tokens"]);
    assert_eq!(listed(client, LIST_GRANTS, functions_role).await?, GRANTS);
    assert_eq!(listed(client, LIST_POLICIES, functions_role).await?, POLICIES);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_plain_postgres_every_grant_is_on_the_list() -> TestResult {
    in_a_database(async |database| {
        schema::run(&database.url(), None).await?;
        check(&database.superuser().await?, &database.functions_role()).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_supabase_too_and_a_forgotten_table_is_found() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(&supabase(SUPERUSER)).await?;
        schema::run(&database.url(), None).await?;
        check(&client, &database.functions_role()).await?;

        // Shows what `check` reports for a migration that creates a table and a view and forgets their privileges.
        client
            .batch_execute("CREATE TABLE forgotten (id uuid); CREATE VIEW leaky AS SELECT * FROM users")
            .await?;
        assert_eq!(lines(&client, OPEN).await?, ["forgotten", "leaky"]);
        let grants = lines(&client, LIST_GRANTS).await?;
        for line in ["anon SELECT forgotten", "authenticated DELETE leaky", "service_role SELECT leaky"] {
            assert!(grants.iter().any(|given| given == line), "{line} is not among {grants:?}");
        }
        client
            .batch_execute("CALL medzen.make_private('forgotten'); CALL medzen.make_private('leaky')")
            .await?;
        assert_eq!(listed(&client, LIST_GRANTS, &database.functions_role()).await?, GRANTS);
        Ok(())
    })
    .await
}
