//! Migrates the database in `DATABASE_URL` to the newest schema: `make migrate DATABASE_URL=...`. `DATABASE_CA` is a
//! file with the certificate authority (PEM) of a database that is not on this machine.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        eprintln!("DATABASE_URL must be set: postgresql://user:password@host/database");
        return ExitCode::from(2);
    };
    let ca = match std::env::var("DATABASE_CA").ok().filter(|path| !path.is_empty()) {
        None => None,
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(pem) => Some(pem),
            Err(error) => {
                eprintln!("DATABASE_CA: {path} cannot be read: {error}");
                return ExitCode::from(2);
            }
        },
    };
    match schema::run(&url, ca.as_deref()).await {
        Ok(applied) => {
            if applied.migrations.is_empty() {
                println!("nothing to do: the schema is up to date");
            } else {
                println!("applied {}", applied.migrations.join(", "));
            }
            println!("the functions' login must be a member of the role {}", applied.functions_role);
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
