//! Answers with what differs from run to run taken out, for snapshots.

use regex::Regex;
use serde_json::Value;

/// The value with ids numbered in the order in which they appear (so that the same id is seen to be the same), and join
/// tokens taken out. The ids of the seeded world stay: `events/` names them.
///
/// # Panics
/// Never: the expression is a constant.
#[must_use]
pub fn redact(value: &Value) -> Value {
    // A UUID with or without hyphens: hosts of the media plane bear one without.
    let id = Regex::new("[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}").expect("a constant expression");
    mask(value, &id, &mut Vec::new())
}

fn mask(value: &Value, id: &Regex, seen: &mut Vec<String>) -> Value {
    match value {
        Value::String(text) => {
            let text = id.replace_all(text, |found: &regex::Captures<'_>| {
                let found = &found[0];
                if found.starts_with("00000000-") {
                    return found.to_owned();
                }
                let place = seen.iter().position(|id| id == found).unwrap_or_else(|| {
                    seen.push(found.to_owned());
                    seen.len() - 1
                });
                format!("[id {}]", place + 1)
            });
            Value::String(text.into_owned())
        }
        Value::Array(items) => items.iter().map(|item| mask(item, id, seen)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| match name.as_str() {
                "JoinToken" => (name.clone(), Value::from("[join token]")),
                _ => (name.clone(), mask(field, id, seen)),
            });
            fields.collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::redact;

    #[test]
    fn the_same_id_is_seen_to_be_the_same() {
        let (one, two) = ("c66ab567-70ee-4e5e-bea1-9e98573e0706", "7567d4dc-a406-487f-b077-92333a1f0706");
        let value =
            json!({ "a": one, "b": [format!("wss://x/{two}"), one, 5], "c": { "JoinToken": "secret" } });
        let expected = json!({ "a": "[id 1]", "b": ["wss://x/[id 2]", "[id 1]", 5], "c": { "JoinToken": "[join token]" } });
        assert_eq!(redact(&value), expected);
        let seeded = json!("00000000-0000-4000-8000-0000000000a1");
        assert_eq!(redact(&seeded), seeded);
    }
}
