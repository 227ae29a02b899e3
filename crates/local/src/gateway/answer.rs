//! A function's answer, as payload 2.0 maps it to HTTP.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Full {
    status_code: Value,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// The response, or nothing if API Gateway cannot read the answer.
pub(super) fn response(payload: &Bytes) -> Option<Response> {
    let answer: Value = serde_json::from_slice(payload).ok()?;
    if answer.get("statusCode").is_none() {
        // The short form: whatever JSON there is, is the body.
        let mut response = Response::new(Body::from(payload.clone()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Some(response);
    }
    let full: Full = serde_json::from_value(answer).ok()?;
    let status = match &full.status_code {
        Value::Number(number) => number.as_u64().and_then(|code| u16::try_from(code).ok())?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let body = full.body.unwrap_or_default();
    let body = match full.is_base64_encoded {
        Some(true) => BASE64_STANDARD.decode(body).ok()?,
        _ => body.into_bytes(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 200)?;
    let headers = response.headers_mut();
    for (name, value) in full.headers.unwrap_or_default() {
        let name = HeaderName::try_from(name).ok()?;
        // These belong to the connection, which is API Gateway's.
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(&name) {
            continue;
        }
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        headers.insert(name, HeaderValue::try_from(value).ok()?);
    }
    for cookie in full.cookies.unwrap_or_default() {
        headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.entry(header::CONTENT_TYPE).or_insert(text);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::{Bytes, response};
    use http_body_util::BodyExt as _;

    async fn body(response: super::Response) -> Bytes {
        response.into_body().collect().await.expect("a body in memory").to_bytes()
    }

    #[tokio::test]
    async fn the_full_form_is_mapped() {
        let answer = r#"{"statusCode": 201, "headers": {"X-One": "1", "content-length": 99, "x-two": 2},
            "cookies": ["a=1", "b=2"], "body": "aGk=", "isBase64Encoded": true}"#;
        let mapped = response(&Bytes::from(answer)).expect("good answer");
        assert_eq!(mapped.status(), 201);
        assert_eq!(mapped.headers()["x-one"], "1");
        assert_eq!(mapped.headers()["x-two"], "2");
        assert_eq!(mapped.headers()["content-type"], "text/plain; charset=utf-8");
        let cookies: Vec<_> = mapped.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(body(mapped).await, "hi");
    }

    #[tokio::test]
    async fn the_short_form_is_json_with_200() {
        for answer in [r#"{"hello": "world"}"#, "[1]", "\"text\"", "null"] {
            let mapped = response(&Bytes::from(answer)).expect("any JSON will do");
            assert_eq!(
                (mapped.status().as_u16(), &mapped.headers()["content-type"]),
                (200, &"application/json".parse().expect("header"))
            );
            assert_eq!(body(mapped).await, answer);
        }
    }

    #[test]
    fn an_answer_that_api_gateway_cannot_read_is_none() {
        for answer in [
            r#"{"statusCode": "ok"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 200, "body": {"not": "text"}}"#,
            r#"{"statusCode": 200, "headers": {"x": ["a"]}}"#,
            r#"{"statusCode": 200, "headers": {"x": "a\nb"}}"#,
            r#"{"statusCode": 200, "body": "%", "isBase64Encoded": true}"#,
            "no json",
        ] {
            assert!(response(&Bytes::from(answer)).is_none(), "{answer}");
        }
    }
}
