//! The contract with the host application: two views, read as the functions will read them. What is wrong with one is said
//! with what to change, before a call fails for it.

mod columns;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row, Transaction};

use crate::MigrateError;
use crate::database::quoted;

use columns::{columns, view_to_write};

const USERS: &str = "medzen.call_users";
const APPOINTMENTS: &str = "medzen.call_appointments";

/// The findings in the host's views.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostViews {
    /// With any of these, calls fail: what is wrong, and what to change.
    pub problems: Vec<String>,
    /// With these, some calls fail, or the operator should know of them.
    pub warnings: Vec<String>,
}

/// Whether the migration has created the functions' role and its rights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// They are given for the check, in a transaction that is rolled back.
    BeforeMigration,
    AfterMigration,
}

/// Checks both views and changes nothing: all of it is in a transaction that is rolled back.
pub(crate) async fn check(client: &mut Client, role: &str, stage: Stage) -> Result<HostViews, MigrateError> {
    let mut found = HostViews::default();
    let mut transaction = client.transaction().await?;
    let mut readable = Vec::new();
    for view in [USERS, APPOINTMENTS] {
        if check_columns(&transaction, view, stage, &mut found).await? {
            readable.push(view);
        }
    }
    let owner_counts = count_rows(&mut transaction, &readable).await?;
    if !readable.is_empty() && become_role(&mut transaction, &readable, role, stage, &mut found).await? {
        if readable.contains(&USERS) {
            read_users(&mut transaction, role, &owner_counts, &mut found).await?;
        }
        if readable.len() == 2 {
            read_appointments(&mut transaction, role, &owner_counts, &mut found).await?;
        }
    }
    transaction.rollback().await?;
    Ok(found)
}

/// Whether the view can be read at all.
async fn check_columns(
    transaction: &Transaction<'_>,
    view: &str,
    stage: Stage,
    found: &mut HostViews,
) -> Result<bool, MigrateError> {
    let exists = "SELECT to_regclass($1) IS NOT NULL";
    if !transaction.query_one(exists, &[&view]).await?.get::<_, bool>(0) {
        let table = if view == USERS { "public.users" } else { "public.appointments" };
        if transaction.query_one(exists, &[&table]).await?.get(0) {
            let sql = view_to_write(view, table, &columns(transaction, view, table).await?);
            found.problems.push(format!(
                "{view} does not exist, and this database has {table}: create the view as the owner of that table, with \
                 corrections where the names mean something else:\n{sql}"
            ));
        } else if stage == Stage::AfterMigration {
            // Before the migration, which creates a simple table then.
            found.problems.push(format!("{view} does not exist: create it as infra/DATABASE.md says"));
        }
        return Ok(false);
    }
    let columns = columns(transaction, view, view).await?;
    let wrong: Vec<_> = columns.iter().filter_map(|column| column.problem(view)).collect();
    let is_readable = wrong.is_empty();
    found.problems.extend(wrong);
    Ok(is_readable)
}

/// The number of rows that the owner sees, in the order of `views`; none where reading fails.
async fn count_rows(
    transaction: &mut Transaction<'_>,
    views: &[&str],
) -> Result<Vec<Option<i64>>, MigrateError> {
    let mut counts = Vec::new();
    for view in views {
        let attempt = transaction.transaction().await?;
        if let Ok(row) = attempt.query_one(&format!("SELECT count(*) FROM {view}"), &[]).await {
            attempt.commit().await?;
            counts.push(Some(row.get(0)));
        } else {
            // The functions' role finds the same error, and there it is explained.
            attempt.rollback().await?;
            counts.push(None);
        }
    }
    Ok(counts)
}

/// Takes the functions' role for the rest of the transaction.
async fn become_role(
    transaction: &mut Transaction<'_>,
    views: &[&str],
    role: &str,
    stage: Stage,
    found: &mut HostViews,
) -> Result<bool, MigrateError> {
    let exists = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    let exists: bool = transaction.query_one(exists, &[&role]).await?.get(0);
    let role = quoted(role);
    if stage == Stage::BeforeMigration {
        let create = if exists { String::new() } else { format!("CREATE ROLE {role} NOLOGIN;") };
        let views = views.join(", ");
        let rights =
            format!("{create} GRANT USAGE ON SCHEMA medzen TO {role}; GRANT SELECT ON {views} TO {role}");
        if let Err(error) = attempt(transaction, &rights).await? {
            found.problems.push(format!(
                "the owner's login cannot create the role {role} or give it rights ({error}): give the login CREATEROLE and \
                 the ownership of the views, or have an administrator create the role"
            ));
            return Ok(false);
        }
    }
    let set = format!("SET LOCAL ROLE {role}");
    // An owner who is no superuser must be a member first.
    if attempt(transaction, &set).await?.is_ok()
        || attempt(transaction, &format!("GRANT {role} TO CURRENT_USER; {set}")).await?.is_ok()
    {
        return Ok(true);
    }
    found.warnings.push(format!(
        "the views were not read as the functions read them, because the owner's login cannot become a member of {role}: give it CREATEROLE"
    ));
    Ok(false)
}

/// Runs statements in a savepoint: after an error the transaction goes on.
async fn attempt(transaction: &mut Transaction<'_>, sql: &str) -> Result<Result<(), String>, MigrateError> {
    let savepoint = transaction.transaction().await?;
    match savepoint.batch_execute(sql).await {
        Ok(()) => {
            savepoint.commit().await?;
            Ok(Ok(()))
        }
        Err(error) => {
            let text = error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
            savepoint.rollback().await?;
            Ok(Err(text))
        }
    }
}

