//! Event patterns, as `EventBridge` documents them.
//!
//! Written here, because the crate that is kept up (quamina) speaks a dialect of its own: it has no `$or` and no
//! `{"prefix": {"equals-ignore-case"}}`, and takes what AWS refuses. What AWS has and is not here (`cidr`) is refused.

use serde_json::{Map, Number, Value};
use wildmatch::WildMatchPattern;

/// A pattern: which events a rule picks.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Node);

/// Why a pattern is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct PatternError {
    /// `detail.eventType`.
    path: String,
    why: &'static str,
}

/// Stand for the wildcards, because the pattern itself may have an escaped star; Unicode leaves them unassigned. EventBridge
/// has no wildcard for one character.
const ANY_TEXT: char = '\u{E000}';
const ANY_CHARACTER: char = '\u{E001}';

type Wildcard = WildMatchPattern<ANY_TEXT, ANY_CHARACTER>;

/// All of these hold.
#[derive(Clone, Debug, PartialEq)]
struct Node(Vec<Test>);

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// The field holds an object that matches.
    Inside(String, Node),
    /// The field, which is no object, meets one of these.
    Leaf(String, Vec<Match>),
    /// One of these matches.
    Or(Vec<Node>),
}

#[derive(Clone, Debug, PartialEq)]
enum Match {
    Equals(Value),
    Text(Text),
    /// None of these.
    Not(Vec<Match>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Clone, Debug, PartialEq)]
enum Text {
    Prefix(String),
    Suffix(String),
    PrefixIgnoringCase(String),
    SuffixIgnoringCase(String),
    EqualsIgnoringCase(String),
    Wildcard(Wildcard),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    MoreOrEqual,
    More,
}

/// The range of numbers that can be compared.
const GREATEST: f64 = 5e9;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When AWS would refuse it, or it has an operator that is not known here.
    pub fn new(pattern: &Value) -> Result<Self, PatternError> {
        match pattern {
            Value::Object(map) => node("", map).map(Self),
            _ => Err(PatternError { path: "the pattern".to_owned(), why: "must be an object" }),
        }
    }

    /// Whether it picks this event.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.0.matches(event)
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn wrong<T>(path: &str, why: &'static str) -> Result<T, PatternError> {
    let path = if path.is_empty() { "the pattern" } else { path };
    Err(PatternError { path: path.to_owned(), why })
}

fn node(path: &str, map: &Map<String, Value>) -> Result<Node, PatternError> {
    if map.is_empty() {
        return wrong(path, "must not be empty");
    }
    let mut tests = Vec::new();
    for (name, value) in map {
        let path = below(path, name);
        tests.push(match value {
            Value::Array(choices) if name == "$or" => Test::Or(alternatives(&path, choices)?),
            Value::Object(map) => Test::Inside(name.clone(), node(&path, map)?),
            Value::Array(items) if items.is_empty() => return wrong(&path, "must not be empty"),
            Value::Array(items) => {
                let matches = items.iter().map(|item| one(&path, item)).collect::<Result<_, _>>()?;
                Test::Leaf(name.clone(), matches)
            }
            _ => return wrong(&path, "must be an object or an array"),
        });
    }
    Ok(Node(tests))
}

fn alternatives(path: &str, choices: &[Value]) -> Result<Vec<Node>, PatternError> {
    if choices.len() < 2 {
        return wrong(path, "must have two or more");
    }
    let choice = |choice: &Value| match choice {
        Value::Object(map) => node(path, map),
        _ => wrong(path, "must be an array of objects"),
    };
    choices.iter().map(choice).collect()
}

fn one(path: &str, item: &Value) -> Result<Match, PatternError> {
    let operator = match item {
        Value::Object(map) if map.len() == 1 => map.iter().next(),
        Value::Object(_) => return wrong(path, "must have one operator"),
        Value::Array(_) => return wrong(path, "must not be an array of arrays"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Ok(Match::Equals(item.clone()));
        }
    };
    match operator {
        Some((name, value)) if name == "exists" => match value {
            Value::Bool(there) => Ok(Match::Exists(*there)),
            _ => wrong(path, "exists takes true or false"),
        },
        Some((name, value)) if name == "numeric" => numeric(path, value).map(Match::Numeric),
        Some((name, value)) if name == "anything-but" => anything_but(path, value).map(Match::Not),
        Some((name, value)) => text(path, name, value).map(Match::Text),
        None => wrong(path, "must have one operator"),
    }
}

fn text(path: &str, operator: &str, value: &Value) -> Result<Text, PatternError> {
    let ignoring_case = match value {
        Value::Object(map) if map.len() == 1 => map.get("equals-ignore-case").and_then(Value::as_str),
        _ => None,
    };
    Ok(match (operator, value.as_str(), ignoring_case) {
        ("prefix", Some(text), _) => Text::Prefix(text.to_owned()),
        ("suffix", Some(text), _) => Text::Suffix(text.to_owned()),
        ("prefix", None, Some(text)) => Text::PrefixIgnoringCase(text.to_lowercase()),
        ("suffix", None, Some(text)) => Text::SuffixIgnoringCase(text.to_lowercase()),
        ("equals-ignore-case", Some(text), _) => Text::EqualsIgnoringCase(text.to_lowercase()),
        ("wildcard", Some(text), _) => Text::Wildcard(wildcard(path, text)?),
        ("prefix" | "suffix" | "equals-ignore-case" | "wildcard", ..) => {
            return wrong(path, "the operator takes a text");
        }
        _ => return wrong(path, "has an operator that is not known"),
    })
}

