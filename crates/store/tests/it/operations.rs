//! Pending operations in the database: one open row per operation and target, and what completes it.

use domain::operation::Operation;
use local_testing::TestResult;

use crate::database::{column, in_a_database};

const NOW: &str = "'2026-11-20T12:00:00Z'::timestamptz";

#[tokio::test(flavor = "multi_thread")]
async fn the_database_and_the_code_name_the_same_executor_for_each_operation() -> TestResult {
    in_a_database(async |database| {
        schema::run(&database.url(), None).await?;
        let client = database.superuser().await?;
        for operation in Operation::ALL {
            let query = format!("SELECT medzen.operation_executor('{}')", operation.as_str());
            assert_eq!(column(&client, &query).await?, [operation.executor()], "{operation:?}");
        }
        let unknown = "SELECT medzen.enqueue_operation('unknown', 'x', NULL, '{}', now(), NULL)";
        assert_eq!(
            column(&client, unknown).await,
            Err("23502".to_owned()),
            "an operation without an executor"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_operation_takes_the_newest_payload_and_repeats_it_after_an_older_execution() -> TestResult {
    in_a_database(async |database| {
        schema::run(&database.url(), None).await?;
        let client = database.superuser().await?;
        let enqueue = |payload: &str, lease: &str| {
            format!(
                "SELECT medzen.enqueue_operation('update_capabilities', 'attendee', NULL, '\"{payload}\"', {NOW}, {lease})
                 ->> 'payload'"
            )
        };
        let lease = format!("{NOW} + interval '30 seconds'");
        assert_eq!(column(&client, &enqueue("first", &lease)).await?, ["first"]);
        assert_eq!(column(&client, &enqueue("second", &lease)).await?, ["second"]);
        let open = "SELECT payload #>> '{}' || ' ' || (superseded_until IS NOT NULL) FROM medzen.pending_operations
                    WHERE completed_at IS NULL";
        assert_eq!(column(&client, open).await?, ["second true"], "the first execution may still be in flight");

        let statement = include_str!("../../sql/complete_operations.sql");
        let complete = |payload: &str, at: &str| {
            let sent = format!(
                "(SELECT jsonb_agg(jsonb_build_object('id', id, 'payload', '{payload}'::text)) FROM medzen.pending_operations)"
            );
            statement.replace("$1", &sent).replace("$2", at)
        };
        let unchanged = column(&client, &complete("first", NOW)).await?;
        assert!(unchanged[0].contains("\"second\""), "the older execution learns the payload to send: {unchanged:?}");
        assert_eq!(column(&client, &complete("second", NOW)).await?, ["[]"]);
        let due = format!("SELECT (not_before = {lease})::text FROM medzen.pending_operations WHERE completed_at IS NULL");
        assert_eq!(column(&client, &due).await?, ["true"], "sent once more when the first lease has expired");
        let later = format!("{NOW} + interval '31 seconds'");
        assert_eq!(column(&client, &complete("second", &later)).await?, ["[]"]);
        assert_eq!(column(&client, open).await?, Vec::<String>::new(), "and then completed");
        assert_eq!(column(&client, &enqueue("third", "NULL")).await?, ["third"], "a later change is a new row");
        Ok(())
    })
    .await
}
