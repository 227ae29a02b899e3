//! Migrations: of an empty database, of Supabase's, by owners with few privileges, repeated, and concurrent.

use local_testing::TestResult;
use tokio_postgres::Client;

use crate::database::{column, connect, in_a_database, supabase};

/// The catalogues' content of our schemas, including the transaction that wrote each row. Statistics are left out:
/// the server updates them by itself.
const CATALOGUE: &str = "
WITH ours AS (
  SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'medzen', 'auth')
), relation AS (
  SELECT * FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours)
)
SELECT line FROM (
  SELECT n.xmin || ' ' || n::text AS line FROM pg_namespace n WHERE oid IN (SELECT oid FROM ours)
  UNION ALL SELECT concat_ws(' ', c.xmin, c.oid, relname, relkind, relowner, relacl, relrowsecurity, relforcerowsecurity, reloptions)
            FROM pg_class c WHERE oid IN (SELECT oid FROM relation)
  UNION ALL SELECT a.xmin || ' ' || a::text FROM pg_attribute a WHERE attrelid IN (SELECT oid FROM relation)
  UNION ALL SELECT d.xmin || ' ' || d::text FROM pg_attrdef d WHERE adrelid IN (SELECT oid FROM relation)
  UNION ALL SELECT i.xmin || ' ' || i::text FROM pg_index i WHERE indrelid IN (SELECT oid FROM relation)
  UNION ALL SELECT k.xmin || ' ' || k::text FROM pg_constraint k WHERE conrelid IN (SELECT oid FROM relation)
  UNION ALL SELECT p.xmin || ' ' || p::text FROM pg_policy p WHERE polrelid IN (SELECT oid FROM relation)
  UNION ALL SELECT r.xmin || ' ' || r::text FROM pg_rewrite r WHERE ev_class IN (SELECT oid FROM relation)
  UNION ALL SELECT t.xmin || ' ' || t::text FROM pg_trigger t WHERE tgrelid IN (SELECT oid FROM relation)
  UNION ALL SELECT f.xmin || ' ' || f::text FROM pg_proc f WHERE pronamespace IN (SELECT oid FROM ours)
  UNION ALL SELECT concat_ws(' ', h.xmin, h::text) FROM medzen.schema_history h
  UNION ALL SELECT r.xmin || ' ' || r.oid || r.rolname FROM pg_authid r
            WHERE rolname IN ('anon', 'authenticated') OR rolname = 'medzen_functions_' || current_database()
) AS catalogue
ORDER BY line";

/// The statement that creates the roles.
fn roles_block() -> &'static str {
    let migration = include_str!("../../../schema/migrations/V1__baseline.sql");
    let start = migration.find("DO $roles$").unwrap_or_default();
    migration[start..].split_inclusive("$roles$;").next().unwrap_or_default()
}

