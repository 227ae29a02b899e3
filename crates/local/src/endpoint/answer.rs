//! Answers in each service's own shape.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

/// A whole answer.
pub(crate) type Answer = Response<Bytes>;

/// The services behind the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Chime,
    DynamoDb,
    Events,
    SecretsManager,
}

impl Service {
    /// The service that a credential scope names.
    pub(crate) fn from_scope(name: &str) -> Option<Self> {
        match name {
            "chime" => Some(Self::Chime),
            "dynamodb" => Some(Self::DynamoDb),
            "events" => Some(Self::Events),
            "secretsmanager" => Some(Self::SecretsManager),
            _ => None,
        }
    }

    /// The services that speak JSON 1.x answer 400 to a caller that is not believed or not allowed; REST services
    /// answer 403.
    pub(crate) fn refusal_status(self) -> StatusCode {
        match self {
            Self::Chime => StatusCode::FORBIDDEN,
            Self::DynamoDb | Self::Events | Self::SecretsManager => StatusCode::BAD_REQUEST,
        }
    }

    /// What the service says when it is asked too often.
    pub(crate) fn throttled(self) -> Answer {
        let status = match self {
            Self::Chime => StatusCode::TOO_MANY_REQUESTS,
            Self::DynamoDb | Self::Events | Self::SecretsManager => StatusCode::BAD_REQUEST,
        };
        self.error(status, "ThrottlingException", "Rate exceeded")
    }

    /// What the service says when it is broken.
    pub(crate) fn broken(self) -> Answer {
        let code = match self {
            Self::Chime => "ServiceFailureException",
            Self::DynamoDb => "InternalServerError",
            Self::Events => "InternalException",
            Self::SecretsManager => "InternalServiceError",
        };
        self.error(StatusCode::INTERNAL_SERVER_ERROR, code, "Internal server error")
    }

    /// An error in the service's protocol.
    pub(crate) fn error(self, status: StatusCode, code: &str, message: &str) -> Answer {
        let request_id = Uuid::new_v4().to_string();
        let body = match self {
            Self::Chime => {
                let short = code.strip_suffix("Exception").unwrap_or(code);
                json!({ "Code": short, "Message": message, "RequestId": request_id })
            }
            Self::DynamoDb => {
                json!({ "__type": format!("{}#{code}", dynamodb_namespace(code)), "message": message })
            }
            Self::Events => json!({ "__type": code, "message": message }),
            Self::SecretsManager => json!({ "__type": code, "Message": message }),
        };
        let mut answer = self.json(status, &body);
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            answer.headers_mut().insert("x-amzn-requestid", id);
        }
        if self == Self::Chime
            && let Ok(code) = HeaderValue::from_str(code)
        {
            answer.headers_mut().insert("x-amzn-errortype", code);
        }
        answer
    }

    /// A JSON answer with the service's content type and a request id.
    pub(crate) fn json(self, status: StatusCode, body: &Value) -> Answer {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        let content_type = match self {
            Self::Chime => "application/json",
            Self::DynamoDb => "application/x-amz-json-1.0",
            Self::Events | Self::SecretsManager => "application/x-amz-json-1.1",
        };
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            answer.headers_mut().insert("x-amzn-requestid", id);
        }
        answer
    }
}

/// What is common to all AWS services comes from another namespace than what is `DynamoDB`'s own.
fn dynamodb_namespace(code: &str) -> &'static str {
    match code {
        "InternalServerError" => "com.amazonaws.dynamodb.v20120810",
        "ThrottlingException" => "com.amazon.coral.availability",
        _ => "com.amazon.coral.service",
    }
}

/// An error where no service is known, so that there is no protocol to keep to.
pub(super) fn plain_error(status: StatusCode, code: &str, message: &str) -> Answer {
    let mut answer = Service::Chime.json(status, &json!({ "__type": code, "message": message }));
    if let Ok(code) = HeaderValue::from_str(code) {
        answer.headers_mut().insert("x-amzn-errortype", code);
    }
    answer
}
