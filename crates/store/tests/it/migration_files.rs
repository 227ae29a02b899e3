//! The schema as migration files of the host's own tool.

use local_testing::TestResult;
use time::macros::datetime;
use tokio_postgres::Client;

use crate::database::{SUPERUSER, column, in_a_database, supabase};

/// The objects of the database, without identifiers of one run.
const CATALOGUE: &str = "
SELECT line FROM (
  SELECT concat_ws(' ', 'relation', c.oid::regclass, relkind, relrowsecurity, relforcerowsecurity, reloptions,
    (SELECT string_agg(acl::text, ',' ORDER BY acl::text) FROM unnest(c.relacl) AS acl)) AS line
    FROM pg_class c WHERE relnamespace IN ('public'::regnamespace, 'medzen'::regnamespace)
  UNION ALL SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace IN ('public'::regnamespace, 'medzen'::regnamespace) AND attnum > 0
  UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace IN ('public'::regnamespace, 'medzen'::regnamespace)
  UNION ALL SELECT concat_ws(' ', 'policy', schemaname, tablename, policyname, cmd, roles, qual, with_check) FROM pg_policies
  UNION ALL SELECT concat_ws(' ', 'function', oid::regprocedure, prosrc,
    (SELECT string_agg(acl::text, ',' ORDER BY acl::text) FROM unnest(proacl) AS acl))
    FROM pg_proc WHERE pronamespace = 'medzen'::regnamespace
  UNION ALL SELECT concat_ws(' ', 'history', version, name, checksum) FROM medzen.schema_history
) AS catalogue ORDER BY line";

async fn catalogue(client: &Client, role: &str) -> TestResult<Vec<String>> {
    let lines = column(client, CATALOGUE).await?;
    assert!(lines.len() > 100, "{lines:?}");
    Ok(lines.into_iter().map(|line| line.replace(role, "functions")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_make_the_same_schema_and_make_migrate_finds_it_applied() -> TestResult {
    in_a_database(async |by_files| {
        in_a_database(async move |by_program| {
            let folder = tempfile::tempdir()?;
            std::fs::write(folder.path().join("20990101000000_the_host_s_own.sql"), "SELECT 1;")?;
            let now = datetime!(2026-11-28 12:30:05 UTC);
            let written = schema::files::write(folder.path(), &by_files.name, now)?;
            let names: Vec<_> = written.iter().filter_map(|path| path.file_name()?.to_str()).collect();
            assert_eq!(names, ["20990101000001_medzen_v1_baseline.sql"], "after the host's newest");

            let client = by_files.superuser().await?;
            client.batch_execute(&supabase(SUPERUSER)).await?;
            client.batch_execute(&std::fs::read_to_string(&written[0])?).await?;
            let other = by_program.superuser().await?;
            other.batch_execute(&supabase(SUPERUSER)).await?;
            schema::run(&by_program.url(), None).await?;
            let applied = schema::run(&by_files.url(), None).await?;
            assert_eq!(applied.migrations, Vec::<String>::new(), "it is up to date");
            // The checksums too: the name of the role is not in them.
            assert_eq!(
                catalogue(&client, &by_files.functions_role()).await?,
                catalogue(&other, &by_program.functions_role()).await?
            );
            Ok(())
        })
        .await
    })
    .await
}

#[test]
fn a_file_is_written_once_and_an_edited_one_is_not_overwritten() -> TestResult {
    let folder = tempfile::tempdir()?;
    let now = datetime!(2026-11-28 12:30:05 UTC);
    let written = schema::files::write(folder.path(), "postgres", now)?;
    assert_eq!(written, [folder.path().join("20261128123005_medzen_v1_baseline.sql")]);
    assert!(std::fs::read_to_string(&written[0])?.contains("\"medzen_functions_postgres\""));
    assert_eq!(schema::files::write(folder.path(), "postgres", now)?, Vec::<std::path::PathBuf>::new());
    std::fs::write(&written[0], "SELECT 1;")?;
    let error = schema::files::write(folder.path(), "postgres", now).err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("has another text")));
    assert_eq!(std::fs::read_to_string(&written[0])?, "SELECT 1;");
    Ok(())
}
