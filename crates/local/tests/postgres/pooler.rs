use super::fixture::{code, connect, turn, with_fixture};

#[tokio::test]
async fn a_named_prepared_statement_is_refused() {
    with_fixture(|fixture| async move {
        let client = fixture.function("attendee").await.client;
        let refused = client.query("-- named\nSELECT $1::int", &[&1]).await.expect_err("a named statement");
        assert_eq!(code(&refused), "0A000");
        let message = refused.as_db_error().expect("an error from the proxy").message();
        assert!(message.contains("query_typed"), "{message}");
        assert_eq!(fixture.turns(), [turn("attendee", "named", 500)]);
    })
    .await;
}

#[tokio::test]
async fn statements_that_need_a_session_are_rejected_and_do_not_reach_the_server() {
    with_fixture(|fixture| async move {
        let direct = fixture.table().await;
        let sql = "INSERT INTO notes VALUES ('made'); LISTEN calls";
        let refused = fixture.function("audit").await.client.batch_execute(sql).await.expect_err("LISTEN");
        assert_eq!(code(&refused), "0A000");
        assert!(super::fixture::notes(&direct).await.is_empty(), "the statement before it was carried out");

        let sql = "SELECT pg_advisory_lock(1)";
        let refused = fixture.function("audit").await.client.query_typed(sql, &[]).await.expect_err("a lock");
        assert_eq!(code(&refused), "0A000");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_among_pipelined_statements_comes_after_the_answers_before_it() {
    with_fixture(|fixture| async move {
        let client = fixture.function("audit").await.client;
        // So that the second is sent while the first is under way.
        fixture.fault(serde_json::json!({"service": "postgres", "kind": "latency", "ms": 1000}));
        let (first, second) = tokio::join!(client.query_typed("-- first\nSELECT 1", &[]), async {
            while fixture.turns().is_empty() {
                tokio::task::yield_now().await;
            }
            client.batch_execute("SET search_path = x").await
        },);
        assert_eq!(first.expect("the first is answered")[0].get::<_, i32>(0), 1);
        assert_eq!(code(&second.expect_err("SET")), "0A000");
        assert_eq!(fixture.turns().len(), 1, "one turn");
    })
    .await;
}

#[tokio::test]
async fn settings_in_the_startup_message_are_refused() {
    with_fixture(|fixture| async move {
        let refused = connect(fixture.config().options("-c statement_timeout=5")).await.expect_err("options");
        assert_eq!(code(&refused), "0A000");
        assert!(fixture.turns().is_empty(), "a connection is no turn");
    })
    .await;
}
