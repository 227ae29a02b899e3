//! The role that moves the expiry of audit entries: nothing else of them, and no other chain.

use local_template::iam::{AssumeError, Iam, RoleSession};
use local_testing::TestResult;

use crate::deployed;

fn session(iam: &Iam, function: &str, role: &str) -> Result<RoleSession, AssumeError> {
    iam.assume(function, role, 900, None, &[("sts:RoleSessionName", "audit-hold")])
}

#[test]
fn the_hold_role_may_move_the_expiry_of_an_appointment_s_entries_and_nothing_else() -> TestResult {
    let plan = deployed()?;
    let table = plan.outputs.get("AuditTableArn").ok_or("no table")?;
    let audit = plan.functions.iter().find(|it| it.name == "audit").ok_or("no function")?;
    let role = audit.environment.get("HOLD_ROLE_ARN").ok_or("no role")?;
    let iam = Iam::new(&plan)?;
    let hold = session(&iam, "audit", role)?;
    let may = |action: &str, context: &[(&str, &str)]| {
        iam.check_session(&hold, action, Some(table), context).is_allowed()
    };
    let of = |chain, attribute| [("dynamodb:LeadingKeys", chain), ("dynamodb:Attributes", attribute)];
    for attribute in ["pk", "sk", "expiresAt"] {
        assert!(may("dynamodb:UpdateItem", &of("APPT#1", attribute)), "{attribute}");
    }
    for attribute in ["payload", "hash", "previousHash", "at", "event", "actor"] {
        assert!(!may("dynamodb:UpdateItem", &of("APPT#1", attribute)), "{attribute}");
    }
    assert!(!may("dynamodb:UpdateItem", &of("ACTOR#1", "expiresAt")));
    assert!(!may("dynamodb:UpdateItem", &[]), "without a word of what is updated");
    let [key, attribute] = of("APPT#1", "expiresAt");
    assert!(!may("dynamodb:UpdateItem", &[key, attribute, ("dynamodb:ReturnValues", "ALL_OLD")]), "it reads");

    let select = ("dynamodb:Select", "SPECIFIC_ATTRIBUTES");
    assert!(may("dynamodb:Query", &[key, attribute, select]));
    assert!(!may("dynamodb:Query", &[key, attribute]), "all attributes");
    assert!(!may("dynamodb:Query", &[key, ("dynamodb:Attributes", "payload"), select]));
    for action in ["PutItem", "DeleteItem", "GetItem", "Scan", "BatchWriteItem", "PartiQLUpdate"] {
        assert!(!may(&format!("dynamodb:{action}"), &[key, attribute]), "{action}");
    }
    for other in ["recording", "attendee", "meeting-manager", "transcript"] {
        assert!(session(&iam, other, role).is_err(), "{other}");
    }
    let writer: Vec<_> =
        audit.role.iter().flat_map(|it| &it.actions).filter(|it| it.contains("dynamodb")).collect();
    assert_eq!(writer, ["dynamodb:PutItem"], "the function's own role neither updates nor deletes");
    Ok(())
}
