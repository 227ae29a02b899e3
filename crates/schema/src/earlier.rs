//! The tables of an earlier system: moved out of the way by its owner, with their publications, and the calls that have ended read
//! from there.

use tokio_postgres::Client;

use crate::MigrateError;
use crate::database::quoted;

/// The relations that the baseline creates in `public`.
const OURS: [&str; 4] =
    ["video_call_sessions", "video_call_participants", "video_call_consents", "video_call_participants_view"];

/// The schema in which the earlier tables are kept.
pub(crate) const SCHEMA: &str = "earlier";

/// The statements to run, where tables of an earlier system have the names that the baseline needs.
pub(crate) async fn in_the_way(client: &Client) -> Result<Option<String>, MigrateError> {
    let sql = "SELECT relname::text, relkind::text FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1::text[]) AND relkind IN ('r', 'p', 'v', 'm', 'f')
               ORDER BY relname";
    let found = client.query(sql, &[&OURS.map(str::to_owned).to_vec()]).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let published = publications(client, "public").await?;
    let mut statements = vec![format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA};")];
    for Published { publication, table } in &published {
        statements.push(format!("ALTER PUBLICATION {publication} DROP TABLE public.{table};"));
    }
    for row in &found {
        let (name, kind): (&str, &str) = (row.get(0), row.get(1));
        let kind = match kind {
            "v" => "VIEW",
            "m" => "MATERIALIZED VIEW",
            "f" => "FOREIGN TABLE",
            _ => "TABLE",
        };
        statements.push(format!("ALTER {kind} public.{name} SET SCHEMA {SCHEMA};"));
    }
    if !published.is_empty() {
        statements.push(
            "-- After `make migrate`, so that subscribers receive the rows of the new tables (Supabase: Realtime streams):".to_owned(),
        );
    }
    for Published { publication, table } in &published {
        statements.push(format!("-- ALTER PUBLICATION {publication} ADD TABLE public.{table};"));
    }
    Ok(Some(statements.join("\n")))
}

/// A table of ours by its name, in a publication.
struct Published {
    /// As an identifier of SQL.
    publication: String,
    table: String,
}

/// The publications that list tables of this schema with names of ours. A moved table stays in its publication, and the new one
/// is in none; a publication of a whole schema or of all tables needs nothing.
async fn publications(client: &Client, schema: &str) -> Result<Vec<Published>, MigrateError> {
    let sql = "SELECT p.pubname::text, c.relname::text
               FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class c ON c.oid = r.prrelid
               WHERE c.relnamespace = to_regnamespace($1) AND c.relname = ANY ($2::text[]) ORDER BY 1, 2";
    // A view is in no publication.
    let tables: Vec<_> = OURS.into_iter().filter(|name| !name.ends_with("_view")).collect();
    let rows = client.query(sql, &[&schema, &tables]).await?;
    Ok(rows.iter().map(|row| Published { publication: quoted(row.get(0)), table: row.get(1) }).collect())
}

/// The statements to run for publications that still have a table that was moved.
pub(crate) async fn published(client: &Client) -> Result<Vec<String>, MigrateError> {
    let left = publications(client, SCHEMA).await?;
    Ok(left
        .iter()
        .map(|Published { publication, table }| {
            format!(
                "the publication {publication} has {SCHEMA}.{table}, so its subscribers receive no row of the new table: ALTER \
                 PUBLICATION {publication} DROP TABLE {SCHEMA}.{table}; ALTER PUBLICATION {publication} ADD TABLE public.{table};"
            )
        })
        .collect())
}

/// How much of the earlier system was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    pub calls: i64,
    /// People in those calls: of several connections of a person one participant is made.
    pub participants: i64,
    /// Calls that have not ended, or lack an id, an appointment, a time that can be read, or a person who started them.
    pub left_out: i64,
    pub participants_left_out: ParticipantsLeftOut,
}

/// Rows of participants that were not read, each by the first reason that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParticipantsLeftOut {
    /// Their call was left out, or there is none.
    pub without_call: i64,
    pub without_user: i64,
    /// A time is there and cannot be read.
    pub without_time: i64,
}

/// Reads the ended calls of the earlier tables into the new ones. May be repeated: a call that is there is left as it is.
pub(crate) async fn import(client: &mut Client) -> Result<Imported, MigrateError> {
    let transaction = client.transaction().await?;
    let exists = "SELECT to_regclass('earlier.video_call_sessions') IS NOT NULL";
    if !transaction.query_one(exists, &[]).await?.get::<_, bool>(0) {
        return Err(MigrateError::NothingToImport);
    }
    let participants = "SELECT to_regclass('earlier.video_call_participants') IS NOT NULL";
    if !transaction.query_one(participants, &[]).await?.get::<_, bool>(0) {
        // Rolled back at the end: an earlier system without participants has an empty list of them.
        transaction
            .batch_execute("CREATE TEMPORARY TABLE no_participants (video_call_id uuid) ON COMMIT DROP")
            .await?;
    }
    // Times without a zone are in UTC, which is what Supabase and RDS have set.
    transaction.batch_execute("SET LOCAL timezone = 'UTC'").await?;
    transaction.batch_execute(include_str!("../sql/read_time.sql")).await?;
    let mut sql = include_str!("../sql/import_earlier_calls.sql").to_owned();
    if !transaction.query_one(participants, &[]).await?.get::<_, bool>(0) {
        sql = sql.replace("earlier.video_call_participants", "no_participants");
    }
    let row = transaction.query_one(&sql, &[]).await?;
    let imported = Imported {
        calls: row.get(0),
        participants: row.get(1),
        left_out: row.get(2),
        participants_left_out: ParticipantsLeftOut {
            without_call: row.get(3),
            without_user: row.get(4),
            without_time: row.get(5),
        },
    };
    transaction.commit().await?;
    Ok(imported)
}
