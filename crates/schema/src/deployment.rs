//! A deployment in a cluster that it shares with others: its role, and who may connect to its database.

use sha2::{Digest as _, Sha256};
use tokio_postgres::Client;

use crate::MigrateError;
use crate::database::quoted;

/// PostgreSQL truncates names at 63 bytes; the prefix is `medzen_functions_`.
const MAX_DATABASE_BYTES: usize = 63 - "medzen_functions_".len();

/// The role that the functions' login is a member of. Roles belong to the cluster and a deployment is a database, so
/// the role's name contains the database's: two deployments in one cluster share nothing. A name that PostgreSQL
/// would truncate at 63 bytes ends with a hash of the whole.
#[must_use]
pub fn functions_role(database: &str) -> String {
    let plain: String =
        database.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain == database && database.len() <= MAX_DATABASE_BYTES {
        return format!("medzen_functions_{database}");
    }
    let mut hash = format!("{:x}", Sha256::digest(database.as_bytes()));
    hash.truncate(8);
    let kept: String = plain.chars().take(MAX_DATABASE_BYTES - 9).collect();
    format!("medzen_functions_{kept}_{hash}")
}

/// Gives the functions' role the views again, which a host that dropped and created one has taken away, and closes the
/// database to logins that have nothing in it. Returns what the operator should know.
pub(crate) async fn restore_rights(client: &mut Client, role: &str) -> Result<Vec<String>, MigrateError> {
    let mut notes = Vec::new();
    let missing = client
        .query(
            "SELECT view FROM unnest('{medzen.call_users,medzen.call_appointments}'::text[]) AS view
             WHERE to_regclass(view) IS NOT NULL AND NOT has_table_privilege($1, to_regclass(view), 'SELECT')",
            &[&role],
        )
        .await?;
    for view in missing {
        let view: &str = view.get(0);
        client.batch_execute(&format!("GRANT SELECT ON {view} TO {}", quoted(role))).await?;
        notes.push(format!("the functions may read {view} again: it had been created anew"));
    }
    notes.extend(revoke_connect(client, role).await?);
    Ok(notes)
}

/// PostgreSQL lets every login of the cluster connect to every database. Here the logins that own or may use something in
/// this database, are connected to it, or monitor the cluster keep that right by name; the others lose it, and the login of
/// another deployment always does. It is revoked once: an operator who gives it back to PUBLIC has decided so, and the right that
/// the functions' role has by name shows it, which a copy of the database does not have. Supabase's project is a cluster of its
/// own, whose services connect by the general right.
async fn revoke_connect(client: &mut Client, role: &str) -> Result<Option<String>, MigrateError> {
    let state = client
        .query_one(
            "SELECT current_database()::text, has_database_privilege('public', current_database(), 'CONNECT'),
                    to_regprocedure('auth.uid()') IS NOT NULL, pg_has_role(d.datdba, 'USAGE'), d.datdba::regrole::text,
                    EXISTS (SELECT FROM aclexplode(d.datacl) AS given
                            WHERE given.privilege_type = 'CONNECT' AND given.grantee = to_regrole(quote_ident($1))),
                    has_database_privilege($1, current_database(), 'CONNECT')
             FROM pg_database d WHERE d.datname = current_database()",
            &[&role],
        )
        .await?;
    let (database, is_open, is_supabase): (String, bool, bool) = (state.get(0), state.get(1), state.get(2));
    let (is_owner, owner, was_revoked): (bool, &str, bool) = (state.get(3), state.get(4), state.get(5));
    let (name, quoted_role) = (quoted(&database), quoted(role));
    if !state.get::<_, bool>(6) {
        // A role that was created anew, in a database that is closed already.
        let grant = format!("GRANT CONNECT ON DATABASE {name} TO {quoted_role}");
        if !is_owner {
            return Ok(Some(format!(
                "the functions cannot connect until the database's owner {owner} runs: {grant};"
            )));
        }
        client.batch_execute(&grant).await?;
        return Ok(None);
    }
    if !is_open || is_supabase {
        return Ok(None);
    }
    if was_revoked {
        return Ok(Some(format!(
            "every login of this cluster can connect to this database, because PUBLIC has that right again. To revoke it: REVOKE \
             CONNECT ON DATABASE {name} FROM PUBLIC;"
        )));
    }
    if !is_owner {
        return Ok(Some(format!(
            "every login of this cluster can connect to this database; its owner {owner} closes it with: GRANT CONNECT ON DATABASE \
             {name} TO {quoted_role}; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;"
        )));
    }
    let transaction = client.transaction().await?;
    let kept = transaction.query(include_str!("../sql/logins_of_this_database.sql"), &[&role]).await?;
    let kept: Vec<String> = kept.iter().map(|row| row.get(0)).collect();
    let grantees = kept.iter().map(|login| quoted(login)).chain([quoted_role]).collect::<Vec<_>>().join(", ");
    transaction
        .batch_execute(&format!(
            "GRANT CONNECT ON DATABASE {name} TO {grantees}; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
        ))
        .await?;
    let lost = transaction
        .query(
            "SELECT rolname::text FROM pg_roles
             WHERE rolcanlogin AND NOT has_database_privilege(oid, current_database(), 'CONNECT') ORDER BY 1",
            &[],
        )
        .await?;
    let lost: Vec<String> = lost.iter().map(|row| row.get(0)).collect();
    transaction.commit().await?;
    let logins = if kept.is_empty() { String::new() } else { format!(", and {}", kept.join(", ")) };
    let lost = if lost.is_empty() { "no login".to_owned() } else { lost.join(", ") };
    Ok(Some(format!(
        "only these logins can connect to this database now: its owner, members of {role}{logins}. These lost that right: {lost}. \
         To give it to one: GRANT CONNECT ON DATABASE {name} TO <login>;"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_has_a_role_of_its_own_within_63_bytes() {
        assert_eq!(functions_role("clinic"), "medzen_functions_clinic");
        let names =
            ["a-b", "a_b", &"x".repeat(63), &"x".repeat(62), "ä", "\"; DROP ROLE x; --"].map(functions_role);
        for name in &names {
            assert!(
                name.len() <= 63 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{name}"
            );
        }
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
