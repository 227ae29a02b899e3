//! The contract with the host's views: what a migration, a check and `/health` say of views that calls could not use.

use local::seed::Host;
use local_testing::{TestCloud, TestResult};
use schema::{Database, MigrateError};

use crate::database::{column, in_a_database};

/// A host's tables, with one row in each.
const TABLES: &str = "
CREATE SCHEMA IF NOT EXISTS medzen;
CREATE TYPE public.appointment_status AS ENUM ('scheduled', 'cancelled');
CREATE TABLE public.users (id uuid PRIMARY KEY, uid text, name text, kind public.appointment_status);
CREATE TABLE public.profiles (id uuid PRIMARY KEY, user_id uuid REFERENCES public.users);
CREATE TABLE public.appointments (
  id uuid PRIMARY KEY, provider uuid, patient uuid, status public.appointment_status, starts timestamp, note text);
INSERT INTO public.users VALUES
  ('00000000-0000-4000-8000-000000000001', 'one', 'Ada', 'scheduled'), ('00000000-0000-4000-8000-000000000002', 'two', 'Ben', 'scheduled');
INSERT INTO public.profiles VALUES ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-000000000001');
INSERT INTO public.appointments VALUES ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-000000000001',
  '00000000-0000-4000-8000-000000000002', 'scheduled', '2026-11-28 10:00', 'first');
