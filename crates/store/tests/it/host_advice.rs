//! The statements that a check prints for the host's views: each can be run as it is, and the check passes afterwards.

use local_testing::TestResult;
use schema::{Database, MigrateError};
use tokio_postgres::Client;

use crate::database::{column, in_a_database};

/// Types of a host's columns, each with two values as a number or text would have them, and a value for a flag and a time.
const TYPES: [(&str, [&str; 2], &str, &str); 7] = [
    ("integer", ["7", "8"], "1", "1764000000"),
    ("bigint", ["7000000000", "8000000000"], "1", "1764000000"),
    ("smallint", ["7", "8"], "0", "3600"),
    ("numeric", ["7", "8"], "1", "1764000000.5"),
    ("double precision", ["7", "8"], "1", "1764000000.5"),
    ("date", ["'2026-11-28'", "'2026-11-29'"], "'2026-11-28'", "'2026-11-28'"),
    (
        "text",
        ["'00000000-0000-4000-8000-000000000001'", "'00000000-0000-4000-8000-000000000002'"],
        "'yes'",
        "'2026-11-28 10:00+01'",
    ),
];

async fn problems(database: &Database) -> Vec<String> {
    match schema::check(database).await {
        Err(MigrateError::HostViews(problems)) => problems,
        Err(error) => vec![format!("another error: {error}")],
        Ok(checked) => vec![format!("no problem: {checked:?}")],
    }
}

/// The statements in a text that explains them.
fn statements(problem: &str) -> &str {
    problem.split_once('\n').map_or("", |(_, statements)| statements)
}

