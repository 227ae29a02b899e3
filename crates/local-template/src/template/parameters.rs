//! Parameters: what a stack is given, checked as `CloudFormation` checks it.

use std::collections::BTreeMap;

use regex::Regex;

use super::document::Document;
use super::error::{Place, Problem, TemplateError};
use super::node::{Node, NodeKind};

/// A parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
}

/// As it would be given: a list with commas.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::List(items) => f.write_str(&items.join(",")),
        }
    }
}

#[derive(Debug, Default)]
struct Declaration {
    kind: String,
    default: Option<String>,
    allowed_values: Option<Vec<String>>,
    allowed_pattern: Option<String>,
    constraint: Option<String>,
    min_length: Option<f64>,
    max_length: Option<f64>,
    min_value: Option<f64>,
    max_value: Option<f64>,
}

/// The values of a template's parameters: what is given, else the defaults.
pub(super) fn values(
    document: &Document,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    let mut values = BTreeMap::new();
    for (name, node) in &document.parameters {
        let place = document.place(node);
        let declaration = Declaration::read(document, name, node)?;
        let value = given.get(name).or(declaration.default.as_ref());
        let value = value.ok_or_else(|| place.error(Problem::NoValue { name: name.clone() }))?;
        let value = declaration.check(value).map_err(|(value, why)| {
            let why = declaration.constraint.clone().unwrap_or(why);
            place.error(Problem::BadParameter { name: name.clone(), value, why })
        })?;
        values.insert(name.clone(), value);
    }
    Ok(values)
}

impl Declaration {
    fn read(document: &Document, name: &str, node: &Node) -> Result<Self, TemplateError> {
        let place = document.place(node);
        let shape =
            |what: &str, wanted| place.error(Problem::Shape { what: format!("{what} of {name}"), wanted });
        let NodeKind::Map(entries) = &node.kind else { return Err(shape("the declaration", "a mapping")) };
        let mut declaration = Self::default();
        for (key, node) in entries {
            let place = document.place(node);
            let text = || text(node).ok_or_else(|| shape(key, "a plain text"));
            let number = || number(node).ok_or_else(|| shape(key, "a number"));
            match key.as_str() {
                "Type" => declaration.kind = text()?,
                "Default" => declaration.default = Some(text()?),
                "AllowedPattern" => declaration.allowed_pattern = Some(text()?),
                "ConstraintDescription" => declaration.constraint = Some(text()?),
                "AllowedValues" => {
                    let NodeKind::List(items) = &node.kind else { return Err(shape(key, "a list")) };
                    let items = items.iter().map(self::text).collect::<Option<_>>();
                    declaration.allowed_values =
                        Some(items.ok_or_else(|| shape(key, "a list of plain texts"))?);
                }
                "MinLength" => declaration.min_length = Some(number()?),
                "MaxLength" => declaration.max_length = Some(number()?),
                "MinValue" => declaration.min_value = Some(number()?),
                "MaxValue" => declaration.max_value = Some(number()?),
                "Description" | "NoEcho" => {}
                _ => return Err(unknown(&place, key, name)),
            }
        }
        if !["String", "Number", "CommaDelimitedList"].contains(&declaration.kind.as_str()) {
            let wanted = "the local cloud knows String, Number and CommaDelimitedList".to_owned();
            let what = format!("Type of {name}");
            return Err(place.error(Problem::Unsupported { what, value: declaration.kind, wanted }));
        }
        Ok(declaration)
    }

    fn check(&self, text: &str) -> Result<Value, (String, String)> {
        let refused = |value: &str, why: String| Err((value.to_owned(), why));
        let list = self.kind == "CommaDelimitedList";
        let items: Vec<&str> = if list { text.split(',').map(str::trim).collect() } else { vec![text] };
        for item in &items {
            if self.allowed_values.as_ref().is_some_and(|allowed| !allowed.iter().any(|it| it == item)) {
                return refused(item, "it is none of AllowedValues".to_owned());
            }
            if let Some(pattern) = &self.allowed_pattern {
                // CloudFormation wants the whole value to match.
                match Regex::new(&format!("^(?:{pattern})$")) {
                    Err(error) => return refused(item, format!("AllowedPattern cannot be read: {error}")),
                    Ok(regex) if !regex.is_match(item) => {
                        return refused(item, format!("it does not match {pattern}"));
                    }
                    Ok(_) => {}
                }
            }
        }
        if list {
            return Ok(Value::List(items.into_iter().map(str::to_owned).collect()));
        }
        if self.kind == "Number" {
            let Ok(number) = text.parse::<f64>() else { return refused(text, "it is no number".to_owned()) };
            if self.min_value.is_some_and(|min| number < min)
                || self.max_value.is_some_and(|max| number > max)
            {
                return refused(text, "it is outside of MinValue and MaxValue".to_owned());
            }
        }
        let length = text.chars().map(|_| 1.0).sum::<f64>();
        if self.min_length.is_some_and(|min| length < min) || self.max_length.is_some_and(|max| length > max)
        {
            return refused(text, "its length is outside of MinLength and MaxLength".to_owned());
        }
        Ok(Value::Text(text.to_owned()))
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn number(node: &Node) -> Option<f64> {
    text(node)?.parse().ok()
}

fn unknown(place: &Place, key: &str, name: &str) -> TemplateError {
    place.error(Problem::UnknownKey { key: key.to_owned(), within: format!("the parameter {name}") })
}
