//! The rights of the functions' role in a database that was copied, renamed or restored since its migration. The role's name has
//! the database's in it, so such a database names a former role, or none where the role was not restored with it.

use tokio_postgres::Client;

use crate::MigrateError;
use crate::database::quoted;
use crate::migrations::{self, RightsOf};

/// The state of the functions' role in a migrated database.
struct State {
    exists: bool,
    has_rights: bool,
    /// Roles of other deployments that our policies name.
    former: Vec<String>,
}

async fn state(client: &Client, role: &str, applied: &[String]) -> Result<State, MigrateError> {
    let row = client.query_one(include_str!("../sql/functions_role.sql"), &[&role]).await?;
    let (uses_schema, policies): (Option<bool>, i64) = (row.get("uses_schema"), row.get("policies"));
    let expected = migrations::policies(applied, role);
    Ok(State {
        exists: row.get("exists"),
        has_rights: uses_schema == Some(true)
            && usize::try_from(policies).is_ok_and(|found| found >= expected),
        former: row.get("former"),
    })
}

/// The problem with the rights of the functions' role, if there is one.
pub(crate) async fn problem(
    client: &Client,
    role: &str,
    applied: &[String],
) -> Result<Option<String>, MigrateError> {
    let State { exists, has_rights, former } = state(client, role, applied).await?;
    Ok(if !former.is_empty() {
        Some(format!(
            "this database was copied or renamed: {} has the functions' rights in it, and {role} must have them",
            former.join(", ")
        ))
    } else if !exists {
        Some(format!("the role {role} does not exist, of which the functions' login must be a member"))
    } else if !has_rights {
        Some(format!("the role {role} lacks rights that the functions need"))
    } else {
        None
    })
}

/// Gives the functions' role its rights where it lacks them, and takes a former role's away. Returns what the operator should
/// know.
pub(crate) async fn correct(
    client: &mut Client,
    role: &str,
    applied: &[String],
) -> Result<Vec<String>, MigrateError> {
    let State { exists, has_rights, former } = state(client, role, applied).await?;
    if exists && has_rights && former.is_empty() {
        return Ok(Vec::new());
    }
    // Without a former role the clients' rights are lost as well: a restore into another cluster has none of the roles.
    let of = if former.is_empty() { RightsOf::FunctionsAndClients } else { RightsOf::Functions };
    let transaction = client.transaction().await?;
    for statement in migrations::rights(applied, role, of) {
        transaction.batch_execute(&statement).await?;
    }
    let mut notes = Vec::new();
    for old in &former {
        let (mut moved, mut left) = (Vec::new(), Vec::new());
        for row in transaction.query(include_str!("../sql/rights_of_role.sql"), &[old, &role]).await? {
            let statement: String = row.get("statement");
            if row.get("is_ours") { moved.push(statement) } else { left.push((row.get("owner"), statement)) }
        }
        transaction.batch_execute(&moved.join("\n")).await?;
        notes.push(format!(
            "this database was copied or renamed: {role} has the functions' rights now, and {old} has none in it. For the login of \
             this database's functions: GRANT {} TO <login>;",
            quoted(role)
        ));
        notes.extend(left.iter().map(|(owner, statement): &(String, String)| {
            format!("as {owner}, to move the last rights of {old}: {statement}")
        }));
    }
    if former.is_empty() {
        notes.push(format!("the role {role} was missing or lacked rights: it has them again"));
    }
    transaction.commit().await?;
    Ok(notes)
}
