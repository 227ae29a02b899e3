//! Legal holds on what is kept of an appointment: recordings, transcripts and audit entries.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most characters of a reason.
pub const MAX_REASON_CHARACTERS: usize = 200;

/// Why a hold is placed: a case number or a code, and no names, because it is in the audit and read by others than those who know the
/// case. Letters, digits, single spaces and `-._/:#`, of ASCII alone, with a letter or digit at each end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HoldReason(String);

/// A text is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a case number or a code of 1 to {MAX_REASON_CHARACTERS} letters, digits, single spaces and -._/:#, with a letter or digit at each end"
)]
pub struct NotAReason;

impl HoldReason {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HoldReason {
    type Err = NotAReason;

    fn from_str(text: &str) -> Result<Self, NotAReason> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || " -._/:#".contains(it);
        let is_end = |it: Option<char>| it.is_some_and(|it| it.is_ascii_alphanumeric());
        let fits = text.len() <= MAX_REASON_CHARACTERS && text.chars().all(is_plain) && !text.contains("  ");
        if fits && is_end(text.chars().next()) && is_end(text.chars().next_back()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAReason)
        }
    }
}

impl TryFrom<String> for HoldReason {
    type Error = NotAReason;

    fn try_from(text: String) -> Result<Self, NotAReason> {
        text.parse()
    }
}

impl From<HoldReason> for String {
    fn from(reason: HoldReason) -> Self {
        reason.0
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for HoldReason {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HoldReason".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 1, "maxLength": MAX_REASON_CHARACTERS,
            "pattern": "^[A-Za-z0-9]([-A-Za-z0-9 ._/:#]*[A-Za-z0-9])?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_case_number_or_a_code() {
        let longest = "7".repeat(MAX_REASON_CHARACTERS);
        for text in ["3 O 123/26", "litigation-2026.11", "X", longest.as_str()] {
            assert_eq!(text.parse::<HoldReason>().map(String::from), Ok(text.to_owned()));
        }
        let too_long = "7".repeat(MAX_REASON_CHARACTERS + 1);
        for text in
            ["", " ", " 3 O 1", "3 O 1 ", "3  O", "case\n1", "M\u{fc}ller", "<b>1</b>", "-", &too_long]
        {
            assert_eq!(text.parse::<HoldReason>(), Err(NotAReason), "{text:?}");
        }
    }
}
