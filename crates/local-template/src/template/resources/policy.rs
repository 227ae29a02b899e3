//! Resource-based policies of buckets, queues and keys.

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::role;
use crate::iam;
use crate::plan::{Principals, ResourceStatement};

/// The statements of a resource's policy document.
pub(super) fn statements(document: &Fields) -> Result<Vec<ResourceStatement>, TemplateError> {
    role::policy_statements(document)?.into_iter().map(statement).collect()
}

/// The statements of a role's trust policy, which is about the role itself and names no resource.
pub(super) fn trust(document: &Fields) -> Result<Vec<ResourceStatement>, TemplateError> {
    let statements = role::policy_statements(document)?.into_iter().map(|mut fields| {
        fields.only_keys(&["Sid", "Effect", "Principal", "Action", "Condition"])?;
        fields.map.insert("Resource".to_owned(), "*".into());
        statement(fields)
    });
    statements.collect()
}

fn statement(mut fields: Fields) -> Result<ResourceStatement, TemplateError> {
    let principals = principals(&fields)?;
    fields.map.remove("Principal");
    let statement = role::statement(&fields)?;
    for (operator, key, values) in &statement.conditions {
        if !iam::is_condition(operator, key, values) {
            return Err(fields.unsupported("Condition", operator, "this operator is not known"));
        }
    }
    Ok(ResourceStatement { principals, statement })
}

fn principals(fields: &Fields) -> Result<Principals, TemplateError> {
    if fields.map.get("Principal").is_some_and(|it| it == "*") {
        return Ok(Principals::Anyone);
    }
    let named = fields.required_fields("Principal")?;
    named.only_keys(&["AWS", "Service"])?;
    match (named.map.contains_key("AWS"), named.map.contains_key("Service")) {
        (false, true) => Ok(Principals::Services(named.one_or_more("Service")?)),
        (true, false) => match &named.one_or_more("AWS")?[..] {
            [one] if one == "*" => Ok(Principals::Anyone),
            accounts => Ok(Principals::Accounts(accounts.to_vec())),
        },
        _ => Err(fields.shape("Principal", "either Service or AWS")),
    }
}
