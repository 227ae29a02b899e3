//! An event pattern as it is written in a template.

use serde_json::{Number, Value};

use super::super::super::error::TemplateError;
use super::super::super::fields::Fields;
use crate::event_pattern::Pattern;

/// Reads `EventPattern`. A template's scalars are texts here, so what an operator takes is made a truth value or a number
/// again; elsewhere a text that might have been either is rejected as ambiguous.
pub(super) fn read(properties: &Fields) -> Result<Pattern, TemplateError> {
    let mut pattern = Value::Object(properties.required_fields("EventPattern")?.map);
    let wrong = |why: &str| properties.unsupported("EventPattern", "a pattern", why);
    typed(&mut pattern).map_err(|text| {
        wrong(&format!("{text:?} may be a text or not; write it in an operator, or begin it otherwise"))
    })?;
    Pattern::new(&pattern).map_err(|error| wrong(&error.to_string()))
}

fn typed(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Object(map) => map.iter_mut().try_for_each(|(key, value)| match (key.as_str(), &*value) {
            ("exists", Value::String(text)) if text == "true" || text == "false" => {
                *value = Value::Bool(text == "true");
                Ok(())
            }
            ("numeric", Value::Array(items)) => {
                *value = items.iter().map(number).collect();
                Ok(())
            }
            _ => typed(value),
        }),
        Value::Array(items) => items.iter_mut().try_for_each(typed),
        Value::String(text) => {
            let unclear = matches!(text.as_str(), "true" | "false" | "null") || text.parse::<f64>().is_ok();
            if unclear { Err(text.clone()) } else { Ok(()) }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn number(value: &Value) -> Value {
    let number = value.as_str().and_then(|text| text.parse::<Number>().ok());
    number.map_or_else(|| value.clone(), Value::Number)
}
