//! Every event of API Gateway is parsed, whatever the caller sends, or the caller gets an error that names the field.

use proptest::prelude::*;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::*;

fn event() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "POST /appointments/{appointmentId}/call",
        "rawPath": "/appointments/7d9f1c5e-0000-4000-8000-000000000001/call",
        "rawQueryString": "a=1",
        "headers": { "host": "api.example.com", "x-forwarded-proto": "https", "user-agent": "app" },
        "requestContext": {
            "routeKey": "POST /appointments/{appointmentId}/call",
            "authorizer": { "jwt": { "claims": { "sub": "uid" }, "scopes": null } },
            "domainName": "api.example.com",
            "http": { "method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.17", "userAgent": "app" },
            "stage": "$default",
            "timeEpoch": 1_767_225_600_000_i64,
        },
        "pathParameters": { "appointmentId": "7d9f1c5e-0000-4000-8000-000000000001" },
        "body": "{\"checked\":true}",
        "isBase64Encoded": false,
    })
}

fn read_value(event: &Value) -> Result<Request, Error> {
    read(&to_raw_value(event).expect("it is JSON"), "r-1", &Edge::default())
}

fn with(pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let mut event = event();
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is an object");
    parent.insert(name.to_owned(), value);
    event
}

fn without(pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let mut event = event();
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is an object");
    parent.remove(name).expect("the member was there");
    event
}

#[derive(serde::Deserialize)]
struct Checked {
    checked: bool,
}

#[test]
fn a_request_of_api_gateway_is_read() {
    let request = read_value(&event()).expect("it is readable");
    assert_eq!(request.route, Route::Http("POST /appointments/{appointmentId}/call".to_owned()));
    assert_eq!(request.actor().ok(), Some(&Actor::Subject("uid".to_owned())));
    assert_eq!(request.query::<u32>("a").ok(), Some(Some(1)));
    assert_eq!((request.query::<u32>("b").ok(), request.accept()), (Some(None), None));
    let id: domain::id::AppointmentId = request.path("appointmentId").expect("it is in the path");
    assert_eq!(id.to_string(), "7d9f1c5e-0000-4000-8000-000000000001");
    assert!(request.json::<Checked>().expect("the body has the field").checked);
    let origin = &request.origin;
    assert_eq!(origin.now, time::macros::datetime!(2026-01-01 00:00 UTC));
    assert_eq!((origin.ip.as_deref(), origin.user_agent.as_deref()), (Some("203.0.113.17"), Some("app")));
}

#[test]
fn input_that_lambda_http_rejects_changes_nothing() {
    for (pointer, value) in [
        ("/headers/host", json!("a b:99999999")),
        ("/headers/host", json!("")),
        ("/headers/x-forwarded-proto", json!("ht tp")),
        ("/headers/x-é", json!("1")),
        ("/headers/x", json!("é\u{7}")),
        ("/headers/x", Value::Null),
        ("/headers/x", json!(5)),
        ("/headers/x", json!("a".repeat(70_000))),
        ("/headers", (0..40_000).map(|n| (format!("x-{n}"), json!("1"))).collect()),
        ("/headers", Value::Null),
        ("/headers", json!([])),
        ("/rawQueryString", json!("a=<b>&\u{0}")),
        ("/rawQueryString", json!("a".repeat(70_000))),
        ("/rawQueryString", Value::Null),
        ("/rawPath", json!("no slash")),
        ("/rawPath", json!("@[::1")),
        ("/rawPath", json!("//")),
        ("/rawPath", json!("/".repeat(70_000))),
        ("/rawPath", json!(format!("/{}", "é".repeat(5_000)))),
        ("/rawPath", Value::Null),
        ("/cookies", json!("a")),
        ("/queryStringParameters", json!({ "a": 1 })),
        ("/requestContext/authorizer/jwt/claims/age", json!(42)),
        ("/requestContext/authorizer/jwt/claims/groups", json!(["a", null])),
        ("/requestContext/authorizer/jwt/claims/none", Value::Null),
        ("/requestContext/authorizer/jwt/scopes", json!("x")),
        ("/requestContext/authorizer/lambda", json!(1)),
        ("/requestContext/domainName", json!("a b")),
        ("/requestContext/http/method", json!("no method")),
        ("/requestContext/stage", json!("a b\u{0}")),
        ("/requestContext/http/userAgent", Value::Null),
        ("/requestContext/http/sourceIp", Value::Null),
        ("/requestContext/http", Value::Null),
        ("/pathParameters/more", Value::Null),
        ("/isBase64Encoded", Value::Null),
        ("/stageVariables", Value::Null),
        ("/requestContext/authorizer/jwt/claims/role", json!({ "a": [1] })),
        ("/requestContext/authorizer/jwt/claims/long", json!("c".repeat(9 * 1024))),
        ("/headers/authorization", json!(format!("Bearer {}", "t".repeat(9 * 1024)))),
    ] {
        let request = read_value(&with(pointer, value.clone()))
            .unwrap_or_else(|error| unreachable!("{pointer} {error:?}"));
        assert!(request.actor().is_ok(), "{pointer}");
        assert!(request.json::<Checked>().is_ok_and(|body| body.checked), "{pointer}");
    }
}

