//! Error responses.

use domain::Error;
use domain::id::UserId;
use serde::Serialize;

/// The body of every error that a function answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorResponse {
    /// A sentence for people.
    pub error: String,
    /// For programs.
    pub code: &'static str,
    /// The field that is wrong, or `body`; with the codes `INVALID_FIELD` and `MALFORMED_REQUEST` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Users whose consent is missing; with the code `CONSENT_REQUIRED` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<UserId>>,
    /// The rest of the day's budget of transcription; with the code `TRANSCRIPTION_BUDGET` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<i64>,
    /// Finds the request in the logs.
    pub request_id: String,
}

impl ErrorResponse {
    /// The public part of an error, without its source.
    #[must_use]
    pub fn new(error: &Error, request_id: &str) -> Self {
        let (text, field) = match error {
            Error::Malformed { part, reason } => (format!("The {part} {reason}."), Some((*part).to_owned())),
            Error::Invalid { field, reason } => (format!("{field} {reason}."), Some(field.clone())),
            Error::Unauthenticated(_)
            | Error::Forbidden(_)
            | Error::NotFound(_)
            | Error::NotAcceptable
            | Error::Conflict { .. }
            | Error::ConsentRequired { .. }
            | Error::NoCapacity(_)
            | Error::Gone(_)
            | Error::TooMany { .. }
            | Error::BudgetUsed { .. }
            | Error::Unavailable { .. }
            | Error::Internal(_) => (error.error_code().text.to_owned(), None),
        };
        let missing = match error {
            Error::ConsentRequired { missing } => Some(missing.clone()),
            _ => None,
        };
        let seconds_left = match error {
            Error::BudgetUsed { seconds_left, .. } => Some(*seconds_left),
            _ => None,
        };
        Self {
            error: text,
            code: error.code(),
            field,
            missing,
            seconds_left,
            request_id: request_id.to_owned(),
        }
    }
}

/// The body of what API Gateway itself answers: 401, 404, 413, 429, 431, 500 and 503. It cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct GatewayMessage {
    /// A sentence or two words, like `Unauthorized`.
    pub message: String,
}
