//! The schema as migration files of the host's own tool: Supabase's CLI applies, in the order of their names, files that begin
//! with a time (`supabase db push`, `reset`, `diff`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::macros::format_description;

use crate::migrations::{HISTORY, MIGRATIONS, for_role};
use crate::{MigrateError, functions_role, migrations};

/// Writes each migration that is not in the folder yet, and returns the new files. `database` is the database's name, which
/// the functions' role has in its own. A file is newer than every other of the folder, so that a database that has those is
/// brought up to date by it; `make migrate` finds it applied.
///
/// # Errors
/// When the folder cannot be written, or has a migration with another text.
pub fn write(folder: &Path, database: &str, now: OffsetDateTime) -> Result<Vec<PathBuf>, MigrateError> {
    let failed = |error: io::Error| MigrateError::Folder { path: folder.to_owned(), source: error };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    let newest =
        names.iter().filter_map(|name| name.get(..14)?.parse::<u64>().ok()).max().unwrap_or_default();
    let format = format_description!("[year][month][day][hour][minute][second]");
    let now: u64 = now.format(format).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut next = now.max(newest + 1);
    let mut written = Vec::new();
    for (migration, (name, text)) in migrations::list()?.iter().zip(MIGRATIONS) {
        let suffix = format!("_medzen_{}.sql", name.to_lowercase().replace("__", "_"));
        let text = file(migration, &for_role(text, &functions_role(database)));
        if let Some(there) = names.iter().find(|name| name.ends_with(&suffix)) {
            let path = folder.join(there);
            if fs::read_to_string(&path).map_err(failed)? != text {
                return Err(MigrateError::OtherFile(path));
            }
            continue;
        }
        let path = folder.join(format!("{next:014}{suffix}"));
        fs::write(&path, text).map_err(failed)?;
        next += 1;
        written.push(path);
    }
    Ok(written)
}

/// A migration with what `make migrate` adds around it: the schema, and the entry in its history.
fn file(migration: &refinery_core::Migration, text: &str) -> String {
    let (version, name, checksum) = (migration.version(), migration.name(), migration.checksum());
    format!(
        "-- MedZen Meetings {migration}, written by `make migration-files`. Not to be edited: change the host's views instead.

CREATE SCHEMA IF NOT EXISTS medzen;
CREATE TABLE IF NOT EXISTS {HISTORY} (
  version integer PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255));

{text}
INSERT INTO {HISTORY} (version, name, applied_on, checksum)
VALUES ({version}, '{name}', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '{checksum}');
"
    )
}