/// Reads a wildcard; a backslash takes a star or a backslash as it is.
fn wildcard(path: &str, text: &str) -> Result<Wildcard, PatternError> {
    let mut pattern = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' if characters.peek() == Some(&'*') => return wrong(path, "has two stars side by side"),
            '*' => pattern.push(ANY_TEXT),
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '\\')) => pattern.push(escaped),
                _ => return wrong(path, "has a backslash before neither star nor backslash"),
            },
            other => pattern.push(other),
        }
    }
    Ok(Wildcard::new(&pattern))
}

fn numeric(path: &str, value: &Value) -> Result<Vec<(Comparison, f64)>, PatternError> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let comparison = |pair: &[Value]| {
        let comparison = match pair.first().and_then(Value::as_str) {
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::LessOrEqual,
            Some("=") => Comparison::Equal,
            Some(">=") => Comparison::MoreOrEqual,
            Some(">") => Comparison::More,
            _ => return None,
        };
        let number = pair.get(1).and_then(Value::as_f64)?;
        (number.abs() <= GREATEST).then_some((comparison, number))
    };
    let read: Option<Vec<_>> = items.chunks(2).map(comparison).collect();
    match read {
        Some(read) if matches!(read.len(), 1 | 2) => Ok(read),
        _ => wrong(path, "numeric takes one or two of =, <, <=, >, >=, each with a number up to 5e9"),
    }
}

fn anything_but(path: &str, value: &Value) -> Result<Vec<Match>, PatternError> {
    let scalar = |value: &Value| match value {
        Value::String(_) | Value::Number(_) => Ok(Match::Equals(value.clone())),
        _ => wrong(path, "anything-but takes texts, numbers or one operator"),
    };
    match value {
        Value::Array(items) if items.is_empty() => wrong(path, "must not be empty"),
        Value::Array(items) => items.iter().map(scalar).collect(),
        Value::Object(map) => {
            let mut operators = map.iter();
            let (Some((name, value)), None) = (operators.next(), operators.next()) else {
                return wrong(path, "must have one operator");
            };
            let texts = match value {
                Value::Array(items) if items.is_empty() => return wrong(path, "must not be empty"),
                Value::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            texts.iter().map(|value| text(path, name, value).map(Match::Text)).collect()
        }
        one => scalar(one).map(|one| vec![one]),
    }
}

impl Node {
    fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|test| match test {
            Test::Or(choices) => choices.iter().any(|choice| choice.matches(event)),
            Test::Inside(name, node) => match event.get(name) {
                // Of a list of objects, one must match as a whole.
                Some(Value::Array(items)) => items.iter().any(|item| item.is_object() && node.matches(item)),
                Some(object @ Value::Object(_)) => node.matches(object),
                // Nothing is there, which may be what is asked for.
                Some(_) | None => node.matches(&Value::Null),
            },
            Test::Leaf(name, matches) => {
                let leaves = leaves(event.get(name));
                matches.iter().any(|it| match it {
                    Match::Exists(there) => *there != leaves.is_empty(),
                    other => leaves.iter().any(|leaf| other.meets(leaf)),
                })
            }
        })
    }
}

/// The values of a field that is not an object; for a list its elements.
fn leaves(field: Option<&Value>) -> Vec<&Value> {
    match field {
        Some(Value::Array(items)) => items.iter().flat_map(|item| leaves(Some(item))).collect(),
        Some(Value::Object(_)) | None => Vec::new(),
        Some(leaf) => vec![leaf],
    }
}

impl Match {
    fn meets(&self, leaf: &Value) -> bool {
        match self {
            Self::Equals(value) => value == leaf,
            Self::Text(text) => leaf.as_str().is_some_and(|leaf| text.meets(leaf)),
            Self::Not(matches) => !matches.iter().any(|it| it.meets(leaf)),
            Self::Numeric(comparisons) => leaf.as_number().and_then(Number::as_f64).is_some_and(|number| {
                comparisons.iter().all(|(comparison, with)| comparison.holds(number, *with))
            }),
            Self::Exists(there) => *there,
        }
    }
}

impl Text {
    fn meets(&self, leaf: &str) -> bool {
        match self {
            Self::Prefix(text) => leaf.starts_with(text.as_str()),
            Self::Suffix(text) => leaf.ends_with(text.as_str()),
            Self::PrefixIgnoringCase(text) => leaf.to_lowercase().starts_with(text.as_str()),
            Self::SuffixIgnoringCase(text) => leaf.to_lowercase().ends_with(text.as_str()),
            Self::EqualsIgnoringCase(text) => leaf.to_lowercase() == *text,
            Self::Wildcard(wildcard) => wildcard.matches(leaf),
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, with: f64) -> bool {
        match self {
            Self::Less => number < with,
            Self::LessOrEqual => number <= with,
            Self::Equal => number.total_cmp(&with).is_eq(),
            Self::MoreOrEqual => number >= with,
            Self::More => number > with,
        }
    }
}

#[cfg(test)]
mod tests;
