//! Brings the database that `DATABASE_URL` names to the newest schema: `make migrate DATABASE_URL=...`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        eprintln!("DATABASE_URL must be set: postgresql://user:password@host/database");
        return ExitCode::from(2);
    };
    let ca = std::env::var("DATABASE_CA").ok();
    match store::migrate::run(&url, ca.as_deref()).await {
        Ok(applied) if applied.is_empty() => println!("nothing to do: the schema is up to date"),
        Ok(applied) => println!("applied {}", applied.join(", ")),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
