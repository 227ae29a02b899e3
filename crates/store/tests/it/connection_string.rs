//! The owner's program and its targets: what they print, and that no password is among it.

use std::process::{Command, Output};

use local_testing::{TestResult, workspace};

use crate::database::{column, in_a_database};

/// Runs the program with these variables and returns its exit code and output.
async fn program(
    arguments: &'static [&'static str],
    variables: Vec<(&'static str, String)>,
) -> TestResult<String> {
    let mut command = Command::new(workspace().join("target/debug/migrate"));
    for name in ["DATABASE_URL", "DATABASE_CA", "PGPASSWORD", "DATABASE"] {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables);
    said(tokio::task::spawn_blocking(move || command.output()).await??)
}

fn said(ran: Output) -> TestResult<String> {
    let (said, failed) = (String::from_utf8(ran.stdout)?, String::from_utf8(ran.stderr)?);
    Ok(format!("{} {said}{failed}", ran.status.code().unwrap_or(-1)))
}

fn url(url: &str) -> Vec<(&'static str, String)> {
    vec![("DATABASE_URL", url.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_prints_what_it_applied() -> TestResult {
    in_a_database(async |database| {
        let role =
            format!("the functions' login must be a member of the role {}\n", database.functions_role());
        let before = program(&["check"], url(&database.url())).await?;
        assert_eq!(before, format!("0 nothing stands in the way of V1__baseline\n{role}"));
        let client = database.superuser().await?;
        assert_eq!(
            column(&client, "SELECT to_regnamespace('medzen')").await?,
            ["null"],
            "a check changes nothing"
        );

        let first = program(&[], url(&database.url())).await?;
        assert!(first.starts_with("0 applied V1__baseline\nnote: only these logins can connect"), "{first}");
        assert!(first.ends_with(&role), "{first}");
        let second = program(&[], url(&database.url())).await?;
        assert_eq!(second, format!("0 nothing to do: the schema is up to date\n{role}"));
        let after = program(&["check"], url(&database.url())).await?;
        assert!(after.starts_with("0 the schema is up to date, and the host's views are as"), "{after}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_what_to_correct() -> TestResult {
    assert!(program(&[], vec![]).await?.starts_with("2 DATABASE_URL must be set"));
    assert!(program(&["chekc"], vec![]).await?.starts_with("2 usage: migrate [check"));
    let mut nowhere = url("postgresql://owner@localhost/d");
    nowhere.push(("DATABASE_CA", "/nowhere.pem".to_owned()));
    assert!(program(&[], nowhere).await?.starts_with("2 DATABASE_CA: /nowhere.pem cannot be read"));
    for (text, words) in [
        ("postgresql://owner:hunter2@192.0.2.1/medzen", "1 without the database's certificate authority"),
        (
            "postgresql://owner:hunter2@127.0.0.1:1/medzen",
            "1 nothing listens at 127.0.0.1:1: correct host and port",
        ),
        (
            "postgresql://owner:hunter2@db.ref.supabase.co:6543/postgres",
            "2 DATABASE_URL: port 6543 is Supabase's transaction pooler",
        ),
        (
            "postgresql://owner:hunt/er2@db.example.com/d",
            "2 DATABASE_URL: the user or the password has a character",
        ),
        (
            "postgresql://owner:hunter2@127.0.0.1:1/d?sslmode=verify-full&pgbouncer=true",
            "1 these options of DATABASE_URL are ignored: pgbouncer",
        ),
    ] {
        let said = program(&["check"], url(text)).await?;
        // The ignored options are printed first, on the other stream.
        assert!(said.starts_with(words), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("er2"), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_login_and_a_wrong_database_are_named_and_the_password_has_a_variable() -> TestResult {
    in_a_database(async |database| {
        let at = database.server.addr();
        let with =
            |url: String, password: &str| vec![("DATABASE_URL", url), ("PGPASSWORD", password.to_owned())];
        let wrong =
            program(&["check"], with(format!("postgresql://postgres@{at}/{}", database.name), "hunter2"))
                .await?;
        assert!(wrong.starts_with(&format!("1 {at} rejected the login of the user postgres")), "{wrong}");
        assert!(!wrong.contains("hunter2"), "{wrong}");
        let (superuser, password) = (database.server.user(), database.server.password());
        let missing =
            program(&["check"], with(format!("postgresql://{superuser}@{at}/nowhere"), password)).await?;
        assert!(missing.starts_with(&format!("1 {at} has no database nowhere")), "{missing}");
        let none =
            program(&["check"], url(&format!("postgresql://{superuser}@{at}/{}", database.name))).await?;
        assert!(
            none.starts_with(&format!(
                "1 {at} asks for a password, and DATABASE_URL has none: give it in PGPASSWORD"
            )),
            "{none}"
        );
        let right =
            program(&["check"], with(format!("postgresql://{superuser}@{at}/{}", database.name), password))
                .await?;
        assert!(right.starts_with("0 nothing stands in the way"), "{right}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_explained() -> TestResult {
    let cloud = local_testing::TestCloud::new().await?;
    let secret = cloud.parts().database_secret.get();
    let other = local::pgproxy::Certificate::make()?;
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, other.authority())?;
    let text = |name: &str| secret[name].as_str().unwrap_or_default().to_owned();
    let variables = vec![
        (
            "DATABASE_URL",
            format!("postgresql://{}@127.0.0.1:{}/{}", text("username"), secret["port"], text("dbname")),
        ),
        ("PGPASSWORD", text("password")),
        ("DATABASE_CA", ca.display().to_string()),
    ];
    let said = program(&["check"], variables).await?;
    assert!(said.contains("was issued by another authority than those in DATABASE_CA"), "{said}");
    Ok(())
}

/// A variable on make's command line is in the shell's history and in the list of processes.
#[tokio::test(flavor = "multi_thread")]
async fn make_takes_no_password_as_an_argument() -> TestResult {
    for target in ["migrate", "check-database", "import-calls"] {
        let make = move || {
            Command::new("make")
                .args([target, "DATABASE_URL=postgresql://owner:hunter2@127.0.0.1:1/d"])
                .current_dir(workspace())
                .output()
        };
        let said = said(tokio::task::spawn_blocking(make).await??)?;
        assert!(said.starts_with("2 ") && said.contains("leave the password out of DATABASE_URL"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    Ok(())
}
