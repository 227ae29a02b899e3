//! A bucket's policy as `GetBucketPolicy` returns it.

use local_template::plan::{Principals, ResourceStatement};
use serde_json::{Map, Value, json};

pub(super) fn document(statements: &[ResourceStatement]) -> String {
    let statements: Vec<Value> = statements.iter().map(statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn statement(it: &ResourceStatement) -> Value {
    let principal = match &it.principals {
        Principals::Anyone => json!("*"),
        Principals::Services(services) => json!({ "Service": services }),
        Principals::Accounts(accounts) => json!({ "AWS": accounts }),
    };
    let rest = &it.statement;
    let mut conditions: Map<String, Value> = Map::new();
    for (operator, key, values) in &rest.conditions {
        conditions.entry(operator).or_insert_with(|| json!({}))[key] = json!(values);
    }
    json!({
        "Sid": rest.sid,
        "Effect": if rest.allow { "Allow" } else { "Deny" },
        "Principal": principal,
        "Action": rest.actions,
        "Resource": rest.resources,
        "Condition": conditions,
    })
}
