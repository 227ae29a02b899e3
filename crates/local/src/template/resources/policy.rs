//! Policies that hang on a resource: who may use a queue or a key, and for what.

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::role::{policy_statements, statement};
use crate::iam;
use crate::plan::ResourceStatement;

/// The statements of a resource's policy.
pub(super) fn resource_statements(document: &Fields) -> Result<Vec<ResourceStatement>, TemplateError> {
    policy_statements(document)?.iter().map(resource_statement).collect()
}

fn resource_statement(fields: &Fields) -> Result<ResourceStatement, TemplateError> {
    let principals = match fields.map.get("Principal") {
        None => return Err(fields.missing("Principal")),
        Some(serde_json::Value::String(_)) => {
            fields.only("Principal", "*")?;
            vec!["*".to_owned()]
        }
        Some(_) => {
            let principal = fields.required_fields("Principal")?;
            principal.only_keys(&["AWS", "Service"])?;
            let mut all = Vec::new();
            for kind in principal.map.keys() {
                all.extend(principal.one_or_more(kind)?.iter().map(|name| format!("{kind}:{name}")));
            }
            all
        }
    };
    let mut rest = fields.clone();
    rest.map.remove("Principal");
    let statement = statement(&rest)?;
    for (operator, key, values) in &statement.conditions {
        if !iam::is_condition(operator, key, values) {
            return Err(fields.unsupported("Condition", operator, "this operator is not known"));
        }
    }
    Ok(ResourceStatement { principals, statement })
}