async fn catalogue(client: &Client) -> TestResult<Vec<String>> {
    Ok(column(client, CATALOGUE).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_twice_changes_nothing() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        let applied = schema::run(&database.url(), None).await?;
        assert!(!applied.migrations.is_empty(), "{applied:?}");
        let before = catalogue(&client).await?;
        assert!(before.len() > 100, "{before:?}");
        assert_eq!(schema::run(&database.url(), None).await?.migrations, Vec::<String>::new());
        assert_eq!(catalogue(&client).await?, before);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_migrations_at_once_wait_for_each_other() -> TestResult {
    in_a_database(async |database| {
        let url = database.url();
        let runs = [1, 2, 3].map(|_| {
            let url = url.clone();
            tokio::spawn(async move { schema::run(&url, None).await })
        });
        let mut applied = Vec::new();
        for run in runs {
            applied.push(run.await??.migrations.len());
        }
        applied.sort_unstable();
        assert_eq!(applied[..2], [0, 0], "two found nothing to do");
        let client = database.superuser().await?;
        let history = column(&client, "SELECT count(*) FROM medzen.schema_history").await?;
        assert_eq!(history, [applied[2].to_string()], "one applied all, once");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_one_cluster_migrate_at_once() -> TestResult {
    let databases = (0..6).map(|_| {
        tokio::spawn(in_a_database(async |database| {
            assert!(!schema::run(&database.url(), None).await?.migrations.is_empty());
            Ok(())
        }))
    });
    for database in databases.collect::<Vec<_>>() {
        database.await??;
    }
    Ok(())
}

/// Roles belong to the cluster: on a new one, two databases create the same roles at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_for_a_role_that_another_is_creating() -> TestResult {
    in_a_database(async |database| {
        // With names that do not exist yet, which is not certain for the real ones.
        let mine = |name: &str| format!("{}_{}", database.name, name.trim_matches(['{', '}']));
        let names = ["{functions_role}", "anon", "authenticated"].map(str::to_owned);
        let block = names.iter().fold(roles_block().to_owned(), |block, name| {
            block.replace(&format!("'{name}'"), &format!("'{}'", mine(name)))
        });
        assert!(names.iter().all(|name| block.contains(&mine(name))), "{block}");

        let (first, second, watcher) =
            (database.superuser().await?, database.superuser().await?, database.superuser().await?);
        first.batch_execute(&format!("BEGIN; {block}")).await?;
        let waiting = tokio::spawn(async move { second.batch_execute(&block).await });
        let locked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while column(&watcher, locked).await? != ["1"] {
            assert!(!waiting.is_finished(), "it did not wait");
        }
        first.batch_execute("COMMIT").await?;
        let outcome = waiting.await?;
        for name in names {
            watcher.batch_execute(&format!("DROP ROLE {}", mine(&name))).await?;
        }
        Ok(outcome?)
    })
    .await
}

/// Runs a migration as a database owner who is not a superuser.
async fn migrate_as_owner(attributes: &'static str, layout: bool) -> TestResult {
    in_a_database(async move |database| {
        let client = database.superuser().await?;
        let (owner, url) = database.login("owner", attributes).await?;
        client.batch_execute(&format!("ALTER DATABASE {} OWNER TO {owner}", database.name)).await?;
        if layout {
            client.batch_execute(&supabase(&owner)).await?;
        }
        let applied = schema::run(&url, None).await?;
        assert!(!applied.migrations.is_empty(), "{applied:?}");
        assert_eq!(schema::run(&url, None).await?.migrations, Vec::<String>::new());
        if layout {
            let kept = "SELECT obj_description('auth.jwt()'::regprocedure)";
            assert_eq!(column(&client, kept).await?, ["Supabase's own"]);
            let given = "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) AS acl
                         WHERE c.relnamespace IN ('public'::regnamespace, 'medzen'::regnamespace)
                           AND acl.grantee IN ('anon'::regrole, 'service_role'::regrole)";
            assert_eq!(column(&client, given).await?, ["0"]);
        }

        // The policies work when they and their functions belong to such an owner.
        client
            .batch_execute(
                "INSERT INTO users (id, firebase_uid, display_name)
                 SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'uid-' || n, 'Person ' || n FROM generate_series(1, 3) AS n;
                 INSERT INTO appointments (id, provider_user_id, patient_user_id)
                 VALUES ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-000000000001',
                         '00000000-0000-4000-8000-000000000002')",
            )
            .await?;
        let (_, functions) = database.login("functions", &format!("IN ROLE {}", database.functions_role())).await?;
        let functions = connect(&functions).await?;
        functions
            .batch_execute(
                "INSERT INTO video_call_sessions (id, appointment_id, status, control_region, media_region, created_by, created_at, updated_at)
                 SELECT gen_random_uuid(), a.id, 'creating', 'x', 'x', a.provider_user_id, now(), now() FROM medzen.call_appointments a;
                 INSERT INTO video_call_participants (video_call_id, user_id, role, status)
                 SELECT s.id, s.created_by, 'provider', 'joined' FROM video_call_sessions s;
                 INSERT INTO medzen.video_call_attendee_tokens (session_id, user_id, attendee_id, attendee)
                 SELECT video_call_id, user_id, 'a', '{}' FROM video_call_participants;
                 SELECT medzen.audit_append('APPT#1', '{}', now()), medzen.audit_append('APPT#1', '{}', now())",
            )
            .await?;
        for (uid, expected) in [("uid-1", vec!["Person 1"]), ("uid-2", vec!["Person 1"]), ("uid-3", vec![])] {
            let claims = format!("SELECT set_config('request.jwt.claims', '{{\"sub\":\"{uid}\"}}', false)");
            client.batch_execute(&format!("RESET ROLE; {claims}; SET ROLE authenticated")).await?;
            let names = column(&client, "SELECT display_name FROM video_call_participants_view").await?;
            assert_eq!(names, expected, "{uid}");
        }
        client.batch_execute("RESET ROLE").await?;
        let owner_sees = "SELECT (SELECT count(*) FROM medzen.audit_outbox) || ' ' || (SELECT count(*) FROM medzen.video_call_attendee_tokens)";
        let tokens = if attributes.contains("BYPASSRLS") { "2 1" } else { "2 0" };
        assert_eq!(column(&connect(&url).await?, owner_sees).await?, [tokens]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_s_owner_without_superuser_migrates() -> TestResult {
    migrate_as_owner("CREATEROLE CREATEDB BYPASSRLS", true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_under_row_level_security_migrates_and_reads_no_join_token() -> TestResult {
    migrate_as_owner("CREATEROLE", false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_with_an_authority_never_uses_plain_text() -> TestResult {
    in_a_database(async |database| {
        let certificate = local::pgproxy::Certificate::make()?;
        let outcome = schema::run(&database.url(), Some(certificate.authority())).await;
        let said = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("TLS"), "this server has none: {said}");
        let client = database.superuser().await?;
        assert_eq!(column(&client, "SELECT to_regnamespace('medzen')").await?, ["null"]);
        Ok(())
    })
    .await
}