#[test]
fn only_a_text_as_subject_identifies_a_caller() {
    for (pointer, value) in [
        ("/requestContext/authorizer/jwt/claims/sub", json!(42)),
        ("/requestContext/authorizer/jwt/claims/sub", json!("")),
        ("/requestContext/authorizer/jwt/claims/sub", json!("a\u{0}")),
        ("/requestContext/authorizer/jwt/claims/sub", json!("a".repeat(257))),
        ("/requestContext/authorizer/jwt/claims", json!(["sub"])),
        ("/requestContext/authorizer/jwt", Value::Null),
        ("/requestContext/authorizer", json!({ "lambda": { "sub": "uid" } })),
        ("/requestContext/authorizer", Value::Null),
    ] {
        let request = read_value(&with(pointer, value.clone())).expect("it is readable");
        assert!(request.actor().is_err(), "{pointer} {value}");
    }
}

#[test]
fn a_body_that_is_not_base64_is_answered_400() {
    for body in ["%%%", "Zm9v=", "a"] {
        let mut event = with("/body", json!(body));
        event["isBase64Encoded"] = json!(true);
        let error = read_value(&event).expect_err("it is no base64");
        assert_eq!(error.status(), 400, "{body}: {error:?}");
    }
}

#[test]
fn an_event_without_members_of_api_gateway_is_an_internal_error() {
    let mut no_route = without("/requestContext/routeKey");
    no_route.as_object_mut().and_then(|event| event.remove("routeKey")).expect("the member was there");
    for event in [
        with("/requestContext", json!("text")),
        no_route,
        without("/requestContext/timeEpoch"),
        with("/requestContext/timeEpoch", json!("today")),
        with("/requestContext/timeEpoch", json!(i64::MAX)),
    ] {
        let error = read_value(&event).expect_err("it lacks what is always there");
        assert_eq!(error.status(), 500, "{event}: {error:?}");
    }
}

/// Any JSON, with texts that often break parsers of URLs, headers and numbers.
fn any_json() -> impl Strategy<Value = Value> {
    const ODD: &[&str] = &[
        "",
        "/",
        "//",
        "/\\",
        "/%",
        "?",
        "#",
        "/a?b#c",
        "@",
        ":",
        "[::1",
        "http://",
        "a b",
        "\u{0}",
        "\r\n",
        "é",
        "💥",
        "%zz",
        "xn--",
        "999.1.1.1",
        "localhost:99999",
        "a:b@c",
        "=",
        "====",
        "Zg==",
        "null",
        "{",
        "{}",
        "[]",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
        proptest::sample::select(ODD).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// Members of the event that the caller controls, wholly or in part.
const CALLERS: [&str; 21] = [
    "/rawPath",
    "/rawQueryString",
    "/cookies",
    "/headers",
    "/headers/host",
    "/headers/x-forwarded-proto",
    "/headers/x-forwarded-host",
    "/headers/cookie",
    "/headers/any",
    "/queryStringParameters",
    "/pathParameters",
    "/pathParameters/appointmentId",
    "/body",
    "/isBase64Encoded",
    "/requestContext/authorizer/jwt/claims",
    "/requestContext/authorizer/jwt/claims/sub",
    "/requestContext/authorizer/jwt/claims/any",
    "/requestContext/http/method",
    "/requestContext/http/path",
    "/requestContext/http/userAgent",
    "/requestContext/domainName",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn input_of_a_caller_never_panics_or_makes_the_event_unreadable(
        changes in proptest::collection::vec((proptest::sample::select(CALLERS.as_slice()), any_json()), 1..4),
        base64 in any::<bool>(),
    ) {
        let mut event = event();
        event["isBase64Encoded"] = json!(base64);
        for (pointer, value) in changes {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a slash");
            if let Some(parent) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.insert(name.to_owned(), value);
            }
        }
        match read_value(&event) {
            Ok(request) => {
                // Parsers of the caller's input answer 4xx at worst.
                if let Err(error) = request.json::<Checked>() {
                    prop_assert!(error.status() < 500, "{event}: {error:?}");
                }
                if let Err(error) = request.path::<domain::id::AppointmentId>("appointmentId") {
                    prop_assert!(error.status() < 500, "{event}: {error:?}");
                }
            }
            Err(error) => prop_assert_eq!(error.status(), 400, "{}: {:?}", event, error),
        }
    }

    #[test]
    fn header_names_and_values_of_any_kind_are_read(
        headers in proptest::collection::hash_map(any::<String>(), any::<String>(), 0..20),
    ) {
        let headers: Value = headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        prop_assert!(read_value(&with("/headers", headers)).is_ok());
    }

    #[test]
    fn any_event_of_any_trigger_is_read_or_refused_without_a_panic(event in any_json()) {
        let event = to_raw_value(&event).expect("it is JSON");
        let kind = crate::trigger::TriggerKind::of(&event);
        prop_assert!(kind.read(&event, "r-1", time::OffsetDateTime::UNIX_EPOCH, &Edge::default()).is_err());
    }
}

#[test]
fn a_parameter_of_the_query_is_decoded_and_named_when_it_does_not_parse() {
    let mut event = with("/rawQueryString", json!("sessionId=x%26y&view=redacted&n=%00"));
    event["headers"]["accept"] = json!("text/vtt, */*;q=0.1");
    let request = read_value(&event).expect("it is readable");
    assert_eq!(request.query::<String>("sessionId").ok(), Some(Some("x&y".to_owned())));
    assert_eq!(request.query::<String>("view").ok(), Some(Some("redacted".to_owned())));
    assert_eq!(request.accept(), Some("text/vtt, */*;q=0.1"));
    let refused = request.query::<domain::id::SessionId>("sessionId").map_err(|error| error.to_string());
    let reason = "invalid sessionId: must be a UUID, 36 characters with hyphens".to_owned();
    assert_eq!(refused, Err(reason), "the value is not repeated");
}
