//! Responses: JSON or a text with a status, or the failed messages of a batch, and one mapping of errors.

use api::ErrorResponse;
use api::attendees::{JoinResponse, POLL_SECONDS};
use domain::Error;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::failed_message::FailedMessage;

/// A use case's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub(crate) status: u16,
    body: Body,
    /// For a batch of messages: those that must be delivered again.
    pub(crate) failed: Option<Vec<FailedMessage>>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
enum Body {
    Json(Value),
    Text { media_type: &'static str, text: String },
}

impl Answer {
    /// A JSON answer.
    ///
    /// # Errors
    /// When the value cannot be serialized: a defect.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Error> {
        let body = Body::Json(serde_json::to_value(body).map_err(Error::internal)?);
        Ok(Self { status, body, headers: Vec::new(), failed: None })
    }

    /// A text of another media type, in UTF-8.
    #[must_use]
    pub const fn text(status: u16, media_type: &'static str, text: String) -> Self {
        Self { status, body: Body::Text { media_type, text }, headers: Vec::new(), failed: None }
    }

    /// Adds a header; names in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer to a join: 200 with what to connect by, or 202 with where to poll.
    ///
    /// # Errors
    /// As [`Answer::json`].
    pub fn join(response: &JoinResponse) -> Result<Self, Error> {
        let poll = match response {
            JoinResponse::Joined(info) => return Self::json(200, info),
            JoinResponse::Waiting(waiting) => &waiting.poll,
            JoinResponse::ConsentRequired(required) => &required.poll,
        };
        Ok(Self::json(202, response)?
            .with_header("location", poll)
            .with_header("retry-after", POLL_SECONDS.to_string()))
    }

    /// The answer of a run that has no caller.
    #[must_use]
    pub const fn done() -> Self {
        Self { status: 200, body: Body::Json(Value::Null), headers: Vec::new(), failed: None }
    }

    /// The answer to messages of which these failed.
    pub(crate) const fn batch(failed: Vec<FailedMessage>) -> Self {
        Self { status: 200, body: Body::Json(Value::Null), headers: Vec::new(), failed: Some(failed) }
    }
}

/// The answer to API Gateway (payload 2.0) and to a direct invocation alike.
pub(crate) fn to_http(outcome: &Result<Answer, Error>, request_id: &str) -> Value {
    let mut headers = Map::new();
    headers.insert("content-type".to_owned(), json!("application/json"));
    // Responses contain join tokens and health data: no cache may store them.
    headers.insert("cache-control".to_owned(), json!("no-store"));
    let (status, body) = match outcome {
        Ok(answer) => {
            let more = answer.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
            headers.extend(more);
            let body = match &answer.body {
                Body::Json(body) => body.to_string(),
                Body::Text { media_type, text } => {
                    headers.insert("content-type".to_owned(), json!(format!("{media_type}; charset=utf-8")));
                    text.clone()
                }
            };
            (answer.status, body)
        }
        Err(error) => {
            if let Some(after) = error.retry_after() {
                headers.insert("retry-after".to_owned(), json!(after.as_secs().max(1).to_string()));
            }
            let body = serde_json::to_string(&ErrorResponse::new(error, request_id));
            (error.status(), body.expect("its fields are texts"))
        }
    };
    json!({ "statusCode": status, "headers": headers, "body": body, "isBase64Encoded": false })
}

/// The answer to a queue (`SqsBatchResponse`): the failed messages; all others are deleted.
pub(crate) fn to_queue(failed: &[FailedMessage]) -> Value {
    let failures = failed.iter().map(|failed| json!({ "itemIdentifier": failed.id }));
    json!({ "batchItemFailures": failures.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_contains_no_internal_cause() {
        let cause = || -> domain::error::Source { "password=hunter2 SELECT * FROM users".into() };
        let unavailable = Error::Unavailable { backend: "database", source: cause() };
        let answer = to_http(&Err(unavailable), "r-1");
        assert_eq!(answer["statusCode"], 503);
        assert_eq!(answer["headers"]["retry-after"], "1");
        let internal = to_http(&Err(Error::Internal(cause())), "r-1");
        assert_eq!(internal["statusCode"], 500);
        for text in [answer.to_string(), internal.to_string()] {
            assert!(
                !text.contains("hunter2") && !text.contains("SELECT") && !text.contains("database"),
                "{text}"
            );
            assert!(text.contains("r-1"));
        }
    }

    #[test]
    fn a_text_keeps_its_media_type() {
        let text = "WEBVTT\n\u{5e9}\u{1f600}\n";
        let answer =
            Answer::text(200, "text/vtt", text.to_owned()).with_header("content-disposition", "inline");
        let answer = to_http(&Ok(answer), "r-1");
        assert_eq!(answer["body"], text, "not as JSON");
        assert_eq!(answer["isBase64Encoded"], false);
        assert_eq!(
            answer["headers"],
            json!({
                "content-type": "text/vtt; charset=utf-8", "cache-control": "no-store",
                "content-disposition": "inline",
            })
        );
    }

    #[test]
    fn a_bad_field_is_named() {
        let answer = to_http(&Err(Error::invalid("appointmentId", "is required")), "r-1");
        let body: Value =
            serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
        assert_eq!(answer["statusCode"], 422);
        assert_eq!(
            body,
            json!({"error": "appointmentId is required.", "code": "INVALID_FIELD", "field": "appointmentId", "requestId": "r-1"})
        );
    }
}