async fn create_tables(client: &Client, case: &(&str, [&str; 2], &str, &str)) -> TestResult {
    let (kind, [one, two], flag, time) = case;
    client
        .batch_execute(&format!(
            "DROP SCHEMA IF EXISTS medzen CASCADE; DROP TABLE IF EXISTS public.users, public.appointments;
             CREATE TABLE public.users (id {kind}, firebase_uid {kind}, display_name {kind});
             CREATE TABLE public.appointments (id {kind}, provider_user_id {kind}, patient_user_id {kind}, status {kind},
               video_enabled {kind}, scheduled_start {kind}, scheduled_end {kind});
             INSERT INTO public.users VALUES ({one}, {one}, {one}), ({two}, {two}, {two});
             INSERT INTO public.appointments VALUES ({one}, {one}, {two}, {one}, {flag}, {time}, {time})"
        ))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_every_missing_view_and_the_statements_it_prints_can_be_run() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        let owner = Database::parse(&database.url(), None, None)?;
        for case in &TYPES {
            create_tables(&client, case).await?;
            let found = problems(&owner).await;
            assert_eq!(found.len(), 2, "{}: both views in one run: {found:?}", case.0);
            for (problem, view) in found.iter().zip(["medzen.call_users", "medzen.call_appointments"]) {
                assert!(problem.starts_with(&format!("{view} does not exist")), "{}: {problem}", case.0);
                let sql = statements(problem);
                assert!(sql.starts_with("CREATE SCHEMA IF NOT EXISTS medzen;"), "{}: {problem}", case.0);
                client.batch_execute(sql).await.map_err(|error| format!("{}: {error:?}: {sql}", case.0))?;
            }
            let checked = schema::check(&owner).await.map_err(|error| format!("{}: {error}", case.0))?;
            assert_eq!(
                checked.warnings,
                Vec::<String>::new(),
                "{}: the appointments find their users",
                case.0
            );
        }
        // The migration says the same as the check did.
        create_tables(&client, &TYPES[1]).await?;
        let found = problems(&owner).await;
        let stopped = schema::migrate(&owner).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(found.len() == 2 && found.iter().all(|problem| stopped.contains(problem)), "{stopped}");
        for problem in &found {
            client.batch_execute(statements(problem)).await?;
        }
        assert_eq!(schema::migrate(&owner).await?.migrations, ["V1__baseline"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_other_columns_gets_a_view_with_what_only_the_host_knows_left_open() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client
            .batch_execute(
                "CREATE TABLE public.users (id uuid, uid text, name text);
                 CREATE TABLE public.appointments (id uuid, provider_id uuid, patient_id uuid, state text)",
            )
            .await?;
        let found = problems(&Database::parse(&database.url(), None, None)?).await.join("\n");
        for line in [
            "  id,",
            "<the sub of the user's token>::text AS firebase_uid,",
            "<the provider's users.id, not the id of a profile>::uuid AS provider_user_id,",
            "<the patient's users.id>::uuid AS patient_user_id,",
            "true AS video_enabled,",
            "null::timestamptz AS scheduled_end",
        ] {
            assert!(found.contains(line), "{line}\n{found}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_expression_that_a_check_prints_for_a_wrong_type_can_be_run() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        let owner = Database::parse(&database.url(), None, None)?;
        for case in &TYPES {
            create_tables(&client, case).await?;
            client
                .batch_execute(
                    "CREATE SCHEMA medzen;
                     CREATE VIEW medzen.call_users AS SELECT * FROM public.users;
                     CREATE VIEW medzen.call_appointments AS SELECT * FROM public.appointments",
                )
                .await?;
            let found = problems(&owner).await;
            let expressions: Vec<_> = found
                .iter()
                .filter_map(|problem| {
                    let view = problem.split_once('.')?.1.split_once('.')?.0.to_owned();
                    let expression = problem.split_once(": write ")?.1.split_once(" in the view")?.0.to_owned();
                    Some((view, expression))
                })
                .collect();
            let expected = if case.0 == "text" { 7 } else { 10 };
            assert_eq!(expressions.len(), expected, "{}: {found:?}", case.0);
            for (view, table) in [("call_users", "users"), ("call_appointments", "appointments")] {
                let written: Vec<_> =
                    expressions.iter().filter(|(of, _)| of == view).map(|(_, it)| it.as_str()).collect();
                let names = "id firebase_uid display_name provider_user_id patient_user_id status video_enabled scheduled_start scheduled_end";
                let kept = column(&client, &format!(
                    "SELECT attname FROM pg_attribute WHERE attrelid = 'public.{table}'::regclass AND attnum > 0 AND attname = ANY (string_to_array('{names}', ' '))"
                ))
                .await?;
                let kept = kept.iter().map(String::as_str).filter(|name| {
                    !written.iter().any(|expression| expression.ends_with(&format!(" AS {name}")))
                });
                let columns = written.iter().copied().chain(kept).collect::<Vec<_>>().join(", ");
                let sql = format!("DROP VIEW medzen.{view}; CREATE VIEW medzen.{view} AS SELECT {columns} FROM public.{table}");
                client.batch_execute(&sql).await.map_err(|error| format!("{}: {error:?}: {sql}", case.0))?;
            }
            let checked = schema::check(&owner).await.map_err(|error| format!("{}: {error}", case.0))?;
            assert_eq!(checked.warnings, Vec::<String>::new(), "{}", case.0);
        }
        Ok(())
    })
    .await
}

/// A problem that a check does not find stops the migration in the maintenance window.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_what_would_stop_the_migration() -> TestResult {
    in_a_database(async |database| {
        let (_, url) = database.login("owner", "").await?;
        let owner = Database::parse(&url, None, None)?;
        let client = database.superuser().await?;
        client
            .batch_execute(&format!(
                "GRANT CREATE ON DATABASE {0} TO {0}_owner; GRANT CREATE ON SCHEMA public TO {0}_owner",
                database.name
            ))
            .await?;
        let checked = schema::check(&owner).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(checked.contains("CREATEROLE"), "{checked}");
        assert_eq!(
            column(&client, "SELECT to_regnamespace('medzen')").await?,
            ["null"],
            "it changes nothing"
        );
        client
            .batch_execute(&format!(
                "REVOKE CREATE ON DATABASE {0} FROM {0}_owner; ALTER ROLE {0}_owner CREATEROLE",
                database.name
            ))
            .await?;
        let checked = schema::check(&owner).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(checked.contains("permission denied for database"), "{checked}");
        client.batch_execute(&format!("DROP OWNED BY {}_owner CASCADE", database.name)).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_users_and_no_appointments_gets_simple_appointments() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client
            .batch_execute(
                "CREATE SCHEMA medzen; CREATE TABLE public.users (id bigint PRIMARY KEY, uid text, name text);
                 CREATE VIEW medzen.call_users AS
                   SELECT lpad(to_hex(id), 32, '0')::uuid AS id, uid AS firebase_uid, name AS display_name FROM public.users",
            )
            .await?;
        let owner = Database::parse(&database.url(), None, None)?;
        assert_eq!(schema::check(&owner).await?.pending, ["V1__baseline"]);
        assert_eq!(schema::migrate(&owner).await?.migrations, ["V1__baseline"]);
        Ok(())
    })
    .await
}