/// A row about a view as the functions' role sees it; none where it cannot be read, which is a problem then.
async fn read(
    transaction: &mut Transaction<'_>,
    view: &str,
    sql: &str,
    role: &str,
    found: &mut HostViews,
) -> Result<Option<Row>, MigrateError> {
    let savepoint = transaction.transaction().await?;
    let error = match savepoint.query_one(sql, &[]).await {
        Ok(row) => {
            savepoint.commit().await?;
            return Ok(Some(row));
        }
        Err(error) => error,
    };
    savepoint.rollback().await?;
    let Some(database) = error.as_db_error() else { return Err(error.into()) };
    let message = database.message();
    let is_no_uuid =
        *database.code() == SqlState::INVALID_TEXT_REPRESENTATION && message.contains("type uuid");
    let reason = if is_no_uuid {
        "where ids are no UUIDs write md5(id::text)::uuid AS id, and the same for each column that refers to it"
            .to_owned()
    } else if *database.code() != SqlState::INSUFFICIENT_PRIVILEGE {
        "correct the view so that it can be read for every row".to_owned()
    } else if message.contains(view.trim_start_matches("medzen.")) {
        format!("GRANT SELECT ON {view} TO {}", quoted(role))
    } else if is_invoker(transaction, view).await? {
        format!("the view reads with the rights of its reader: ALTER VIEW {view} RESET (security_invoker)")
    } else if message.contains("function") {
        format!(
            "functions in a view run with the rights of its reader: GRANT EXECUTE on it TO {}",
            quoted(role)
        )
    } else {
        format!("make the owner of those tables the owner of the view: ALTER VIEW {view} OWNER TO <owner>")
    };
    found.problems.push(format!("{view} cannot be read by the functions ({message}): {reason}"));
    Ok(None)
}

async fn is_invoker(transaction: &Transaction<'_>, view: &str) -> Result<bool, MigrateError> {
    let sql = "SELECT coalesce(reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1}', false)
               FROM pg_class WHERE oid = to_regclass($1)";
    Ok(transaction.query_one(sql, &[&view]).await?.get(0))
}

/// Problems that both views can have.
async fn check_rows(
    transaction: &Transaction<'_>,
    view: &str,
    row: &Row,
    owner_count: Option<i64>,
    found: &mut HostViews,
) -> Result<(), MigrateError> {
    let rows: i64 = row.get("rows");
    if owner_count.is_some_and(|owner| owner > rows) {
        let remedy = if is_invoker(transaction, view).await? {
            format!("ALTER VIEW {view} RESET (security_invoker)")
        } else {
            "make the owner of its tables the view's owner".to_owned()
        };
        found.problems.push(format!(
            "{view} has {} rows, and the functions see {rows}: row-level security hides the others: {remedy}",
            owner_count.unwrap_or_default()
        ));
    }
    if row.get::<_, i64>("repeated") > 0 {
        let ids: Option<&str> = row.get("repeated_ids");
        found.problems.push(format!(
            "{view} has ids more than once ({}): each must occur once; a join in the view may multiply its rows",
            ids.unwrap_or_default()
        ));
    }
    let without: i64 = row.get("without_id");
    if without > 0 {
        found.warnings.push(format!("{view} has {without} rows without an id, which are never found"));
    }
    Ok(())
}

async fn read_users(
    transaction: &mut Transaction<'_>,
    role: &str,
    owner_counts: &[Option<i64>],
    found: &mut HostViews,
) -> Result<(), MigrateError> {
    let sql = include_str!("../sql/host_users.sql");
    let Some(row) = read(transaction, USERS, sql, role, found).await? else { return Ok(()) };
    check_rows(transaction, USERS, &row, owner_counts.first().copied().flatten(), found).await?;
    if let Some(accounts) = row.get::<_, Option<&str>>("same_uid") {
        found.warnings.push(format!(
            "{USERS} has accounts with the same firebase_uid ({accounts}): its person is let in as the one that the appointment \
             names; remove the others"
        ));
    }
    let (rows, without): (i64, i64) = (row.get("rows"), row.get("without_uid"));
    if rows > 0 && rows == without {
        found
            .problems
            .push(format!("{USERS} has no firebase_uid in any row: it must be the sub of the users' tokens"));
    } else if without > 0 {
        found.warnings.push(format!(
            "{USERS} has {without} of {rows} users without a firebase_uid, who cannot sign in"
        ));
    }
    Ok(())
}

async fn read_appointments(
    transaction: &mut Transaction<'_>,
    role: &str,
    owner_counts: &[Option<i64>],
    found: &mut HostViews,
) -> Result<(), MigrateError> {
    let sql = include_str!("../sql/host_appointments.sql");
    let Some(row) = read(transaction, APPOINTMENTS, sql, role, found).await? else { return Ok(()) };
    check_rows(transaction, APPOINTMENTS, &row, owner_counts.get(1).copied().flatten(), found).await?;
    let rows: i64 = row.get("rows");
    for (person, column) in [("provider", "provider_user_id"), ("patient", "patient_user_id")] {
        let without: i64 = row.get(format!("without_{person}").as_str());
        let text = format!(
            "{APPOINTMENTS} has {without} of {rows} appointments whose {column} is no id of {USERS}: it must be the {person}'s \
             users.id, not the id of a profile"
        );
        if without > 0 && without == rows {
            found.problems.push(text);
        } else if without > 0 {
            found.warnings.push(text);
        }
    }
    Ok(())
}
