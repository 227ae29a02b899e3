//! The attributes and keys that a request touches: the condition keys of fine-grained access
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html>).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::service::Context;

/// Words of expressions that are no attributes.
const WORDS: [&str; 18] = [
    "SET",
    "REMOVE",
    "ADD",
    "DELETE",
    "AND",
    "OR",
    "NOT",
    "BETWEEN",
    "IN",
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
    "begins_with",
    "contains",
    "size",
    "if_not_exists",
    "list_append",
    "NULL",
];

/// A context for each attribute that the request names: a condition on `dynamodb:Attributes` for all values is met if each of them meets it.
pub(super) fn contexts(body: &Value) -> Vec<Context> {
    let mut common = Context::new();
    for (key, field) in [("dynamodb:Select", "Select"), ("dynamodb:ReturnValues", "ReturnValues")] {
        if let Some(value) = body[field].as_str() {
            common.insert(key.to_owned(), value.to_owned());
        }
    }
    if let Some(key) = leading_key(body) {
        common.insert("dynamodb:LeadingKeys".to_owned(), key.to_owned());
    }
    let of_attribute = |attribute: String| {
        let mut context = common.clone();
        context.insert("dynamodb:Attributes".to_owned(), attribute);
        context
    };
    let attributes = attributes(body);
    if attributes.is_empty() { vec![common] } else { attributes.into_iter().map(of_attribute).collect() }
}

fn attributes(body: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for field in ["Key", "Item"] {
        found.extend(body[field].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    let names = &body["ExpressionAttributeNames"];
    found
        .extend(names.as_object().into_iter().flatten().filter_map(|(_, it)| it.as_str()).map(str::to_owned));
    for field in [
        "ConditionExpression",
        "FilterExpression",
        "KeyConditionExpression",
        "ProjectionExpression",
        "UpdateExpression",
    ] {
        let text = body[field].as_str().unwrap_or_default();
        let is_part = |it: char| it.is_ascii_alphanumeric() || "_#:".contains(it);
        let tokens = text.split(|it| !is_part(it));
        let is_name = |it: &&str| it.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        found.extend(tokens.filter(is_name).filter(|it| !WORDS.contains(it)).map(str::to_owned));
    }
    found
}

/// The partition key that the request is about.
fn leading_key(body: &Value) -> Option<&str> {
    let of_key = ["Key", "Item"].iter().find_map(|field| body[field]["pk"]["S"].as_str());
    of_key.or_else(|| {
        let (_, rest) = body["KeyConditionExpression"].as_str()?.split_once(':')?;
        let name = rest.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').next()?;
        body["ExpressionAttributeValues"][format!(":{name}")]["S"].as_str()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(body: &Value, key: &str) -> BTreeSet<String> {
        contexts(body).iter().filter_map(|context| context.get(key).cloned()).collect()
    }

    #[test]
    fn each_attribute_of_keys_items_and_expressions_counts() {
        let update = json!({
            "Key": { "pk": { "S": "APPT#1" }, "sk": { "S": "1" } }, "UpdateExpression": "SET expiresAt = :e, #h = :e",
            "ConditionExpression": "attribute_exists(pk) AND size(payload) > :e", "ReturnValues": "ALL_OLD",
            "ExpressionAttributeNames": { "#h": "hash" },
        });
        let expected = ["expiresAt", "hash", "payload", "pk", "sk"].map(str::to_owned);
        assert_eq!(values(&update, "dynamodb:Attributes"), BTreeSet::from(expected));
        assert_eq!(values(&update, "dynamodb:LeadingKeys"), BTreeSet::from(["APPT#1".to_owned()]));
        assert_eq!(values(&update, "dynamodb:ReturnValues"), BTreeSet::from(["ALL_OLD".to_owned()]));
    }

    #[test]
    fn a_query_says_its_partition_and_what_it_selects() {
        let query = json!({
            "KeyConditionExpression": "#p = :chain AND sk BETWEEN :a AND :b", "Select": "SPECIFIC_ATTRIBUTES",
            "ProjectionExpression": "#p, sk", "ExpressionAttributeNames": { "#p": "pk" },
            "ExpressionAttributeValues": { ":chain": { "S": "APPT#1" }, ":a": { "S": "1" } },
        });
        assert_eq!(values(&query, "dynamodb:Attributes"), BTreeSet::from(["pk", "sk"].map(str::to_owned)));
        assert_eq!(values(&query, "dynamodb:LeadingKeys"), BTreeSet::from(["APPT#1".to_owned()]));
        assert_eq!(values(&query, "dynamodb:Select"), BTreeSet::from(["SPECIFIC_ATTRIBUTES".to_owned()]));
    }
}
