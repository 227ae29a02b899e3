//! The owner's side of the database, on the database in `DATABASE_URL`: `migrate` brings it to the newest schema, `migrate
//! check` finds what is wrong and changes nothing, `migrate import` reads the ended calls of an earlier system, and `migrate
//! files FOLDER` writes the schema as migration files. `DATABASE_CA` is a file with the certificate authority (PEM) of a
//! database that is not on this machine; `PGPASSWORD` is the password where the URL has none.

use std::path::Path;
use std::process::ExitCode;

use schema::{Database, MigrateError};

const USAGE: &str = "migrate [check | import | files FOLDER]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["files", folder] => return finish(write_files(folder)),
        [] | ["check" | "import"] => database(),
        _ => Err(format!("usage: {USAGE}")),
    };
    let database = match outcome {
        Ok(database) => database,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if !database.ignored.is_empty() {
        eprintln!("these options of DATABASE_URL are ignored: {}", database.ignored.join(", "));
    }
    finish(match arguments.first() {
        Some(&"check") => check(&database).await,
        Some(_) => import(&database).await,
        None => migrate(&database).await,
    })
}

/// Where to connect, from the environment.
fn database() -> Result<Database, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let url =
        variable("DATABASE_URL").ok_or("DATABASE_URL must be set: postgresql://user@host:5432/database")?;
    let ca = variable("DATABASE_CA")
        .map(|path| {
            std::fs::read_to_string(&path)
                .map_err(|error| format!("DATABASE_CA: {path} cannot be read: {error}"))
        })
        .transpose()?;
    Database::parse(&url, variable("PGPASSWORD").as_deref(), ca.as_deref()).map_err(|error| error.to_string())
}

async fn migrate(database: &Database) -> Result<(), MigrateError> {
    let applied = schema::migrate(database).await?;
    if applied.migrations.is_empty() {
        println!("nothing to do: the schema is up to date");
    } else {
        println!("applied {}", applied.migrations.join(", "));
    }
    print_notes(&applied.notes);
    println!("the functions' login must be a member of the role {}", applied.functions_role);
    Ok(())
}

async fn check(database: &Database) -> Result<(), MigrateError> {
    let checked = schema::check(database).await?;
    match checked.pending.as_slice() {
        [] => println!("the schema is up to date, and the host's views are as the functions need them"),
        pending => println!("nothing stands in the way of {}", pending.join(", ")),
    }
    print_notes(&checked.warnings);
    println!("the functions' login must be a member of the role {}", checked.functions_role);
    Ok(())
}

async fn import(database: &Database) -> Result<(), MigrateError> {
    let imported = schema::import_calls(database).await?;
    println!(
        "imported {} calls with {} participants; {} calls are left out, because they have not ended or lack an id, an \
         appointment, a time that can be read or a person who started them",
        imported.calls, imported.participants, imported.left_out
    );
    let rows = imported.participants_left_out;
    println!(
        "rows of participants that are left out: {} of calls that are left out or not there, {} without a user's id, {} with a \
         joined_at or left_at that is no time",
        rows.without_call, rows.without_user, rows.without_time
    );
    Ok(())
}

fn write_files(folder: &str) -> Result<(), MigrateError> {
    let database = std::env::var("DATABASE").ok().filter(|name| !name.is_empty());
    let database = database.as_deref().unwrap_or("postgres");
    let written = schema::files::write(Path::new(folder), database, time::OffsetDateTime::now_utc())?;
    if written.is_empty() {
        println!("nothing to do: {folder} has every migration");
    }
    for path in written {
        println!("{}", path.display());
    }
    Ok(())
}

fn print_notes(notes: &[String]) {
    for note in notes {
        println!("note: {note}");
    }
}

fn finish(outcome: Result<(), MigrateError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause =
                std::error::Error::source(&error).filter(|_| matches!(error, MigrateError::Folder { .. }));
            eprintln!("{error}{}", cause.map(|cause| format!(": {cause}")).unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}
