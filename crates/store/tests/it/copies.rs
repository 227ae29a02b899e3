//! A database that was copied, renamed or restored: it gets a role of its own, and the former one loses its rights in it.

use local_testing::TestResult;
use schema::Database as Owned;
use time::macros::datetime;
use tokio_postgres::Client;

use crate::database::{Database, column, connect, in_a_database};

/// The rights of the functions' role in a database.
const RIGHTS: &str = "
SELECT line FROM (
  SELECT concat_ws(' ', 'relation', c.oid::regclass, given.grantee::regrole, given.privilege_type) AS line
    FROM pg_class c, aclexplode(c.relacl) AS given WHERE given.grantee <> 0
  UNION ALL SELECT concat_ws(' ', 'column', attrelid::regclass, attname, given.grantee::regrole, given.privilege_type)
    FROM pg_attribute, aclexplode(attacl) AS given WHERE given.grantee <> 0
  UNION ALL SELECT concat_ws(' ', 'function', p.oid::regprocedure, given.grantee::regrole)
    FROM pg_proc p, aclexplode(p.proacl) AS given WHERE given.grantee <> 0
  UNION ALL SELECT concat_ws(' ', 'schema', nspname, given.grantee::regrole, given.privilege_type)
    FROM pg_namespace, aclexplode(nspacl) AS given WHERE given.grantee <> 0
  UNION ALL SELECT concat_ws(' ', 'policy', schemaname, tablename, policyname, cmd, roles, qual, with_check) FROM pg_policies
) AS rights WHERE line LIKE '%medzen\\_functions\\_%' ORDER BY line";

async fn rights(client: &Client, role: &str) -> TestResult<Vec<String>> {
    let lines = column(client, RIGHTS).await?;
    assert!(lines.len() > 100, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(role)), "all are of {role}: {lines:?}");
    Ok(lines.into_iter().map(|line| line.replace(role, "functions")).collect())
}

/// A migrated database, with a function of the host that the functions' role may execute.
async fn migrated(database: &Database) -> TestResult {
    schema::run(&database.url(), None).await?;
    let host = "CREATE FUNCTION public.shown(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
                REVOKE ALL ON FUNCTION public.shown(text) FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.shown(text) TO ";
    database.superuser().await?.batch_execute(&format!("{host} {}", database.functions_role())).await?;
    Ok(())
}

