//! A request as the event of payload 2.0.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Deployed;

/// A request that may pass.
pub(super) struct Received<'a> {
    pub(super) api: &'a Deployed,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a Bytes,
    pub(super) peer: SocketAddr,
    pub(super) request_id: &'a str,
    pub(super) route_key: &'a str,
    pub(super) path_parameters: Vec<(String, String)>,
    pub(super) claims: Option<Map<String, Value>>,
}

/// Sixteen characters, as API Gateway's are.
pub(super) fn request_id() -> String {
    BASE64_STANDARD.encode(&uuid::Uuid::new_v4().as_bytes()[..11]).replace(['+', '/'], "0")
}

/// The event. Fields without content are left out, as API Gateway does.
pub(super) fn event(received: &Received<'_>) -> Value {
    let Received { api, parts, body, .. } = received;
    let headers = headers(&parts.headers, received.peer);
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let source_ip = received.peer.ip().to_canonical().to_string();
    let now = api.clock.now();
    let id = &api.api.id;
    let mut event = json!({
        "version": "2.0",
        "routeKey": received.route_key,
        "rawPath": path,
        "rawQueryString": query,
        "requestContext": {
            "accountId": api.account,
            "apiId": id,
            "domainName": format!("{id}.execute-api.{}.amazonaws.com", api.region),
            "domainPrefix": id,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", parts.version),
                "sourceIp": source_ip,
                "userAgent": headers.get("user-agent").and_then(Value::as_str).unwrap_or_default(),
            },
            "requestId": received.request_id,
            "routeKey": received.route_key,
            "stage": api.api.stage,
            "time": common_log_time(now),
            "timeEpoch": now.unix_timestamp_nanos() / 1_000_000,
        },
        "isBase64Encoded": false,
    });
    if let Some(claims) = &received.claims {
        let claims: Map<String, Value> =
            claims.iter().map(|(name, value)| (name.clone(), Value::String(claim(value)))).collect();
        event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
    }
    let cookies: Vec<&str> = cookies(&parts.headers).collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    event["headers"] = Value::Object(headers);
    let pairs = form_urlencoded::parse(query.as_bytes());
    let query = joined(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())));
    if !query.is_empty() {
        event["queryStringParameters"] = Value::Object(query);
    }
    if !received.path_parameters.is_empty() {
        event["pathParameters"] = received.path_parameters.iter().cloned().collect();
    }
    if !body.is_empty() {
        let text = if is_text(&parts.headers) { std::str::from_utf8(body).ok() } else { None };
        event["isBase64Encoded"] = json!(text.is_none());
        event["body"] = text.map_or_else(|| BASE64_STANDARD.encode(body), str::to_owned).into();
    }
    event
}

/// Names in lower case, values of one name joined, cookies apart, and what API Gateway adds.
fn headers(sent: &HeaderMap, peer: SocketAddr) -> Map<String, Value> {
    let ip = peer.ip().to_canonical().to_string();
    let sent = sent.iter().filter(|(name, _)| *name != header::COOKIE);
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut all = joined(sent.map(|(name, value)| (name.as_str().to_owned(), text(value))));
    let before = all.get("x-forwarded-for").and_then(Value::as_str);
    let forwarded = before.map_or(ip.clone(), |before| format!("{before}, {ip}"));
    all.insert("x-forwarded-for".to_owned(), forwarded.into());
    all.insert("x-forwarded-proto".to_owned(), "http".into());
    let hex = uuid::Uuid::new_v4().simple().to_string();
    all.entry("x-amzn-trace-id").or_insert_with(|| format!("Root=1-{}-{}", &hex[..8], &hex[8..]).into());
    all
}

fn cookies(sent: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = sent.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).map(str::trim).filter(|cookie| !cookie.is_empty())
}

fn joined(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in pairs {
        match all.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => {
                all.insert(name, Value::String(value));
            }
        }
    }
    all
}

/// Bodies that reach the function as they are; all others (also forms) come in base64.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let kind = String::from_utf8_lossy(kind.as_bytes()).to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || ["application/json", "application/javascript", "application/xml"].contains(&kind)
}

/// A claim as API Gateway writes it: text, whatever it was. Lists become `[a b]` and objects `map[k:v]`.
fn claim(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(many) => format!("[{}]", many.iter().map(claim).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}:{}", claim(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

/// `12/Mar/2026:19:03:58 +0000`.
fn common_log_time(now: OffsetDateTime) -> String {
    let format = format_description!(
        "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
    );
    now.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{OffsetDateTime, claim, common_log_time, is_text, request_id};
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;

    #[test]
    fn claims_arrive_as_text() {
        let claims = [
            (json!("sub"), "sub"),
            (json!(1_700_000_000), "1700000000"),
            (json!(true), "true"),
            (json!(["auditor", "admin"]), "[auditor admin]"),
            (json!({"sign_in_provider": "password", "ids": ["a"]}), "map[ids:[a] sign_in_provider:password]"),
        ];
        for (value, text) in claims {
            assert_eq!(claim(&value), text);
        }
    }

    #[test]
    fn times_and_ids_look_like_api_gateways() {
        let time = OffsetDateTime::from_unix_timestamp(1_583_348_638).expect("a time");
        assert_eq!(common_log_time(time), "04/Mar/2020:19:03:58 +0000");
        assert_eq!(request_id().len(), 16);
    }

    #[test]
    fn forms_and_files_are_no_text() {
        for (kind, text) in [
            ("application/json; charset=utf-8", true),
            ("TEXT/plain", true),
            ("application/problem+json", true),
            ("application/x-www-form-urlencoded", false),
            ("application/octet-stream", false),
        ] {
            let headers = HeaderMap::from_iter([(
                "content-type".parse().expect("name"),
                HeaderValue::from_static(kind),
            )]);
            assert_eq!(is_text(&headers), text, "{kind}");
        }
    }
}
