//! Condition operators.

use super::pattern::{matches, matches_arn};

type Compare = fn(&str, &str) -> bool;

/// One operator with one key; several values are alternatives.
#[derive(Debug)]
pub(super) struct Condition {
    key: String,
    values: Vec<String>,
    test: Test,
    /// `...IfExists`: met when the call does not have the key.
    if_exists: bool,
    /// `ForAllValues:`: every value of the call must compare, not one of them. Met when the call does not have the key.
    for_all: bool,
}

#[derive(Debug)]
enum Test {
    /// Met when a value of the call compares with one of the values.
    Any(Compare),
    /// Met when none does, which includes a call that does not have the key.
    None(Compare),
    /// Met when the key's absence is as the value says.
    Null,
}

/// Whether an operator is defined for a key with several values. `Null` asks for the key alone.
pub(super) fn is_for_sets(operator: &str) -> bool {
    operator.starts_with("ForAllValues:") || operator.starts_with("ForAnyValue:") || operator == "Null"
}

impl Condition {
    /// None when the operator is not known, or a value is not of its kind.
    pub(super) fn new(operator: &str, key: &str, values: &[String]) -> Option<Self> {
        let (operator, for_all) = match operator.strip_prefix("ForAllValues:") {
            Some(operator) => (operator, true),
            // Without it, one value of the call is enough as well.
            None => (operator.strip_prefix("ForAnyValue:").unwrap_or(operator), false),
        };
        let (name, if_exists) = match operator.strip_suffix("IfExists") {
            Some(name) if name != "Null" => (name, true),
            _ => (operator, false),
        };
        let test = match name {
            "StringEquals" => Test::Any(|wanted, value| wanted == value),
            "StringNotEquals" => Test::None(|wanted, value| wanted == value),
            "StringEqualsIgnoreCase" => {
                Test::Any(|wanted, value| wanted.to_lowercase() == value.to_lowercase())
            }
            "StringNotEqualsIgnoreCase" => {
                Test::None(|wanted, value| wanted.to_lowercase() == value.to_lowercase())
            }
            "StringLike" => Test::Any(matches),
            "StringNotLike" => Test::None(matches),
            // AWS treats the two alike.
            "ArnEquals" | "ArnLike" => Test::Any(matches_arn),
            "ArnNotEquals" | "ArnNotLike" => Test::None(matches_arn),
            "Bool" => Test::Any(str::eq_ignore_ascii_case),
            "NumericEquals" => {
                Test::Any(|wanted, value| numbers(wanted, value, |w, v| v.total_cmp(&w).is_eq()))
            }
            "NumericNotEquals" => {
                Test::None(|wanted, value| numbers(wanted, value, |w, v| v.total_cmp(&w).is_eq()))
            }
            "NumericLessThan" => Test::Any(|wanted, value| numbers(wanted, value, |w, v| v < w)),
            "NumericLessThanEquals" => Test::Any(|wanted, value| numbers(wanted, value, |w, v| v <= w)),
            "NumericGreaterThan" => Test::Any(|wanted, value| numbers(wanted, value, |w, v| v > w)),
            "NumericGreaterThanEquals" => Test::Any(|wanted, value| numbers(wanted, value, |w, v| v >= w)),
            "Null" => Test::Null,
            _ => return None,
        };
        if for_all && !matches!(test, Test::Any(_)) {
            return None;
        }
        Some(Self { key: key.to_owned(), values: values.to_vec(), test, if_exists, for_all })
    }

    /// Whether a call with this context meets it.
    pub(super) fn holds(&self, context: &[(&str, &str)]) -> bool {
        let mut found = context.iter().filter(|(key, _)| key.eq_ignore_ascii_case(&self.key)).peekable();
        let absent = found.peek().is_none();
        if absent && (self.if_exists || self.for_all) {
            return true;
        }
        let mut one =
            |compare: Compare| found.any(|(_, it)| self.values.iter().any(|value| compare(value, it)));
        match self.test {
            Test::Any(compare) if self.for_all => {
                found.all(|(_, it)| self.values.iter().any(|value| compare(value, it)))
            }
            Test::Any(compare) => one(compare),
            Test::None(compare) => !one(compare),
            Test::Null => self.values.iter().any(|value| value.eq_ignore_ascii_case("true") == absent),
        }
    }
}

fn numbers(wanted: &str, value: &str, compare: fn(f64, f64) -> bool) -> bool {
    match (wanted.parse(), value.parse()) {
        (Ok(wanted), Ok(value)) => compare(wanted, value),
        _ => false,
    }
}
