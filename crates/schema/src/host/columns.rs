//! The columns of the host's views, and the statements that an operator can run as they are printed: the view to write, and the
//! expression for a column of another type.

use tokio_postgres::{Row, Transaction};

use crate::MigrateError;

/// A column that the functions read.
pub(super) struct Column {
    name: String,
    /// The type that the functions need.
    needed: String,
    /// The type of the relation's column of that name; none where there is no such column.
    found: Option<Found>,
}

struct Found {
    /// As PostgreSQL prints it.
    shown: String,
    /// The name of the base type.
    base: String,
    fits: bool,
}

/// The columns that the functions read from `view`, as `relation` has them.
pub(super) async fn columns(
    transaction: &Transaction<'_>,
    view: &str,
    relation: &str,
) -> Result<Vec<Column>, MigrateError> {
    let rows = transaction.query(include_str!("../../sql/host_columns.sql"), &[&view, &relation]).await?;
    Ok(rows.iter().map(Column::new).collect())
}

/// The statements that create `view` on the host's `table`. A part in angle brackets is known to the host alone.
pub(super) fn view_to_write(view: &str, table: &str, columns: &[Column]) -> String {
    let last = columns.len().saturating_sub(1);
    let lines: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let (expression, note) = column.expression();
            let name = &column.name;
            let named = if expression == *name { expression } else { format!("{expression} AS {name}") };
            let comma = if at < last { "," } else { "" };
            let note = note.map(|note| format!(" -- {note}")).unwrap_or_default();
            format!("  {named}{comma}{note}")
        })
        .collect();
    format!(
        "CREATE SCHEMA IF NOT EXISTS medzen;\nCREATE VIEW {view} AS SELECT\n{}\nFROM {table};",
        lines.join("\n")
    )
}

impl Column {
    fn new(row: &Row) -> Self {
        let found = (!row.get::<_, bool>("missing")).then(|| Found {
            shown: row.get("type"),
            base: row.get("base"),
            fits: row.get("fits"),
        });
        Self { name: row.get("name"), needed: row.get("needed"), found }
    }

    /// The problem with the column of an existing view.
    pub(super) fn problem(&self, view: &str) -> Option<String> {
        let Self { name, needed, found } = self;
        let (expression, note) = self.expression();
        let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
        match found {
            None => Some(format!("{view} has no column {name}: add it to the view, as {needed}{note}")),
            Some(found) if found.fits => None,
            Some(Found { shown, .. }) => Some(format!(
                "{view}.{name} is {shown} and must be {needed}: write {expression} AS {name} in the view{note}"
            )),
        }
    }

    /// The expression to write for the column in the view, and a note on it. PostgreSQL has no cast from a number to uuid or
    /// boolean, other than integer's, nor from a number to a time.
    fn expression(&self) -> (String, Option<&'static str>) {
        let Self { name, needed, found } = self;
        let Some(Found { base, fits, .. }) = found else { return missing(name, needed) };
        if *fits {
            return (name.clone(), None);
        }
        let is_number = ["int2", "int4", "int8", "numeric", "float4", "float8"].contains(&base.as_str());
        match (needed.as_str(), base.as_str()) {
            ("text", _) | (_, "text" | "varchar" | "bpchar") => (format!("{name}::{needed}"), None),
            ("uuid", _) if is_number => (
                format!("lpad(to_hex({name}::bigint), 32, '0')::uuid"),
                Some("the same for each column that refers to it"),
            ),
            ("uuid", _) => {
                (format!("md5({name}::text)::uuid"), Some("the same for each column that refers to it"))
            }
            ("boolean", _) if is_number => (format!("{name} <> 0"), None),
            ("boolean", "date" | "time" | "timetz" | "timestamp" | "timestamptz" | "uuid") => {
                (format!("{name} IS NOT NULL"), None)
            }
            ("timestamptz", _) if is_number => {
                (format!("to_timestamp({name})"), Some("seconds since 1970; divide milliseconds by 1000.0"))
            }
            ("timestamptz", "timestamp") => {
                (format!("{name} AT TIME ZONE 'UTC'"), Some("or the zone that the times are in"))
            }
            ("timestamptz", "date") => {
                (format!("{name}::timestamp AT TIME ZONE 'UTC'"), Some("or the zone that the times are in"))
            }
            _ => (format!("{name}::text::{needed}"), None),
        }
    }
}

/// The placeholder to write where the host has no column of that name.
fn missing(name: &str, needed: &str) -> (String, Option<&'static str>) {
    let (known, note) = match name {
        "provider_user_id" => (
            "<the provider's users.id, not the id of a profile>",
            Some("the provider's users.id, not the id of a profile"),
        ),
        "patient_user_id" => ("<the patient's users.id>", Some("the patient's users.id")),
        "firebase_uid" => ("<the sub of the user's token>", Some("the sub of the user's token")),
        "display_name" => ("<the user's name>", None),
        "status" => ("<the appointment's status>", None),
        "video_enabled" => {
            return (
                "true".to_owned(),
                Some("true AS video_enabled where every appointment may have a call"),
            );
        }
        "scheduled_start" | "scheduled_end" => {
            return ("null::timestamptz".to_owned(), Some("null::timestamptz where the host has none"));
        }
        _ => ("<its id, once per row>", None),
    };
    (format!("{known}::{needed}"), note)
}
