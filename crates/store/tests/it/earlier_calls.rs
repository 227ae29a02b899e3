//! A database with the tables of an earlier system: moved out of the way by its owner, and its ended calls imported.

use local_testing::TestResult;

use crate::database::{column, in_a_database};

const TABLES: &str = include_str!("earlier.sql");

#[tokio::test(flavor = "multi_thread")]
async fn earlier_tables_are_moved_and_their_ended_calls_imported() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;
        let text = schema::run(&database.url(), None).await.err().map(|error| error.to_string()).unwrap_or_default();
        let (words, statements) = text.split_once("\n\n").ok_or("no statements")?;
        assert!(words.contains("calls of an earlier system"), "{text}");
        let moved: Vec<_> = statements.lines().skip(1).collect();
        assert_eq!(
            moved,
            [
                "ALTER TABLE public.video_call_participants SET SCHEMA earlier;",
                "ALTER VIEW public.video_call_participants_view SET SCHEMA earlier;",
                "ALTER TABLE public.video_call_sessions SET SCHEMA earlier;",
            ]
        );
        let check = schema::check(&schema::Database::parse(&database.url(), None, None)?).await;
        assert_eq!(check.err().map(|error| error.to_string()), Some(text.clone()), "a check says the same");

        client.batch_execute(statements).await?;
        schema::run(&database.url(), None).await?;
        let database = schema::Database::parse(&database.url(), None, None)?;
        let imported = schema::import_calls(&database).await?;
        assert_eq!((imported.calls, imported.participants, imported.left_out), (3, 3, 3), "{imported:?}");
        let rows = schema::ParticipantsLeftOut { without_call: 1, without_user: 0, without_time: 0 };
        assert_eq!(imported.participants_left_out, rows);
        let calls = "SELECT concat_ws(' ', right(id::text, 2), status, end_reason, duration_seconds, media_region, ended_at - activated_at,
                            created_by = '00000000-0000-4000-8000-000000000001', meeting_id)
                     FROM video_call_sessions ORDER BY id";
        assert_eq!(
            column(&client, calls).await?,
            [
                "c1 ended imported 600 eu-central-1 00:10:00 t 00000000-0000-4000-8000-0000000000e1",
                "c2 ended imported 300 unknown 00:05:00 t",
                "c3 ended imported 60 unknown 00:30:00 t",
            ]
        );
        let participants = "SELECT concat_ws(' ', right(video_call_id::text, 2), role, status, duration_seconds) FROM video_call_participants ORDER BY 1";
        assert_eq!(column(&client, participants).await?, ["c1 patient left 540", "c1 provider left 600", "c2 observer invited 0"]);
        let again = schema::import_calls(&database).await?;
        assert_eq!((again.calls, again.participants), (0, 0), "{again:?}");
        assert_eq!((again.left_out, again.participants_left_out), (imported.left_out, rows), "what is there is not left out");
        // The tokens stay where they were.
        let tokens = "SELECT count(*) FROM medzen.video_call_attendee_tokens";
        assert_eq!(column(&client, tokens).await?, ["0"]);
        Ok(())
    })
    .await
}

/// A stream of a Supabase client receives what the publication has; a table that is moved stays in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_is_given_the_new_tables_in_place_of_the_moved_ones() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;
        client
            .batch_execute(
                r#"CREATE PUBLICATION supabase_realtime FOR TABLE public.video_call_sessions, public.video_call_participants;
                   CREATE PUBLICATION "Warehouse" FOR TABLE public.video_call_sessions"#,
            )
            .await?;
        let published = "SELECT concat_ws(' ', pubname, schemaname, tablename) FROM pg_publication_tables ORDER BY 1";
        let before = column(&client, published).await?;
        assert_eq!(before.len(), 3);
        let text = schema::run(&database.url(), None).await.err().map(|error| error.to_string()).unwrap_or_default();
        let (_, statements) = text.split_once("\n\n").ok_or("no statements")?;
        let leaving = r#"ALTER PUBLICATION "supabase_realtime" DROP TABLE public.video_call_sessions;"#;
        assert!(statements.contains(leaving), "{statements}");
        client.batch_execute(statements).await?;
        assert_eq!(column(&client, published).await?, Vec::<String>::new());

        schema::run(&database.url(), None).await?;
        let later: Vec<_> = statements.lines().filter_map(|line| line.strip_prefix("-- ALTER ")).collect();
        assert_eq!(later.len(), 3, "{statements}");
        for statement in later {
            client.batch_execute(&format!("ALTER {statement}")).await?;
        }
        assert_eq!(column(&client, published).await?, before);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_kept_a_moved_table_is_a_note() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client
            .batch_execute(
                "CREATE SCHEMA earlier; CREATE TABLE earlier.video_call_sessions (id uuid PRIMARY KEY);
                 CREATE PUBLICATION supabase_realtime FOR TABLE earlier.video_call_sessions",
            )
            .await?;
        let notes = schema::run(&database.url(), None).await?.notes.join("\n");
        let instead = r#"ALTER PUBLICATION "supabase_realtime" DROP TABLE earlier.video_call_sessions; ALTER PUBLICATION "supabase_realtime" ADD TABLE public.video_call_sessions;"#;
        assert!(notes.contains(instead), "{notes}");
        client.batch_execute(instead).await?;
        assert!(!schema::run(&database.url(), None).await?.notes.join("\n").contains("PUBLICATION"));
        Ok(())
    })
    .await
}

/// A patient who reconnected, calls and people with values that are no times, and one person's overlapping connections.
const CONNECTIONS: &str = include_str!("earlier_connections.sql");

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_a_person_are_added_and_rows_without_a_time_are_counted() -> TestResult {
    in_a_database(async |database| {
        let client = database.superuser().await?;
        client.batch_execute(TABLES).await?;
        client.batch_execute(CONNECTIONS).await?;
        schema::run(&database.url(), None).await?;
        let imported = schema::import_calls(&schema::Database::parse(&database.url(), None, None)?).await?;
        let calls = "SELECT concat_ws(' ', right(id::text, 2), duration_seconds) FROM video_call_sessions ORDER BY id";
        assert_eq!(column(&client, calls).await?, ["d1 1800", "d2 1800", "d3 600"]);
        let participants =
            "SELECT concat_ws(' ', right(video_call_id::text, 2), right(user_id::text, 2), role, status, to_char(joined_at, 'HH24:MI'),
                              to_char(left_at, 'HH24:MI'), duration_seconds)
             FROM video_call_participants ORDER BY video_call_id, user_id";
        assert_eq!(
            column(&client, participants).await?,
            [
                "d1 01 provider left 10:00 10:30 1800",
                "d1 02 patient left 10:00 10:30 1740",
                "d1 03 observer left 10:06 10:30 1740",
                "d2 01 provider left 10:00 10:30 1800",
                "d2 02 patient left 10:00 10:30 1740",
                "d2 03 observer left 10:00 10:20 1200",
                "d3 02 patient left 10:00 10:10 300",
            ]
        );
        let rows = schema::ParticipantsLeftOut { without_call: 6, without_user: 2, without_time: 3 };
        assert_eq!((imported.calls, imported.participants, imported.left_out), (3, 7, 6), "{imported:?}");
        assert_eq!(imported.participants_left_out, rows);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_without_earlier_tables_says_so() -> TestResult {
    in_a_database(async |database| {
        schema::run(&database.url(), None).await?;
        let database = schema::Database::parse(&database.url(), None, None)?;
        let error =
            schema::import_calls(&database).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("no table earlier.video_call_sessions"), "{error}");
        Ok(())
    })
    .await
}
