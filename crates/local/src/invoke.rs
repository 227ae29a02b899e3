//! Lambda's Invoke API, as the AWS SDKs, the AWS CLI and `cargo lambda invoke` use it.
//!
//! There is no signature check: whoever reaches loopback may invoke.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::lambda::{InvokeError, Invoked, Lambda};

/// The Invoke API; [`crate::listen::bind`] gives it a port.
pub fn router(lambda: Lambda) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::disable()) // Lambda has a limit of its own
        .with_state(lambda)
}

async fn invoke(
    State(lambda): State<Lambda>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let function = function_name(&name).to_owned();
    if lambda.arn(&function).is_none() {
        return refused(&InvokeError::NotFound(name));
    }
    let payload = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    if let Err(cause) = serde_json::from_slice::<IgnoredAny>(&payload) {
        let message = format!("Could not parse request body into json: {cause}");
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", &message);
    }
    let Ok(context) = header("x-amz-client-context").map(client_context).transpose() else {
        let message = "Client context must be a valid Base64-encoded JSON object.";
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
    };
    match header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => match lambda.invoke_with_context(&function, payload, context).await {
            Ok(invoked) => answer(invoked, header("x-amz-log-type") == Some("Tail")),
            Err(cause) => refused(&cause),
        },
        "Event" => {
            tokio::spawn(async move {
                if let Err(error) = lambda.invoke_event_with_context(&function, payload, context).await {
                    tracing::warn!(function, error = &error as &dyn std::error::Error, "event not taken");
                }
            });
            StatusCode::ACCEPTED.into_response()
        }
        "DryRun" => StatusCode::NO_CONTENT.into_response(),
        other => {
            let message = format!("{other} is no invocation type");
            error(StatusCode::BAD_REQUEST, "InvalidParameterValueException", &message)
        }
    }
}

/// The name out of `name`, `name:$LATEST`, `account:function:name` or an ARN.
fn function_name(asked: &str) -> &str {
    let after = asked.rsplit_once("function:").map_or(asked, |(_, name)| name);
    after.split(':').next().unwrap_or(after)
}

/// The context's JSON in one line of ASCII, which is what fits into a header.
fn client_context(base64: &str) -> Result<String, ()> {
    let bytes = BASE64_STANDARD.decode(base64).map_err(drop)?;
    let context: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes).map_err(drop)?;
    let mut ascii = String::new();
    for unit in serde_json::Value::from(context).to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => ascii.push(char::from(byte)),
            _ => ascii.extend(format!("\\u{unit:04x}").chars()),
        }
    }
    Ok(ascii)
}

fn answer(invoked: Invoked, with_log: bool) -> Response {
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("X-Amz-Executed-Version", "$LATEST")
        .header("X-Amzn-RequestId", &invoked.request_id);
    if let Some(kind) = &invoked.function_error {
        response = response.header("X-Amz-Function-Error", kind);
    }
    if with_log {
        response = response.header("X-Amz-Log-Result", BASE64_STANDARD.encode(&invoked.log_tail));
    }
    let built = response.body(invoked.payload.into());
    built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn refused(cause: &InvokeError) -> Response {
    match cause {
        InvokeError::NotFound(name) => {
            let body = json!({ "Type": "User", "Message": format!("Function not found: {name}") });
            typed(StatusCode::NOT_FOUND, "ResourceNotFoundException", &body)
        }
        InvokeError::Throttled(_) => {
            let reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
            let body = json!({ "Reason": reason, "Type": "User", "message": "Rate Exceeded." });
            typed(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", &body)
        }
        InvokeError::TooLarge(_) => {
            error(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &cause.to_string())
        }
        InvokeError::Stopped => {
            let body = json!({ "Type": "Service", "Message": "The local cloud is stopping" });
            typed(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", &body)
        }
    }
}

fn error(status: StatusCode, kind: &'static str, message: &str) -> Response {
    typed(status, kind, &json!({ "Type": "User", "message": message }))
}

fn typed(status: StatusCode, kind: &'static str, body: &serde_json::Value) -> Response {
    let headers = [("x-amzn-ErrorType", kind), ("content-type", "application/json")];
    (status, headers, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::{client_context, function_name};
    use base64::Engine as _;

    #[test]
    fn a_function_is_named_in_all_of_awss_ways() {
        for asked in [
            "audit",
            "audit:$LATEST",
            "000000000000:function:audit",
            "arn:aws:lambda:eu-central-1:000000000000:function:audit",
            "arn:aws:lambda:eu-central-1:000000000000:function:audit:$LATEST",
        ] {
            assert_eq!(function_name(asked), "audit", "{asked}");
        }
    }

    #[test]
    fn a_client_context_fits_into_a_header() {
        let sent = base64::prelude::BASE64_STANDARD.encode("{\"custom\":\n{\"name\":\"Zoë\"}}");
        assert_eq!(client_context(&sent).as_deref(), Ok(r#"{"custom":{"name":"Zo\u00eb"}}"#));
        assert_eq!(client_context("bm8="), Err(()));
    }
}
