//! A host application with tables of its own.

use local::seed::Host;
use local_testing::{TestCloud, TestResult};

use crate::database::{column, in_a_database};

const TABLES: &str = include_str!("host.sql");
const USERS: &str = include_str!("host_users.sql");
const APPOINTMENTS: &str = include_str!("host_appointments.sql");

async fn stopped(url: &str) -> String {
    match schema::run(url, None).await {
        Ok(applied) => format!("applied {applied:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_stops_with_the_view_to_write_until_the_host_has_written_it() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;

        let said = stopped(&database.url()).await;
        assert!(said.contains("CREATE VIEW medzen.call_users AS SELECT"), "{said}");
        assert!(said.contains("CREATE VIEW medzen.call_appointments AS SELECT"), "both in one run: {said}");
        client.batch_execute(USERS).await?;

        let said = stopped(&database.url()).await;
        assert!(said.contains("CREATE VIEW medzen.call_appointments AS SELECT"), "{said}");
        assert!(said.contains("the provider's users.id, not the id of a profile"), "{said}");
        let left = "SELECT tablename FROM pg_tables WHERE schemaname = 'medzen'";
        assert_eq!(column(&client, left).await?, Vec::<String>::new(), "nothing was applied");
        client.batch_execute(APPOINTMENTS).await?;

        let said = stopped(&database.url()).await;
        assert!(said.starts_with("applied Applied { migrations: [\"V1__baseline\"]"), "{said}");
        // The host's own tables are neither locked down nor opened.
        let locked =
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relname IN ('users', 'appointments')";
        assert_eq!(column(&client, locked).await?, Vec::<String>::new());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_who_is_known_by_a_profile_id_starts_rejoins_and_ends_the_call() -> TestResult {
    let before = format!("{TABLES} CREATE SCHEMA medzen; {USERS} {APPOINTMENTS}");
    let seed = include_str!("host_seed.sql").to_owned();
    let cloud = TestCloud::on(Host { before, seed }).await?;
    let scenario = cloud.scenario().await?;
    let same = "SELECT count(*) FROM appointments a JOIN users u ON u.id = a.provider_id";
    assert_eq!(cloud.sql(same).await?, "0", "the schema is one in which the ids differ");

    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201", "{:?}", started.body);
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(scenario.stranger.join().await?.brief(), "403 NOT_A_MEMBER");
    let again = scenario.provider.join().await?;
    assert_eq!(again.brief(), "200", "{:?}", again.body);
    assert_eq!(again.body["attendee"], started.body["attendee"], "the same attendee");
    let roster = scenario.patient.roster().await?;
    let names: Vec<_> = roster.body["attendees"].as_array().into_iter().flatten().collect();
    assert_eq!(
        names.iter().map(|it| &it["displayName"]).collect::<Vec<_>>(),
        ["Ada Provider", "Ben Patient"]
    );
    assert_eq!(scenario.patient.end().await?.brief(), "403 PATIENT_CANNOT_END");
    assert_eq!(scenario.provider.end().await?.brief(), "200");
    assert_eq!(cloud.live_meetings().len(), 0);
    Ok(())
}
