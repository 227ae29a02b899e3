//! A guard before `lambda_http`, which panics on an unusual Host or raw path, on a query that is not a URI, and on a
//! body that is not base64, and rejects the whole event for one claim that is not a string or one header that is not
//! ASCII.
//!
//! The guard builds a new event from the members that the functions use, parsing each one separately. Input of the
//! caller never makes the event unreadable: an unusable header or query parameter is dropped, an unusable body is
//! answered 400. Members that API Gateway writes are required: an event without them is answered 500, and the caller
//! of [`super::read`] raises the alarm.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Error;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::http::uri::PathAndQuery;
use lambda_http::http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// API Gateway accepts 10,240 bytes of request line and headers; both limits are above that. They keep the URI below
/// the 65,534 bytes, and the headers below the 32,768 entries, at which the `http` crate panics.
const MAX_URI_PART_BYTES: usize = 10_240;
const MAX_HEADERS: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEvent<'a> {
    #[serde(borrow)]
    route_key: Option<&'a RawValue>,
    #[serde(borrow)]
    raw_path: Option<&'a RawValue>,
    #[serde(borrow)]
    raw_query_string: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    path_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    request_context: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    is_base64_encoded: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawContext<'a> {
    #[serde(borrow)]
    route_key: Option<&'a RawValue>,
    #[serde(borrow)]
    authorizer: Option<&'a RawValue>,
    #[serde(borrow)]
    http: Option<&'a RawValue>,
    #[serde(borrow)]
    time_epoch: Option<&'a RawValue>,
}

/// The event for `lambda_http`.
///
/// # Errors
/// 400 for a body that does not match `isBase64Encoded`; 500 for an event that lacks members of API Gateway.
pub(super) fn normalise(event: &RawValue) -> Result<ApiGatewayV2httpRequest, Error> {
    let event: RawEvent<'_> = serde_json::from_str(event.get()).map_err(|_| unreadable("it is no object"))?;
    let context: RawContext<'_> =
        borrow(event.request_context).ok_or_else(|| unreadable("requestContext is no object"))?;
    let route_key = text(context.route_key)
        .or_else(|| text(event.route_key))
        .ok_or_else(|| unreadable("routeKey is missing"))?;
    let time_epoch: i64 =
        read(context.time_epoch).ok_or_else(|| unreadable("timeEpoch is no number of milliseconds"))?;
    let http = members(context.http);
    let (body, is_base64_encoded) = body(event.body, event.is_base64_encoded)?;
    let normalised = json!({
        "rawPath": path(event.raw_path),
        "rawQueryString": query(event.raw_query_string),
        "headers": headers(event.headers),
        "pathParameters": texts(event.path_parameters),
        "body": body,
        "isBase64Encoded": is_base64_encoded,
        "requestContext": {
            "routeKey": route_key,
            "timeEpoch": time_epoch,
            "authorizer": { "jwt": { "claims": claims(context.authorizer), "scopes": null } },
            "http": {
                "method": method(http.get("method").copied()),
                "sourceIp": text(http.get("sourceIp").copied()),
                "userAgent": text(http.get("userAgent").copied()),
            },
        },
    });
    // serde's message may quote a value of the event, so it is dropped.
    serde_json::from_value(normalised).map_err(|_| unreadable("lambda_http does not read it"))
}

fn unreadable(reason: &'static str) -> Error {
    Error::internal(format!("unreadable event of API Gateway: {reason}"))
}

/// `lambda_http` appends the path to `http://localhost`, which fails unless it begins with a slash. Routing uses the
/// route key and the path parameters, not this path.
fn path(raw: Option<&RawValue>) -> String {
    text(raw)
        .filter(|path| path.starts_with('/') && path.len() <= MAX_URI_PART_BYTES)
        .unwrap_or_else(|| "/".to_owned())
}

fn query(raw: Option<&RawValue>) -> String {
    text(raw)
        .filter(|query| query.len() <= MAX_URI_PART_BYTES)
        .filter(|query| PathAndQuery::try_from(format!("/?{query}")).is_ok())
        .unwrap_or_default()
}

/// Drops Host: `lambda_http` would build a URL from it, and no route depends on it.
fn headers(raw: Option<&RawValue>) -> Map<String, Value> {
    let valid = |name: &String, value: &String| {
        !name.eq_ignore_ascii_case("host")
            && HeaderName::from_bytes(name.as_bytes()).is_ok()
            && HeaderValue::from_str(value).is_ok()
    };
    texts(raw)
        .into_iter()
        .filter(|(name, value)| valid(name, value))
        .take(MAX_HEADERS)
        .map(|(name, value)| (name, Value::String(value)))
        .collect()
}

/// Claims other than strings become their JSON text, as API Gateway does. `sub` must be a string, so that the number
/// 1 and the text "1" are not the same user.
fn claims(authorizer: Option<&RawValue>) -> Map<String, Value> {
    let jwt = members(authorizer).get("jwt").copied();
    let claims = members(jwt).get("claims").copied();
    let claim = |(name, value): (String, &RawValue)| {
        let value = match text(Some(value)) {
            Some(text) => text,
            None if name == "sub" || value.get() == "null" => return None,
            None => value.get().to_owned(),
        };
        Some((name, Value::String(value)))
    };
    members(claims).into_iter().filter_map(claim).collect()
}

/// Routing uses the route key; an unknown method must only not fail.
fn method(raw: Option<&RawValue>) -> String {
    text(raw)
        .filter(|method| Method::from_bytes(method.as_bytes()).is_ok())
        .unwrap_or_else(|| Method::GET.to_string())
}

fn body(raw: Option<&RawValue>, is_base64: Option<&RawValue>) -> Result<(Option<String>, bool), Error> {
    let malformed = |reason: &str| Error::Malformed { part: "body", reason: reason.to_owned() };
    let is_base64 = read(is_base64).unwrap_or(false);
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok((None, false)) };
    let body = text(Some(raw)).ok_or_else(|| malformed("is not text"))?;
    if is_base64 && STANDARD.decode(&body).is_err() {
        return Err(malformed("is not base64"));
    }
    Ok((Some(body), is_base64))
}

/// A member, if it exists and has the expected type.
fn read<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn borrow<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    read(raw)
}

/// The members of an object; empty for any other JSON.
fn members(raw: Option<&RawValue>) -> HashMap<String, &RawValue> {
    borrow(raw).unwrap_or_default()
}

/// The string members of an object.
fn texts(raw: Option<&RawValue>) -> HashMap<String, String> {
    members(raw).into_iter().filter_map(|(name, value)| Some((name, text(Some(value))?))).collect()
}