CREATE FUNCTION public.shown(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
REVOKE ALL ON FUNCTION public.shown(text) FROM PUBLIC;
";

/// The parts of the views that a case replaces.
#[derive(Clone)]
struct Views {
    users: &'static str,
    users_from: &'static str,
    appointments: &'static str,
    appointments_from: &'static str,
    /// Runs after the views are created.
    after: &'static str,
}

const RIGHT: Views = Views {
    users: "id, uid AS firebase_uid, name AS display_name",
    users_from: "public.users",
    appointments: "id, provider AS provider_user_id, patient AS patient_user_id, status::text AS status, true AS video_enabled,
      starts AT TIME ZONE 'UTC' AS scheduled_start, starts AT TIME ZONE 'UTC' + interval '1 hour' AS scheduled_end",
    appointments_from: "public.appointments",
    after: "",
};

impl Views {
    fn sql(&self) -> String {
        let Self { users, users_from, appointments, appointments_from, after } = self;
        format!(
            "DROP VIEW IF EXISTS medzen.call_appointments; DROP VIEW IF EXISTS medzen.call_users;
             CREATE VIEW medzen.call_users AS SELECT {users} FROM {users_from};
             CREATE VIEW medzen.call_appointments AS SELECT {appointments} FROM {appointments_from}; {after}"
        )
    }

    const fn users(users: &'static str) -> Self {
        Self { users, ..RIGHT }
    }

    const fn appointments(appointments: &'static str) -> Self {
        Self { appointments, ..RIGHT }
    }

    const fn after(after: &'static str) -> Self {
        Self { after, ..RIGHT }
    }
}

/// Views that were accepted once, after which every call was answered 500; and what is said of each.
fn unusable() -> Vec<(Views, &'static str)> {
    vec![
        (Views::users("id, uid AS firebase_uid"), "medzen.call_users has no column display_name: add it"),
        (Views::users("id::text, uid AS firebase_uid, name AS display_name"), "medzen.call_users.id is text and must be uuid: write id::uuid AS id"),
        (Views::users("id, id AS firebase_uid, name AS display_name"), "call_users.firebase_uid is uuid and must be text: write firebase_uid::text"),
        (Views::users("id, uid AS firebase_uid, kind AS display_name"), "call_users.display_name is appointment_status and must be text"),
        (
            Views::appointments("id, provider AS provider_user_id, patient AS patient_user_id, status, true AS video_enabled,
                starts AT TIME ZONE 'UTC' AS scheduled_start, null::timestamptz AS scheduled_end"),
            "call_appointments.status is appointment_status and must be text: write status::text AS status",
        ),
        (
            Views::appointments("id, provider AS provider_user_id, patient AS patient_user_id, status::text AS status, true AS video_enabled,
                starts AS scheduled_start, null::timestamptz AS scheduled_end"),
            "scheduled_start is timestamp without time zone and must be timestamptz: write scheduled_start AT TIME ZONE",
        ),
        (
            Views::appointments("id, provider AS provider_user_id, patient AS patient_user_id, status::text AS status, 'yes'::text AS video_enabled,
                null::timestamptz AS scheduled_start, null::timestamptz AS scheduled_end"),
            "video_enabled is text and must be boolean: write video_enabled::boolean",
        ),
        (
            Views::appointments("id, provider AS provider_user_id, patient AS patient_user_id, status::text AS status, 1 AS video_enabled,
                null::timestamptz AS scheduled_start, null::timestamptz AS scheduled_end"),
            "video_enabled is integer and must be boolean",
        ),
        (
            Views::appointments("id, provider AS provider_user_id, patient AS patient_user_id, status::text AS status, true AS video_enabled,
                null::timestamptz AS scheduled_start"),
            "call_appointments has no column scheduled_end: add it to the view, as timestamptz (null::timestamptz where the host has none)",
        ),
        (
            Views::appointments("id, 7::bigint AS provider_user_id, patient AS patient_user_id, status::text AS status, true AS video_enabled,
                null::timestamptz AS scheduled_start, null::timestamptz AS scheduled_end"),
            "provider_user_id is bigint and must be uuid",
        ),
    ]
}

/// Views whose columns are right and whose rows are not.
fn unusable_rows() -> Vec<(Views, &'static str)> {
    vec![
        (
            Views { appointments_from: "(SELECT * FROM public.appointments UNION ALL SELECT * FROM public.appointments) AS a", ..RIGHT },
            "medzen.call_appointments has ids more than once (00000000-0000-4000-8000-0000000000a1): each must occur once",
        ),
        (
            Views { users_from: "public.users CROSS JOIN generate_series(1, 2)", ..RIGHT },
            "medzen.call_users has ids more than once",
        ),
        (
            Views::after("ALTER VIEW medzen.call_users SET (security_invoker = true)"),
            "the view reads with the rights of its reader: ALTER VIEW medzen.call_users RESET (security_invoker)",
        ),
        (
            Views::after("ALTER TABLE public.users ENABLE ROW LEVEL SECURITY; GRANT SELECT ON public.users TO PUBLIC;
                          ALTER VIEW medzen.call_users SET (security_invoker = true)"),
            "medzen.call_users has 2 rows, and the functions see 0: row-level security hides the others: ALTER VIEW medzen.call_users RESET",
        ),
        (
            Views::appointments("id, note::uuid AS provider_user_id, patient AS patient_user_id, status::text AS status, true AS video_enabled,
                null::timestamptz AS scheduled_start, null::timestamptz AS scheduled_end"),
            "medzen.call_appointments cannot be read by the functions (invalid input syntax for type uuid: \"first\"): where ids are no UUIDs write md5(id::text)::uuid AS id",
        ),
        (
            Views { appointments: "a.id, p.id AS provider_user_id, patient AS patient_user_id, status::text AS status, true AS video_enabled,
                null::timestamptz AS scheduled_start, null::timestamptz AS scheduled_end",
                appointments_from: "public.appointments a JOIN public.profiles p ON p.user_id = a.provider", ..RIGHT },
            "1 of 1 appointments whose provider_user_id is no id of medzen.call_users: it must be the provider's users.id, not the id of a profile",
        ),
        (
            Views::users("id, uid AS firebase_uid, public.shown(name) AS display_name"),
            "functions in a view run with the rights of its reader: GRANT EXECUTE",
        ),
        (
            Views::after("ALTER VIEW medzen.call_users OWNER TO pg_monitor"),
            "make the owner of those tables the owner of the view",
        ),
        (Views::users("id, null::text AS firebase_uid, name AS display_name"), "has no firebase_uid in any row"),
    ]
}

async fn error_of(database: &Database) -> TestResult<String> {
    match schema::migrate(database).await {
        Err(MigrateError::HostViews(problems)) => Ok(problems.join("\n")),
        Err(error) => Err(error.into()),
        Ok(applied) => Ok(format!("{applied:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_calls_cannot_use_are_refused_with_what_to_change() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;
        let owner = Database::parse(&database.url(), None, None)?;
        let cases: Vec<_> = unusable().into_iter().chain(unusable_rows()).collect();
        assert!(cases.len() >= 18, "{}", cases.len());
        for (views, words) in &cases {
            client.batch_execute(&views.sql()).await?;
            let text = error_of(&owner).await?;
            assert!(text.contains(words), "{words}\n{text}");
            let checked = schema::check(&owner).await.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(checked.contains(words), "a check says the same: {checked}");
            assert_eq!(column(&client, "SELECT to_regclass('video_call_sessions')").await?, ["null"], "{words}: nothing was applied");
            client.batch_execute("ALTER TABLE public.users DISABLE ROW LEVEL SECURITY; REVOKE ALL ON public.users FROM PUBLIC").await?;
        }
        // A check leaves no role behind.
        let roles = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{}'", database.functions_role());
        assert_eq!(column(&client, &roles).await?, ["0"]);
        client.batch_execute(&RIGHT.sql()).await?;
        assert_eq!(schema::migrate(&owner).await?.migrations, ["V1__baseline"]);

        // The same after the migration: the host has redefined a view.
        for (views, words) in &cases {
            client.batch_execute(&views.sql()).await?;
            let text = error_of(&owner).await?;
            assert!(text.contains(words), "{words}\n{text}");
            client.batch_execute("ALTER TABLE public.users DISABLE ROW LEVEL SECURITY; REVOKE ALL ON public.users FROM PUBLIC").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_other_forms_are_accepted() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;
        client.batch_execute("CREATE DOMAIN public.user_id AS uuid").await?;
        let owner = Database::parse(&database.url(), None, None)?;
        for views in [
            RIGHT,
            Views::users("id::public.user_id, uid::varchar(128) AS firebase_uid, name::char(80) AS display_name, kind, now() AS more"),
            // Null counts as no video, or as not scheduled.
            Views::appointments("id, provider AS provider_user_id, patient AS patient_user_id, null::text AS status, null::boolean AS video_enabled,
                'infinity'::timestamptz AS scheduled_start, null::timestamptz AS scheduled_end"),
        ] {
            client.batch_execute(&views.sql()).await?;
            let checked = schema::check(&owner).await?;
            assert_eq!((checked.pending, checked.warnings), (vec!["V1__baseline".to_owned()], Vec::new()), "{}", views.sql());
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_troubles_some_people_only_is_a_note() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;
        client.batch_execute(&RIGHT.sql()).await?;
        client
            .batch_execute(
                "UPDATE users SET uid = 'one'; INSERT INTO users VALUES ('00000000-0000-4000-8000-000000000003', NULL, 'Cyd');
                 INSERT INTO appointments (id, provider) VALUES ('00000000-0000-4000-8000-0000000000a2', '00000000-0000-4000-8000-0000000000b1')",
            )
            .await?;
        let notes = schema::run(&database.url(), None).await?.notes.join("\n");
        for words in [
            "accounts with the same firebase_uid (00000000-0000-4000-8000-000000000001 and 00000000-0000-4000-8000-000000000002)",
            "1 of 3 users without a firebase_uid",
            "1 of 2 appointments whose provider_user_id",
            "1 of 2 appointments whose patient_user_id",
        ] {
            assert!(notes.contains(words), "{words}\n{notes}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_was_created_anew_is_given_back_to_the_functions() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;
        client.batch_execute(&RIGHT.sql()).await?;
        let owner = Database::parse(&database.url(), None, None)?;
        schema::migrate(&owner).await?;
        client.batch_execute(&RIGHT.sql()).await?;
        let checked = schema::check(&owner).await.err().map(|error| error.to_string()).unwrap_or_default();
        let grant = format!("GRANT SELECT ON medzen.call_users TO \"{}\"", database.functions_role());
        assert!(checked.contains(&grant), "{checked}");
        let notes = schema::migrate(&owner).await?.notes.join("\n");
        assert!(notes.contains("the functions may read medzen.call_users again"), "{notes}");
        assert_eq!(schema::check(&owner).await?.warnings, Vec::<String>::new());
        client.batch_execute("DROP VIEW medzen.call_appointments").await?;
        let gone = schema::migrate(&owner).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(gone.contains("medzen.call_appointments does not exist"), "{gone}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_503_while_a_view_cannot_be_used_and_says_nothing_of_it() -> TestResult {
    // The seed has the ids of the tables' own rows.
    let before = format!("{TABLES} {}", RIGHT.sql()).replace("-8000-", "-9000-");
    let seed = "-- seed
        WITH people AS (
          INSERT INTO public.users (id, uid, name)
          VALUES ($2::uuid, $3, 'Ada'), ($4::uuid, $5, 'Ben'), ($6::uuid, $7, 'Cyd'), ($8::uuid, $9, 'Dee'))
        INSERT INTO public.appointments (id, provider, patient, status) VALUES ($1::uuid, $2::uuid, $4::uuid, 'scheduled')"
        .to_owned();
    let cloud = TestCloud::on(Host { before, seed }).await?;
    let scenario = cloud.scenario().await?;
    let database = cloud.parts().seed.database();
    let role = cloud.parts().database.functions_role();
    let grant = format!("GRANT SELECT ON medzen.call_users, medzen.call_appointments TO \"{role}\"");
    let health = async || cloud.request("GET", "/health", None, "").await;
    assert_eq!(health().await?.brief(), "200");
    for (views, words) in unusable() {
        database.batch_execute(&format!("{}; {grant}", views.sql())).await?;
        let answer = health().await?;
        assert_eq!(answer.brief(), "503 UNAVAILABLE", "{words}");
        assert_eq!(answer.text("error"), "The service is not available at this moment. Please try again.");
        assert_eq!(answer.body.as_object().map(serde_json::Map::len), Some(3), "{:?}", answer.body);
    }
    // A right that is missing, and a view that is.
    for broken in [RIGHT.sql(), "DROP VIEW medzen.call_appointments".to_owned()] {
        database.batch_execute(&broken).await?;
        assert_eq!(health().await?.brief(), "503 UNAVAILABLE", "{broken}");
    }
    let lines = cloud.parts().lambda.logs();
    let cause = "host views is unavailable: the database refused the statement check_host_views: SQLSTATE 42";
    assert!(lines.iter().any(|line| line.line.contains(cause)), "the log names the cause");

    database.batch_execute(&format!("{}; {grant}", RIGHT.sql())).await?;
    let watch = cloud.watch();
    assert_eq!(health().await?.brief(), "200");
    assert_eq!(watch.operations(), ["check_host_views"], "one round trip");
    let watch = cloud.watch();
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call"], "and none for a call");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_the_calendar_does_not_know_keeps_nobody_out() -> TestResult {
    let cloud = TestCloud::new().await?;
    for time in ["infinity", "-infinity", "0044-03-15 BC", "12026-01-01"] {
        let scenario = cloud.scenario().await?;
        let set = format!(
            "UPDATE appointments SET scheduled_start = '{time}', scheduled_end = '{time}' WHERE id = '{}' RETURNING 'set'",
            scenario.appointment
        );
        assert_eq!(cloud.sql(&set).await?, "set");
        assert_eq!(scenario.provider.start().await?.brief(), "201", "{time}");
        assert_eq!(scenario.patient.join().await?.brief(), "200", "{time}");
        let link =
            scenario.provider.ask("GET", "/appointments/{a}/call/link", &serde_json::Value::Null).await?;
        assert_eq!(
            (link.brief(), &link.body["scheduledStart"]),
            ("200".to_owned(), &serde_json::Value::Null),
            "{time}"
        );
        assert_eq!(scenario.provider.end().await?.brief(), "200", "{time}");
    }
    Ok(())
}
