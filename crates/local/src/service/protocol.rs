//! How a service writes its answers and errors.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

/// A whole answer.
pub type Answer = Response<Bytes>;

/// The body of an error, or of an answer.
#[derive(Debug)]
pub enum ErrorBody {
    Json(Value),
    Xml(String),
    /// CBOR of Smithy's RPC v2.
    Cbor(Bytes),
}

/// Smithy's RPC v2 names itself in the header `smithy-protocol`
/// (<https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>).
pub(crate) const RPC_V2_CBOR: &str = "rpc-v2-cbor";

/// The constants of a service's protocol.
#[derive(Debug)]
pub struct Protocol {
    pub content_type: &'static str,
    /// Of an answer to a caller that is not authenticated or not allowed: 400 in the JSON protocols, 403 in REST ones.
    pub refusal_status: StatusCode,
    /// Of `ThrottlingException`.
    pub throttled_status: StatusCode,
    /// The code of a failure of the service itself.
    pub failure_code: &'static str,
    /// The body of an error, of its code, message and request id.
    pub error_body: fn(&str, &str, &str) -> ErrorBody,
    /// Whether the code is also in the header `x-amzn-errortype`.
    pub names_error_in_header: bool,
}

/// REST with JSON bodies, and of errors for which no service is known.
pub(crate) const REST_JSON: Protocol = Protocol {
    content_type: "application/json",
    refusal_status: StatusCode::FORBIDDEN,
    throttled_status: StatusCode::TOO_MANY_REQUESTS,
    failure_code: "ServiceFailureException",
    error_body: |code, message, _| ErrorBody::Json(json!({ "__type": code, "message": message })),
    names_error_in_header: true,
};

impl Protocol {
    /// The error of a service above its rate limit.
    #[must_use]
    pub fn throttled(&self) -> Answer {
        self.error(self.throttled_status, "ThrottlingException", "Rate exceeded")
    }

    /// The error of a service that fails.
    #[must_use]
    pub fn failed(&self) -> Answer {
        self.error(StatusCode::INTERNAL_SERVER_ERROR, self.failure_code, "Internal server error")
    }

    /// An error.
    #[must_use]
    pub fn error(&self, status: StatusCode, code: &str, message: &str) -> Answer {
        let request_id = Uuid::new_v4().to_string();
        let mut answer = self.answer(status, (self.error_body)(code, message, &request_id));
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            answer.headers_mut().insert("x-amzn-requestid", id);
        }
        if self.names_error_in_header
            && let Ok(code) = HeaderValue::from_str(code)
        {
            answer.headers_mut().insert("x-amzn-errortype", code);
        }
        answer
    }

    /// A JSON answer with the service's content type and a request id; a null body is empty.
    #[must_use]
    pub fn json(&self, status: StatusCode, body: &Value) -> Answer {
        self.answer(status, ErrorBody::Json(body.clone()))
    }

    /// An answer with the service's content type and a request id; a body of JSON's null is empty.
    #[must_use]
    pub fn answer(&self, status: StatusCode, body: ErrorBody) -> Answer {
        let mut is_cbor = false;
        let body = match body {
            ErrorBody::Json(Value::Null) => Bytes::new(),
            ErrorBody::Json(body) => Bytes::from(body.to_string()),
            ErrorBody::Xml(body) => Bytes::from(body),
            ErrorBody::Cbor(body) => {
                is_cbor = true;
                body
            }
        };
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if is_cbor {
            answer.headers_mut().insert("smithy-protocol", HeaderValue::from_static(RPC_V2_CBOR));
        }
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            answer.headers_mut().insert("x-amzn-requestid", id);
        }
        answer
    }
}
