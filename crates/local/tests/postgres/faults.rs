use std::time::{Duration, Instant};

use serde_json::json;

use super::fixture::{code, notes, turn, with_fixture};

const INSERT: &str = "-- note\nINSERT INTO notes VALUES ('made')";

#[tokio::test]
async fn latency_is_put_on_a_pipelined_turn_once() {
    with_fixture(|fixture| async move {
        let client = fixture.function("attendee").await.client;
        fixture.fault(json!({"service": "postgres", "kind": "latency", "nth": 1, "ms": 100}));
        // A second call, if the second statement counted as one.
        fixture.fault(json!({"service": "postgres", "kind": "latency", "nth": 2, "ms": 60_000}));
        let start = Instant::now();
        let (one, two) =
            tokio::join!(client.query_typed("SELECT 1", &[]), client.query_typed("SELECT 2", &[]));
        one.and(two).expect("answers");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(100), "{took:?}");
        assert!(took < Duration::from_mins(1), "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn a_throttled_turn_has_no_effect_and_ends_the_connection() {
    with_fixture(|fixture| async move {
        let direct = fixture.table().await;
        let client = fixture.function("attendee").await.client;
        fixture.fault(json!({"service": "postgres", "operation": "note", "kind": "throttle", "times": 1}));
        client.query_typed("-- look\nSELECT 1", &[]).await.expect("another operation");
        let error = client.query_typed(INSERT, &[]).await.expect_err("throttled");
        assert_eq!(code(&error), "53300");
        client.query_typed(INSERT, &[]).await.expect_err("the connection ended");
        assert!(notes(&direct).await.is_empty());
        assert_eq!(fixture.turns(), [turn("attendee", "look", 200), turn("attendee", "note", 500)]);
        fixture
            .function("attendee")
            .await
            .client
            .query_typed(INSERT, &[])
            .await
            .expect("the next connection works");
    })
    .await;
}

#[tokio::test]
async fn an_error_on_all_operations_is_a_database_that_is_down() {
    with_fixture(|fixture| async move {
        let client = fixture.function("attendee").await.client;
        fixture.fault(json!({"service": "postgres", "kind": "error"}));
        assert_eq!(code(&client.query_typed(INSERT, &[]).await.expect_err("down")), "57P01");
        let (refused, _) = fixture.try_function("attendee").await;
        assert_eq!(code(&refused.expect_err("down")), "57P01");
        fixture.faults.clear();
        fixture.function("attendee").await.client.query_typed("SELECT 1", &[]).await.expect("up again");
    })
    .await;
}

#[tokio::test]
async fn a_fault_on_connect_leaves_turns_alone() {
    with_fixture(|fixture| async move {
        let client = fixture.function("attendee").await.client;
        fixture.fault(json!({"service": "postgres", "operation": "connect", "kind": "throttle"}));
        client.query_typed("SELECT 1", &[]).await.expect("a turn");
        let (refused, _) = fixture.try_function("attendee").await;
        assert_eq!(code(&refused.expect_err("no connection")), "53300");
    })
    .await;
}

#[tokio::test]
async fn a_dropped_answer_means_that_the_turn_took_effect() {
    with_fixture(|fixture| async move {
        let direct = fixture.table().await;
        let function = fixture.function("attendee").await;
        fixture.fault(json!({"service": "postgres", "kind": "drop", "nth": 1}));
        let error = function.client.query_typed(INSERT, &[]).await.expect_err("no answer");
        assert!(error.as_db_error().is_none(), "an answer came: {error}");
        assert_eq!(notes(&direct).await, ["made"]);
        assert_eq!(fixture.turns(), [turn("attendee", "note", 0)]);
        assert_eq!(function.killed(), 0);
    })
    .await;
}

#[tokio::test]
async fn killed_before_means_nothing_reached_the_server() {
    with_fixture(|fixture| async move {
        let direct = fixture.table().await;
        let function = fixture.function("attendee").await;
        fixture.fault(json!({"service": "*", "kind": "kill-before", "nth": 1}));
        function.client.query_typed(INSERT, &[]).await.expect_err("killed");
        assert_eq!(function.killed(), 1);
        assert!(notes(&direct).await.is_empty());
        assert_eq!(fixture.turns(), [turn("attendee", "note", 0)]);
    })
    .await;
}

#[tokio::test]
async fn killed_after_means_the_whole_turn_took_effect() {
    with_fixture(|fixture| async move {
        let direct = fixture.table().await;
        let function = fixture.function("attendee").await;
        fixture.fault(json!({"service": "postgres", "kind": "kill-after", "nth": 2}));
        function.client.query_typed("-- look\nSELECT 1", &[]).await.expect("the first turn");
        let second = "-- note\nINSERT INTO notes VALUES ('too')";
        let (one, two) =
            tokio::join!(function.client.query_typed(INSERT, &[]), function.client.query_typed(second, &[]));
        one.expect_err("killed");
        two.expect_err("killed");
        assert_eq!(function.killed(), 1);
        assert_eq!(notes(&direct).await, ["made", "too"]);
        assert_eq!(fixture.turns(), [turn("attendee", "look", 200), turn("attendee", "note", 0)]);
    })
    .await;
}

#[tokio::test]
async fn a_kill_counts_turns_and_not_connections_unless_it_names_them() {
    with_fixture(|fixture| async move {
        fixture.fault(json!({"service": "*", "kind": "kill-after", "nth": 2}));
        let first = fixture.function("attendee").await;
        let second = fixture.function("attendee").await;
        first.client.query_typed("SELECT 1", &[]).await.expect("the first turn");
        second.client.query_typed("SELECT 1", &[]).await.expect_err("the second turn");
        assert_eq!((first.killed(), second.killed()), (0, 1));

        for kind in ["kill-before", "kill-after"] {
            fixture.faults.clear();
            fixture.fault(json!({"service": "postgres", "operation": "connect", "kind": kind}));
            let (connected, killed) = fixture.try_function("attendee").await;
            connected.expect_err("killed while it connected");
            assert_eq!(killed.load(std::sync::atomic::Ordering::SeqCst), 1, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn faults_of_one_function_spare_the_others() {
    with_fixture(|fixture| async move {
        fixture.fault(json!({"service": "postgres", "function": "audit", "kind": "error"}));
        fixture.function("attendee").await.client.query_typed("SELECT 1", &[]).await.expect("not audit");
        let (refused, _) = fixture.try_function("audit").await;
        refused.expect_err("audit");
    })
    .await;
}

#[tokio::test]
async fn a_paused_proxy_is_a_database_that_is_down_until_it_is_resumed() {
    with_fixture(|fixture| async move {
        let direct = fixture.table().await;
        let client = fixture.function("attendee").await.client;
        fixture.proxy.pause();
        client.query_typed(INSERT, &[]).await.expect_err("cut");
        let (refused, _) = fixture.try_function("attendee").await;
        refused.expect_err("refused");
        fixture.proxy.resume();
        assert!(notes(&direct).await.is_empty());
        fixture.function("attendee").await.client.query_typed(INSERT, &[]).await.expect("up again");
        assert_eq!(notes(&direct).await, ["made"]);
    })
    .await;
}
