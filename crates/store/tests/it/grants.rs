//! The whole of who may do what in our schemas, as a list. A new table, view, function or grant has to be written down here.

use local_testing::TestResult;
use tokio_postgres::Client;

use crate::database::{SUPERUSER, column, in_a_database, supabase};

/// Grantee, privilege, object and columns; owners left out.
const GRANTS: &[&str] = &[
    "authenticated EXECUTE medzen.own_consultations()",
    "authenticated EXECUTE medzen.own_participant_names()",
    "authenticated EXECUTE medzen.own_sessions()",
    "authenticated EXECUTE medzen.own_user_id()",
    "authenticated SELECT video_call_consents (given_at, granted, kind, session_id, user_id)",
    "authenticated SELECT video_call_participants (duration_seconds, joined_at, left_at, role, session_id, status, user_id)",
    "authenticated SELECT video_call_participants_view",
    "authenticated SELECT video_call_sessions (activated_at, appointment_id, connected, created_at, duration_seconds, ended_at, id, \
     max_participants_reached, recording_enabled, status, transcription_enabled, transcription_language, updated_at)",
    "medzen_functions DELETE medzen.attendee_debts",
    "medzen_functions DELETE medzen.audit_outbox",
    "medzen_functions DELETE medzen.chime_events",
    "medzen_functions DELETE medzen.chime_meetings",
    "medzen_functions DELETE medzen.notices",
    "medzen_functions DELETE medzen.refusals",
    "medzen_functions DELETE medzen.video_call_attendee_tokens",
    "medzen_functions EXECUTE medzen.audit_append(text,jsonb,timestamp with time zone)",
    "medzen_functions EXECUTE medzen.has_attendee(uuid,uuid,text)",
    "medzen_functions EXECUTE medzen.owe_capabilities(uuid,uuid,timestamp with time zone)",
    "medzen_functions EXECUTE medzen.people_of(uuid,uuid)",
    "medzen_functions EXECUTE medzen.take_token(uuid,uuid,timestamp with time zone)",
    "medzen_functions EXECUTE medzen.take_words(uuid,uuid,jsonb,timestamp with time zone)",
    "medzen_functions EXECUTE medzen.tell(text,jsonb,timestamp with time zone,timestamp with time zone)",
    "medzen_functions INSERT medzen.attendee_debts",
    "medzen_functions INSERT medzen.chime_events",
    "medzen_functions INSERT medzen.chime_meetings",
    "medzen_functions INSERT medzen.leases",
    "medzen_functions INSERT medzen.refusals",
    "medzen_functions INSERT medzen.video_call_attendee_tokens",
    "medzen_functions INSERT video_call_consents",
    "medzen_functions INSERT video_call_participants",
    "medzen_functions INSERT video_call_sessions",
    "medzen_functions SELECT medzen.attendee_debts",
    "medzen_functions SELECT medzen.audit_outbox",
    "medzen_functions SELECT medzen.call_appointments",
    "medzen_functions SELECT medzen.call_users",
    "medzen_functions SELECT medzen.chime_events",
    "medzen_functions SELECT medzen.chime_meetings",
    "medzen_functions SELECT medzen.leases",
    "medzen_functions SELECT medzen.notices",
    "medzen_functions SELECT medzen.refusals",
    "medzen_functions SELECT medzen.video_call_attendee_tokens",
    "medzen_functions SELECT video_call_consents",
    "medzen_functions SELECT video_call_participants",
    "medzen_functions SELECT video_call_sessions",
    "medzen_functions UPDATE medzen.attendee_debts (tried_at)",
    "medzen_functions UPDATE medzen.audit_outbox (conflict, leased_until, shipped_at)",
    "medzen_functions UPDATE medzen.chime_events (session_id)",
    "medzen_functions UPDATE medzen.chime_meetings (over_at, tried_at)",
    "medzen_functions UPDATE medzen.leases (holder, until)",
    "medzen_functions UPDATE medzen.notices (leased_until, told_at)",
    "medzen_functions UPDATE medzen.refusals (request_id, seen, since, untold)",
    "medzen_functions UPDATE medzen.video_call_attendee_tokens (attendee_id)",
    "medzen_functions UPDATE video_call_participants (admitted_at, audio, comings, comings_since, connected, connections, content, drops, duration_seconds, joined_at, \
     left_at, observer_kind, quality_metrics, status, video, waiting_since)",
    "medzen_functions UPDATE video_call_sessions (activated_at, attempt, attempt_by, checked_at, connected, duration_seconds, \
     emptied_at, end_reason, ended_at, ended_by, events_read, events_version, heard_at, max_participants_reached, meeting, \
     meeting_id, status, tried_at, updated_at)",
    "medzen_functions USAGE schema medzen",
];

/// Who a policy is for, and for which command.
const POLICIES: &[&str] = &[
    "medzen.attendee_debts: functions ALL {medzen_functions}",
    "medzen.audit_outbox: functions_prune DELETE {medzen_functions}",
    "medzen.audit_outbox: functions_read SELECT {medzen_functions}",
    "medzen.audit_outbox: functions_ship UPDATE {medzen_functions}",
    "medzen.chime_events: functions_count UPDATE {medzen_functions}",
    "medzen.chime_events: functions_keep INSERT {medzen_functions}",
    "medzen.chime_events: functions_prune DELETE {medzen_functions}",
    "medzen.chime_events: functions_read SELECT {medzen_functions}",
    "medzen.chime_meetings: functions ALL {medzen_functions}",
    "medzen.leases: functions ALL {medzen_functions}",
    "medzen.notices: functions_prune DELETE {medzen_functions}",
    "medzen.notices: functions_read SELECT {medzen_functions}",
    "medzen.notices: functions_tell UPDATE {medzen_functions}",
    "medzen.refusals: functions ALL {medzen_functions}",
    "medzen.video_call_attendee_tokens: functions ALL {medzen_functions}",
    "public.video_call_consents: functions ALL {medzen_functions}",
    "public.video_call_consents: own_consents SELECT {authenticated}",
    "public.video_call_participants: functions ALL {medzen_functions}",
    "public.video_call_participants: own_calls SELECT {authenticated}",
    "public.video_call_sessions: functions ALL {medzen_functions}",
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

async fn check(client: &Client) -> TestResult {
    assert_eq!(lines(client, OPEN).await?, Vec::<String>::new(), "without row-level security");
    assert_eq!(lines(client, FORCED).await?, ["medzen.video_call_attendee_tokens"]);
    assert_eq!(lines(client, LIST_GRANTS).await?, GRANTS);
    assert_eq!(lines(client, LIST_POLICIES).await?, POLICIES);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_plain_postgres_every_grant_is_on_the_list() -> TestResult {
    in_a_database(async |database| {
        store::migrate::run(&database.url(), None).await?;
        check(&database.superuser().await?).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_supabase_too_and_what_a_table_forgets_is_found() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(&supabase(SUPERUSER)).await?;
        store::migrate::run(&database.url(), None).await?;
        check(&client).await?;

        // What `check` would say of a migration that makes a table and a view and thinks no further.
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
        assert_eq!(lines(&client, LIST_GRANTS).await?, GRANTS);
        Ok(())
    })
    .await
}