async fn failed(database: &Owned) -> String {
    match schema::check(database).await {
        Err(error) => error.to_string(),
        Ok(checked) => format!("no problem: {checked:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_gets_a_role_of_its_own_and_the_original_s_login_cannot_read_it() -> TestResult {
    in_a_database(async |original| {
        in_a_database(async move |copy| {
            migrated(&original).await?;
            let (login, url) =
                original.login("functions", &format!("IN ROLE {}", original.functions_role())).await?;
            let admin = connect(&original.server.admin_url()).await?;
            admin.batch_execute(&format!("DROP DATABASE {}", copy.name)).await?;
            admin.batch_execute(&format!("CREATE DATABASE {} TEMPLATE {}", copy.name, original.name)).await?;

            let owner = Owned::parse(&copy.url(), None, None)?;
            let said = failed(&owner).await;
            for words in [original.functions_role(), copy.functions_role(), "make migrate".to_owned()] {
                assert!(said.contains(&words), "{words}\n{said}");
            }
            let applied = schema::migrate(&owner).await?;
            assert_eq!(applied.migrations, Vec::<String>::new());
            let notes = applied.notes.join("\n");
            assert!(
                notes.contains(&original.functions_role()) && notes.contains(&copy.functions_role()),
                "{notes}"
            );

            let (of_copy, of_original) = (copy.superuser().await?, original.superuser().await?);
            assert_eq!(
                rights(&of_copy, &copy.functions_role()).await?,
                rights(&of_original, &original.functions_role()).await?
            );
            assert_eq!(schema::check(&owner).await?.warnings, Vec::<String>::new());
            assert_eq!(
                schema::migrate(&owner).await?.notes,
                Vec::<String>::new(),
                "and nothing is left to do"
            );

            // The login of the original reads its own database only.
            assert_eq!(
                column(&connect(&url).await?, "SELECT count(*) FROM video_call_sessions").await?,
                ["0"]
            );
            let there = format!("{}{}", url.trim_end_matches(&original.name), copy.name);
            let refused = tokio_postgres::connect(&there, tokio_postgres::NoTls).await.err();
            assert_eq!(
                refused.and_then(|error| error.code().map(|code| code.code().to_owned())).as_deref(),
                Some("42501")
            );
            of_copy.batch_execute(&format!("GRANT CONNECT ON DATABASE {} TO {login}", copy.name)).await?;
            let inside = connect(&there).await?;
            for table in ["video_call_sessions", "medzen.call_users"] {
                assert_eq!(
                    column(&inside, &format!("SELECT * FROM {table}")).await,
                    Err("42501".to_owned()),
                    "{table}"
                );
            }
            of_copy.batch_execute(&format!("REVOKE CONNECT ON DATABASE {} FROM {login}", copy.name)).await?;
            // And one of the copy reads the copy.
            let (_, url) = copy.login("functions", &format!("IN ROLE {}", copy.functions_role())).await?;
            assert_eq!(
                column(&connect(&url).await?, "SELECT count(*) FROM video_call_sessions").await?,
                ["0"]
            );
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_superuser_migrates_a_renamed_database() -> TestResult {
    in_a_database(async |database| {
        let (owner, url) = database.login("owner", "CREATEROLE CREATEDB").await?;
        let admin = connect(&database.server.admin_url()).await?;
        admin.batch_execute(&format!("ALTER DATABASE {} OWNER TO {owner}", database.name)).await?;
        schema::run(&url, None).await?;
        let (former, renamed) = (database.functions_role(), format!("{}_b", database.name));
        let before = {
            let client = database.superuser().await?;
            rights(&client, &former).await?
        };
        // A rename waits for nobody: the connections of the migration may be closing still.
        let rename = |from: &str, to: &str| {
            format!(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{from}'; ALTER DATABASE {from} RENAME TO {to}"
            )
        };
        admin.simple_query(&rename(&database.name, &renamed)).await?;
        let there = format!("{}{renamed}", url.trim_end_matches(&database.name));
        let migrated = schema::run(&there, None).await;
        let found = match &migrated {
            Ok(_) => {
                let client = connect(&database.server.url(&renamed)).await?;
                let may_connect = format!("SELECT has_database_privilege('{former}', current_database(), 'CONNECT')");
                assert_eq!(column(&client, &may_connect).await?, ["f"]);
                rights(&client, &schema::functions_role(&renamed)).await?
            }
            Err(_) => Vec::new(),
        };
        // Back again, so that the database is dropped by its name.
        admin.simple_query(&rename(&renamed, &database.name)).await?;
        migrated?;
        assert_eq!(found, before);
        schema::run(&url, None).await?;
        admin.batch_execute(&format!("DROP ROLE {}", schema::functions_role(&renamed))).await?;
        Ok(())
    })
    .await
}

/// As after a restore into another cluster, where grants and policies name a role that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_a_role_that_is_missing_and_a_migration_creates_it() -> TestResult {
    in_a_database(async |database| {
        schema::run(&database.url(), None).await?;
        let client = database.superuser().await?;
        let (role, owner) = (database.functions_role(), Owned::parse(&database.url(), None, None)?);
        let before = rights(&client, &role).await?;
        let of_clients = "SELECT count(*) FROM pg_policies WHERE roles = '{authenticated}'";
        assert_eq!(column(&client, of_clients).await?, ["5"]);
        client
            .batch_execute(&format!(
                "DROP OWNED BY {role}; DROP ROLE {role}; DROP POLICY own_calls ON public.video_call_sessions;
                 DROP POLICY own_account ON public.users; REVOKE ALL ON public.video_call_sessions, public.users FROM authenticated"
            ))
            .await?;
        let said = failed(&owner).await;
        assert!(
            said.contains(&format!("the role {role} does not exist")) && said.contains("make migrate"),
            "{said}"
        );

        schema::migrate(&owner).await?;
        assert_eq!(rights(&client, &role).await?, before);
        assert_eq!(column(&client, of_clients).await?, ["5"]);
        let may_read = "SELECT bool_and(has_table_privilege('authenticated', name, 'SELECT')) FROM unnest('{public.users,public.video_call_sessions}'::text[]) AS name";
        assert_eq!(column(&client, may_read).await?, ["t"]);
        assert_eq!(schema::check(&owner).await?.warnings, Vec::<String>::new());
        let (_, url) = database.login("functions", &format!("IN ROLE {role}")).await?;
        assert_eq!(column(&connect(&url).await?, "SELECT count(*) FROM video_call_sessions").await?, ["0"]);

        // A role that is there, without its rights.
        client.batch_execute(&format!("DROP OWNED BY {role}")).await?;
        let said = failed(&owner).await;
        assert!(
            said.contains(&format!("the role {role} lacks rights")) && said.contains("make migrate"),
            "{said}"
        );
        schema::migrate(&owner).await?;
        assert_eq!(rights(&client, &role).await?, before);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_files_of_another_database_s_name_are_corrected_by_make_migrate() -> TestResult {
    in_a_database(async |pushed| {
        in_a_database(async move |named| {
            let folder = tempfile::tempdir()?;
            let files = schema::files::write(folder.path(), &named.name, datetime!(2026-11-28 12:30:05 UTC))?;
            let client = pushed.superuser().await?;
            client.batch_execute(&std::fs::read_to_string(&files[0])?).await?;
            assert_eq!(schema::run(&pushed.url(), None).await?.migrations, Vec::<String>::new());
            schema::run(&named.url(), None).await?;
            assert_eq!(
                rights(&client, &pushed.functions_role()).await?,
                rights(&named.superuser().await?, &named.functions_role()).await?
            );
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_a_schema_of_another_version() -> TestResult {
    in_a_database(async |database| {
        schema::run(&database.url(), None).await?;
        let client = database.superuser().await?;
        client.batch_execute("UPDATE medzen.schema_history SET checksum = '1'").await?;
        let owner = Owned::parse(&database.url(), None, None)?;
        let said = failed(&owner).await;
        assert!(said.contains("another text of V1__baseline"), "{said}");
        let stopped = schema::migrate(&owner).await.err().map(|error| error.to_string());
        assert_eq!(stopped, Some(said));
        Ok(())
    })
    .await
}
