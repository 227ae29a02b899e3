//! Resolved properties, read with types.

use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::error::{Place, Problem, TemplateError};

/// A mapping of resolved properties that knows where it stands.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) place: Place,
    /// `MeetingManagerFunction.Environment`, for messages.
    pub(super) path: String,
    pub(super) map: Map<String, Value>,
}

type Read<T> = Result<T, TemplateError>;

impl Fields {
    /// A text, if it is there.
    pub(super) fn text(&self, key: &str) -> Read<Option<String>> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.shape(key, "a text")),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, key: &str) -> Read<String> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    /// A text that must be there and for which only one value is supported.
    pub(super) fn only(&self, key: &str, supported: &str) -> Read<()> {
        let value = self.required(key)?;
        if value == supported {
            Ok(())
        } else {
            Err(self.unsupported(key, &value, &format!("only {supported} is known")))
        }
    }

    /// A number, if it is there.
    pub(super) fn number<T: FromStr>(&self, key: &str) -> Read<Option<T>> {
        let text = self.text(key)?;
        text.map(|text| text.parse().map_err(|_| self.shape(key, "a number"))).transpose()
    }

    /// A whole number within limits, if it is there.
    pub(super) fn within(&self, key: &str, limits: RangeInclusive<u32>) -> Read<Option<u32>> {
        match self.number(key)? {
            Some(number) if !limits.contains(&number) => {
                let wanted = format!("it must be from {} to {}", limits.start(), limits.end());
                Err(self.unsupported(key, &number.to_string(), &wanted))
            }
            number => Ok(number),
        }
    }

    /// A truth value, if it is there.
    pub(super) fn flag(&self, key: &str) -> Read<Option<bool>> {
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.shape(key, "true or false")),
        }
    }

    /// A list of texts; empty if it is not there.
    pub(super) fn texts(&self, key: &str) -> Read<Vec<String>> {
        match self.map.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let text = |item: &Value| item.as_str().map(str::to_owned);
                items.iter().map(|it| text(it).ok_or_else(|| self.shape(key, "a list of texts"))).collect()
            }
            Some(_) => Err(self.shape(key, "a list of texts")),
        }
    }

    /// A list of texts that may be written as one text, as in policies.
    pub(super) fn one_or_more(&self, key: &str) -> Read<Vec<String>> {
        match self.map.get(key) {
            None => Err(self.missing(key)),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(_) => self.texts(key),
        }
    }

    /// A mapping, if it is there.
    pub(super) fn fields(&self, key: &str) -> Read<Option<Self>> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(self.inner(key, map))),
            Some(_) => Err(self.shape(key, "a mapping")),
        }
    }

    /// A mapping that must be there.
    pub(super) fn required_fields(&self, key: &str) -> Read<Self> {
        self.fields(key)?.ok_or_else(|| self.missing(key))
    }

    /// A list of mappings; empty if it is not there.
    pub(super) fn items(&self, key: &str) -> Read<Vec<Self>> {
        let items = match self.map.get(key) {
            None => &[],
            Some(Value::Array(items)) => &items[..],
            Some(_) => return Err(self.shape(key, "a list of mappings")),
        };
        let inner = |item: &Value| match item {
            Value::Object(map) => Ok(self.inner(key, map)),
            _ => Err(self.shape(key, "a list of mappings")),
        };
        items.iter().map(inner).collect()
    }

    /// Refuses keys that are not listed.
    pub(super) fn only_keys(&self, known: &[&str]) -> Read<()> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(self.error(Problem::UnknownKey { key: key.clone(), within: self.path.clone() })),
        }
    }

    pub(super) fn unsupported(&self, key: &str, value: &str, wanted: &str) -> TemplateError {
        let (what, value, wanted) = (self.named(key), value.to_owned(), wanted.to_owned());
        self.error(Problem::Unsupported { what, value, wanted })
    }

    pub(super) fn dangling(&self, key: &str, value: &str) -> TemplateError {
        self.error(Problem::Dangling { what: self.named(key), value: value.to_owned() })
    }

    pub(super) fn missing(&self, key: &str) -> TemplateError {
        self.error(Problem::Missing { what: self.named(key) })
    }

    pub(super) fn shape(&self, key: &str, wanted: &'static str) -> TemplateError {
        self.error(Problem::Shape { what: self.named(key), wanted })
    }

    fn inner(&self, key: &str, map: &Map<String, Value>) -> Self {
        Self { place: self.place.clone(), path: self.named(key), map: map.clone() }
    }

    fn named(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn error(&self, problem: Problem) -> TemplateError {
        self.place.error(problem)
    }
}
