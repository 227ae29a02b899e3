//! Two deployments in one cluster, each with an owner who is no superuser: neither can read the other.

use std::sync::Arc;

use local_testing::TestResult;

use crate::database::{Database, column, connect, in_a_database, supabase};

/// A database that its owner has migrated, and the URL of a login of its functions.
async fn deployment(database: &Database) -> TestResult<(String, String, String)> {
    let (owner, owner_url) = database.login("owner", "CREATEROLE").await?;
    let client = database.superuser().await?;
    client.batch_execute(&format!("ALTER DATABASE {} OWNER TO {owner}", database.name)).await?;
    schema::run(&owner_url, None).await?;
    let (login, url) = database.login("functions", &format!("IN ROLE {}", database.functions_role())).await?;
    Ok((login, url, owner_url))
}

/// The same login, at another database.
fn at(url: &str, own: &Database, other: &Database) -> String {
    format!("{}{}", url.trim_end_matches(&own.name), other.name)
}

async fn refused(url: &str) -> TestResult<String> {
    let refused = tokio_postgres::connect(url, tokio_postgres::NoTls).await.err();
    Ok(refused
        .and_then(|error| error.code().map(|code| code.code().to_owned()))
        .unwrap_or_else(|| "accepted".to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deployments_in_one_cluster_cannot_read_each_other() -> TestResult {
    in_a_database(async |one: Arc<Database>| {
        in_a_database(async move |other: Arc<Database>| {
            let (_, one_url, one_owner) = deployment(&one).await?;
            let (other_login, other_url, other_owner) = deployment(&other).await?;
            assert_ne!(one.functions_role(), other.functions_role());
            for url in [&one_url, &one_owner, &other_url, &other_owner] {
                connect(url).await?;
            }
            for (url, own, there) in [
                (&one_url, &one, &other),
                (&one_owner, &one, &other),
                (&other_url, &other, &one),
                (&other_owner, &other, &one),
            ] {
                assert_eq!(refused(&at(url, own, there)).await?, "42501", "{} at {}", own.name, there.name);
            }

            // A login that was let in by its name reads nothing either.
            let superuser = one.superuser().await?;
            superuser
                .batch_execute(&format!("GRANT CONNECT ON DATABASE {} TO {other_login}", one.name))
                .await?;
            let inside = connect(&at(&other_url, &other, &one)).await?;
            for table in [
                "video_call_sessions",
                "medzen.video_call_attendee_tokens",
                "medzen.audit_outbox",
                "medzen.call_users",
            ] {
                assert_eq!(
                    column(&inside, &format!("SELECT * FROM {table}")).await,
                    Err("42501".to_owned()),
                    "{table}"
                );
            }
            superuser
                .batch_execute(&format!("REVOKE CONNECT ON DATABASE {} FROM {other_login}", one.name))
                .await?;
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_have_something_in_the_database_keep_their_connections_and_others_lose_them() -> TestResult
{
    in_a_database(async |database| {
        let (reporting, reporting_url) = database.login("reporting", "").await?;
        let (idle, idle_url) = database.login("idle", "").await?;
        let (_, pool_url) = database.login("pool", "").await?;
        let client = database.superuser().await?;
        client
            .batch_execute(&format!(
                "CREATE TABLE public.reports (id integer); GRANT SELECT ON public.reports TO {reporting}"
            ))
            .await?;
        // It is connected while the migration runs, and has no other trace.
        let connected = connect(&pool_url).await?;
        let notes = schema::run(&database.url(), None).await?.notes;
        assert!(notes[0].contains(&reporting) && notes[0].contains("GRANT CONNECT ON DATABASE"), "{notes:?}");
        for url in [&reporting_url, &pool_url] {
            connect(url).await?;
        }
        assert_eq!(refused(&idle_url).await?, "42501");
        let lost = notes[0].split_once("lost that right:").map(|(_, lost)| lost).unwrap_or_default();
        assert!(lost.contains(&idle) && !lost.contains(&reporting), "{notes:?}");
        assert_eq!(column(&connected, "SELECT 1").await?, ["1"]);
        // Dropping roles would fail for the rights that they have.
        client
            .batch_execute(&format!(
                "DROP OWNED BY {reporting}; REVOKE CONNECT ON DATABASE {} FROM {reporting}",
                database.name
            ))
            .await?;
        Ok(())
    })
    .await
}

/// `PostgREST` connects as a login that has nothing itself and takes the role `anon` or `authenticated` for each request.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_reads_the_host_s_tables_as_authenticated_keeps_its_connection() -> TestResult {
    in_a_database(async |with_tables| {
        in_a_database(async move |without| {
            let roles = "DO $$ BEGIN CREATE ROLE authenticated NOLOGIN NOINHERIT;
                         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
            for (database, answer) in [(&with_tables, "accepted"), (&without, "42501")] {
                let client = database.superuser().await?;
                client.batch_execute(roles).await?;
                let (_, url) = database.login("authenticator", "NOINHERIT IN ROLE authenticated").await?;
                if answer == "accepted" {
                    client
                        .batch_execute(
                            "CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO authenticated; CREATE TABLE api.orders (id integer);
                             GRANT SELECT ON api.orders TO authenticated",
                        )
                        .await?;
                }
                schema::run(&database.url(), None).await?;
                assert_eq!(refused(&url).await?, answer);
            }
            Ok(())
        })
        .await
    })
    .await
}

/// Since `PostgreSQL` 16 whoever created a role is a member without its rights, as a member that does not inherit is before.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_two_deployments_keeps_the_connection_to_both() -> TestResult {
    in_a_database(async |other| {
        in_a_database(async move |database| {
            schema::run(&other.url(), None).await?;
            let attributes = format!("NOINHERIT IN ROLE {}", other.functions_role());
            let (administrator, url) = database.login("administrator", &attributes).await?;
            let table = format!(
                "CREATE TABLE public.reports (id integer); GRANT SELECT ON public.reports TO {administrator}"
            );
            database.superuser().await?.batch_execute(&table).await?;
            schema::run(&database.url(), None).await?;
            assert_eq!(refused(&url).await?, "accepted");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_its_operator_opened_again_stays_open() -> TestResult {
    in_a_database(async |database| {
        let (_, idle) = database.login("idle", "").await?;
        schema::run(&database.url(), None).await?;
        assert_eq!(refused(&idle).await?, "42501");
        let client = database.superuser().await?;
        client.batch_execute(&format!("GRANT CONNECT ON DATABASE {} TO PUBLIC", database.name)).await?;
        for _ in 0..2 {
            let notes = schema::run(&database.url(), None).await?.notes;
            assert_eq!(refused(&idle).await?, "accepted");
            assert!(
                notes.iter().any(|note| note.contains("every login of this cluster can connect")),
                "{notes:?}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_supabase_whose_services_connect_by_the_general_right_it_stays() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(&supabase(crate::database::SUPERUSER)).await?;
        schema::run(&database.url(), None).await?;
        let (_, service) = database.login("service", "").await?;
        connect(&service).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_lacks_a_right_reads_which_one() -> TestResult {
    in_a_database(async |database| {
        // No right to create roles.
        let (_, without) = database.login("without", "").await?;
        let client = database.superuser().await?;
        client
            .batch_execute(&format!(
                "GRANT CREATE ON DATABASE {} TO {}_without",
                database.name, database.name
            ))
            .await?;
        client.batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {}_without", database.name)).await?;
        let error =
            schema::run(&without, None).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("CREATEROLE"), "{error}");

        // May create roles, and does not own the database.
        client.batch_execute(&format!("ALTER ROLE {}_without CREATEROLE", database.name)).await?;
        let notes = schema::run(&without, None).await?.notes;
        assert!(
            notes.iter().any(|note| note.contains("its owner postgres closes it with: GRANT CONNECT")),
            "{notes:?}"
        );
        client.batch_execute(&format!("DROP OWNED BY {}_without CASCADE", database.name)).await?;
        Ok(())
    })
    .await
}
