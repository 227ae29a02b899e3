//! Roles, with the policies inside them and attached to them.

use std::time::Duration;

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::policy;
use super::{DESCRIPTION, Made, ResourceType, TAGS, effect, identity, of_type, without_effect};
use crate::plan::{Principals, Role, Statement};

const ROLE: &str = "AWS::IAM::Role";
const MANAGED_POLICY: &str = "AWS::IAM::ManagedPolicy";

/// How many managed policies a role takes (the quota's default).
const MAX_ATTACHED: usize = 10;

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: ROLE,
        properties: &[
            effect("AssumeRolePolicyDocument"),
            DESCRIPTION,
            effect("ManagedPolicyArns"),
            effect("MaxSessionDuration"),
            effect("Path"),
            effect("Policies.PolicyDocument"),
            without_effect("Policies.PolicyName", "it is for people, and required"),
            effect("RoleName"),
            TAGS,
        ],
        identify: |naming, properties| {
            let name = properties.text("RoleName")?.unwrap_or_else(|| naming.short_name());
            let path = properties.text("Path")?.unwrap_or_else(|| "/".to_owned());
            let arn = naming.global_arn("iam", &format!("role{path}{name}"));
            let id = format!("AROA{}", naming.letters(17).to_uppercase());
            Ok(identity(ROLE, name, [("Arn", arn), ("RoleId", id)]))
        },
    },
    ResourceType {
        name: MANAGED_POLICY,
        // No Groups, Roles and Users: a role names its policies, which also orders their creation.
        properties: &[DESCRIPTION, effect("ManagedPolicyName"), effect("PolicyDocument")],
        identify: |naming, properties| {
            let name = properties.text("ManagedPolicyName")?.unwrap_or_else(|| naming.short_name());
            let arn = naming.global_arn("iam", &format!("policy/{name}"));
            Ok(identity(MANAGED_POLICY, arn.clone(), [("PolicyArn", arn)]))
        },
    },
];

/// The statements of a function's role; the role must let Lambda assume it.
pub(super) fn statements(made: &[Made], function: &Fields) -> Result<Vec<Statement>, TemplateError> {
    let arn = function.required("Role")?;
    let role = of_type(made, ROLE).find(|it| it.arn() == arn);
    let role = &role.ok_or_else(|| function.dangling("Role", &arn))?.properties;
    let trust = role.required_fields("AssumeRolePolicyDocument")?;
    let mut trusted = false;
    for statement in policy_statements(&trust)? {
        statement.only_keys(&["Sid", "Effect", "Principal", "Action", "Condition"])?;
        trusted |= statement.required("Effect")? == "Allow"
            && statement.one_or_more("Action")?.iter().any(|it| it == "sts:AssumeRole")
            && statement
                .required_fields("Principal")?
                .one_or_more("Service")?
                .iter()
                .any(|it| it == "lambda.amazonaws.com");
    }
    if !trusted {
        let wanted = "lambda.amazonaws.com must be allowed sts:AssumeRole";
        return Err(role.unsupported("AssumeRolePolicyDocument", "without Lambda", wanted));
    }
    of_role(made, role)
}

/// The roles that a principal of the account is trusted with, and not a service alone.
pub(super) fn assumable(made: &[Made]) -> Result<Vec<Role>, TemplateError> {
    let mut roles = Vec::new();
    for role in of_type(made, ROLE).filter(|it| trusts_principals(it)) {
        let properties = &role.properties;
        let trust = policy::trust(&properties.required_fields("AssumeRolePolicyDocument")?)?;
        for statement in &trust {
            let Principals::Accounts(named) = &statement.principals else { continue };
            // IAM refuses a role or user that is not there.
            let unknown = named.iter().find(|arn| {
                let whole = arn.ends_with(":root") || !arn.contains(':');
                !whole && !of_type(made, ROLE).any(|it| it.arn() == **arn)
            });
            if let Some(unknown) = unknown {
                return Err(properties.dangling("AssumeRolePolicyDocument.Principal.AWS", unknown));
            }
        }
        let seconds = properties.within("MaxSessionDuration", 3600..=43_200)?.unwrap_or(3600);
        roles.push(Role {
            name: role.identity.reference.clone(),
            arn: role.arn().to_owned(),
            trust,
            statements: of_role(made, properties)?,
            max_session: Duration::from_secs(seconds.into()),
        });
    }
    Ok(roles)
}

fn trusts_principals(role: &Made) -> bool {
    let document = role.properties.map.get("AssumeRolePolicyDocument");
    let statements = match document.and_then(|it| it.get("Statement")) {
        Some(serde_json::Value::Array(statements)) => statements.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    statements.into_iter().any(|it| it.pointer("/Principal/AWS").is_some())
}

/// The statements in a role and in the policies attached to it.
fn of_role(made: &[Made], role: &Fields) -> Result<Vec<Statement>, TemplateError> {
    let mut read = Vec::new();
    for policy in role.items("Policies")? {
        policy.required("PolicyName")?;
        for fields in policy_statements(&policy.required_fields("PolicyDocument")?)? {
            read.push(statement(&fields)?);
        }
    }
    let attached = role.texts("ManagedPolicyArns")?;
    if attached.len() > MAX_ATTACHED {
        let wanted = "a role has at most 10 managed policies";
        return Err(role.unsupported("ManagedPolicyArns", &attached.len().to_string(), wanted));
    }
    for arn in attached {
        // Policies of AWS are unknown here: the templates contain everything that a role may do.
        let policy = of_type(made, MANAGED_POLICY).find(|it| it.identity.reference == arn);
        let policy = &policy.ok_or_else(|| role.dangling("ManagedPolicyArns", &arn))?.properties;
        for fields in policy_statements(&policy.required_fields("PolicyDocument")?)? {
            read.push(statement(&fields)?);
        }
    }
    Ok(read)
}

/// A policy document's statements, unread.
pub(super) fn policy_statements(document: &Fields) -> Result<Vec<Fields>, TemplateError> {
    document.only_keys(&["Version", "Statement"])?;
    document.only("Version", "2012-10-17")?;
    match document.map.get("Statement") {
        None => Err(document.missing("Statement")),
        Some(serde_json::Value::Object(_)) => Ok(vec![document.required_fields("Statement")?]),
        Some(_) => document.items("Statement"),
    }
}

/// The actions and resources of a statement.
pub(super) fn statement(fields: &Fields) -> Result<Statement, TemplateError> {
    fields.only_keys(&["Sid", "Effect", "Action", "Resource", "Condition"])?;
    let effect = fields.required("Effect")?;
    if effect != "Allow" && effect != "Deny" {
        return Err(fields.unsupported("Effect", &effect, "it must be Allow or Deny"));
    }
    let mut conditions = Vec::new();
    if let Some(operators) = fields.fields("Condition")? {
        for operator in operators.map.keys() {
            let keys = operators.required_fields(operator)?;
            for key in keys.map.keys() {
                conditions.push((operator.clone(), key.clone(), keys.one_or_more(key)?));
            }
        }
    }
    Ok(Statement {
        sid: fields.text("Sid")?.unwrap_or_default(),
        allow: effect == "Allow",
        actions: fields.one_or_more("Action")?,
        resources: fields.one_or_more("Resource")?,
        conditions,
    })
}
