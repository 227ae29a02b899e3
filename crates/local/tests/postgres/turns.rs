use tokio_postgres::types::Type;

use super::fixture::{turn, with_fixture};

#[tokio::test]
async fn a_typed_query_is_one_turn_with_its_name_and_text() {
    with_fixture(|fixture| async move {
        let attendee = fixture.function("attendee").await;
        let sql = "-- add_one\nSELECT $1 + 1";
        let row = attendee.client.query_typed(sql, &[(&41, Type::INT4)]).await.expect("an answer");
        assert_eq!(row[0].get::<_, i32>(0), 42);
        assert_eq!(fixture.turns(), [turn("attendee", "add_one", 200)]);
        assert_eq!(fixture.calls.since(0)[0].request.body, sql);
    })
    .await;
}

#[tokio::test]
async fn statements_one_after_the_other_are_one_turn_each() {
    with_fixture(|fixture| async move {
        let audit = fixture.function("audit").await;
        audit.client.batch_execute("BEGIN").await.expect("begin");
        audit.client.query_typed("-- lease\nSELECT 1", &[]).await.expect("lease");
        audit.client.batch_execute("commit; SELECT 2").await.expect("commit");
        let expected =
            [turn("audit", "begin", 200), turn("audit", "lease", 200), turn("audit", "commit", 200)];
        assert_eq!(fixture.turns(), expected);
    })
    .await;
}

#[tokio::test]
async fn pipelined_statements_are_one_turn_called_by_the_first_name() {
    with_fixture(|fixture| async move {
        let client = fixture.function("meeting-manager").await.client;
        for _round in 0..20 {
            let (begun, locked, read) = tokio::join!(
                client.batch_execute("BEGIN"),
                client.query_typed("-- lock_session\nSELECT 1", &[]),
                client.query_typed("-- read_session\nSELECT 2", &[]),
            );
            begun.expect("begin");
            assert_eq!(locked.expect("locked")[0].get::<_, i32>(0), 1);
            assert_eq!(read.expect("read")[0].get::<_, i32>(0), 2);
            client.batch_execute("COMMIT").await.expect("commit");
        }
        let turns = fixture.turns();
        assert_eq!(turns.len(), 40, "{turns:?}");
        assert_eq!(turns[0], turn("meeting-manager", "lock_session", 200));
        assert_eq!(turns[1], turn("meeting-manager", "commit", 200));
        let body = &fixture.calls.since(0)[0].request.body;
        assert!(body.contains("lock_session") && body.contains("read_session"), "{body}");
    })
    .await;
}

#[tokio::test]
async fn an_error_of_the_server_is_status_500_and_the_connection_goes_on() {
    with_fixture(|fixture| async move {
        let client = fixture.function("attendee").await.client;
        client.query_typed("-- divide\nSELECT 1 / 0", &[]).await.expect_err("division by zero");
        client.query_typed("-- divide\nSELECT 1 / 1", &[]).await.expect("one");
        assert_eq!(fixture.turns(), [turn("attendee", "divide", 500), turn("attendee", "divide", 200)]);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_client_is_recorded_without_a_function_name() {
    with_fixture(|fixture| async move {
        let client =
            super::fixture::connect(fixture.config().application_name("psql")).await.expect("connected");
        client.query_typed("SELECT 1", &[]).await.expect("one");
        assert_eq!(fixture.turns(), [turn("", "select", 200)]);
    })
    .await;
}

#[tokio::test]
async fn large_statements_and_answers_pass_unchanged() {
    with_fixture(|fixture| async move {
        let client = fixture.function("audit").await.client;
        let long = "x".repeat(3_000_000);
        let rows =
            client.query_typed("-- echo\nSELECT $1 || $1", &[(&long, Type::TEXT)]).await.expect("an echo");
        assert!(rows[0].get::<_, String>(0) == long.repeat(2), "the text was changed on its way");
        let rows =
            client.query_typed("SELECT i FROM generate_series(1, 100000) AS i", &[]).await.expect("rows");
        assert_eq!(rows.len(), 100_000);
        assert_eq!(rows[99_999].get::<_, i32>(0), 100_000);
    })
    .await;
}

#[tokio::test]
async fn a_statement_can_be_cancelled() {
    with_fixture(|fixture| async move {
        let client = fixture.function("audit").await.client;
        let token = client.cancel_token();
        let direct = fixture.direct().await;
        let sleeping = client.query_typed("-- endless\nSELECT pg_sleep(600)", &[]);
        let cancelling = async {
            let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '-- endless%'";
            while direct.query_one(asleep, &[]).await.expect("activity").get::<_, i64>(0) == 0 {}
            token.cancel_query(tokio_postgres::NoTls).await.expect("a request to cancel");
        };
        let (slept, ()) = tokio::join!(sleeping, cancelling);
        assert_eq!(super::fixture::code(&slept.expect_err("cancelled")), "57014");
        assert_eq!(fixture.turns(), [turn("audit", "endless", 500)]);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_connections_do_not_touch_each_other() {
    with_fixture(|fixture| async move {
        let mut all = tokio::task::JoinSet::new();
        for number in 0..100 {
            let fixture = fixture.clone();
            all.spawn(async move {
                let client = fixture.function("attendee").await.client;
                for round in 0..5 {
                    let rows =
                        client.query_typed("-- echo\nSELECT $1", &[(&(number + round), Type::INT4)]).await;
                    assert_eq!(rows.expect("an echo")[0].get::<_, i32>(0), number + round);
                }
            });
        }
        while let Some(ended) = all.join_next().await {
            ended.expect("each gets its own answers");
        }
        assert_eq!(fixture.turns(), vec![turn("attendee", "echo", 200); 500]);
    })
    .await;
}
