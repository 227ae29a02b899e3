//! The HTTP API over the wire.

use std::time::Duration;

use local::clock::Clock;
use local::gateway::Gateway;
use local::listen::{Listening, bind};
use local::tokens::{Issuer, Key};
use local_template::plan::{Cors, Function, HttpApi, JwtAuthorizer, Plan, Route};
use serde_json::{Value, json};

use crate::http::{Answer, send};
use crate::probe::{Meeting, function, lambda};

const ISSUER: &str = "https://issuer.example";

fn route(key: &str, authorizer: bool) -> Route {
    let authorizer = authorizer.then(|| JwtAuthorizer {
        issuer: ISSUER.to_owned(),
        audience: vec!["medzen".to_owned()],
        header: "x-firebase-token".to_owned(),
    });
    Route {
        key: key.to_owned(),
        authorizer,
        function: "probe".to_owned(),
        timeout: Duration::from_secs(30),
        throttling: None,
    }
}

fn http_api() -> HttpApi {
    HttpApi {
        id: "abc123".to_owned(),
        name: "medzen-test".to_owned(),
        cors: None,
        stage: "$default".to_owned(),
        routes: vec![
            route("POST /open", false),
            route("GET /appointments/{appointmentId}/call", true),
            route("ANY /appointments/{appointmentId}/call", false),
        ],
    }
}

struct World {
    listening: Listening,
    issuer: Issuer,
    clock: Clock,
}

async fn world(http_api: HttpApi, function: Function) -> World {
    let clock = Clock::default();
    let issuer = Issuer::new(ISSUER, clock.clone()).expect("an issuer");
    let (account, region) = ("000000000000".to_owned(), "eu-central-1".to_owned());
    let plan = Plan { account, region, ..Plan::default() };
    let verifier = issuer.verifier().expect("a verifier");
    let gateway = Gateway::new(&plan, &http_api, lambda(function).await, verifier, clock.clone());
    let router = gateway.expect("good routes").router();
    World {
        listening: bind(0).await.map(|bound| bound.serve(router)).expect("the API listens"),
        issuer,
        clock,
    }
}

impl World {
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(self.listening.address(), method, path, headers, body.to_owned()).await
    }

    /// Has the function do something.
    async fn order(&self, order: Value) -> Answer {
        self.send("POST", "/open", &[("content-type", "application/json")], &order.to_string()).await
    }

    fn token(&self, claims: Value, expires_in: i64, key: Key) -> String {
        self.issuer.issue(claims, expires_in, key).expect("a token")
    }
}

#[track_caller]
fn assert_message(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status.as_u16(), answer.json()), (status, json!({ "message": message })));
}

#[tokio::test]
async fn the_authorizer_lets_only_good_tokens_through() {
    let world = world(http_api(), function()).await;
    let good = json!({"sub": "u1", "aud": "medzen"});
    let bearer = |token: &str| format!("Bearer {token}");
    let token = |claims: &Value, expires_in| world.token(claims.clone(), expires_in, Key::Good);
    let now = world.clock.now().unix_timestamp();
    let valid = token(&good, 60);
    let mut altered = valid.clone().into_bytes();
    let middle = altered.len() / 2;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    for (case, token, status) in [
        ("good", valid.clone(), 200),
        ("with Bearer", bearer(&valid), 200),
        ("one audience of two", token(&json!({"aud": ["other", "medzen"]}), 60), 200),
        ("client id in place of an audience", token(&json!({"client_id": "medzen"}), 60), 200),
        ("empty", String::new(), 401),
        ("no token", "Bearer nonsense".to_owned(), 401),
        ("altered", String::from_utf8(altered).expect("ASCII"), 401),
        ("expired", token(&good, -1), 401),
        ("expires now", token(&good, 0), 401),
        ("unknown key", world.token(good.clone(), 60, Key::Unknown), 401),
        ("other issuer", token(&json!({"aud": "medzen", "iss": "https://other.example"}), 60), 401),
        ("other audience", token(&json!({"aud": "other"}), 60), 401),
        ("no audience", token(&json!({}), 60), 401),
        ("not yet", token(&json!({"aud": "medzen", "nbf": now + 60}), 120), 401),
    ] {
        let answer =
            world.send("GET", "/appointments/a/call", &[("X-Firebase-Token", token.as_str())], "").await;
        assert_eq!(answer.status.as_u16(), status, "{case}: {:?}", answer.body);
        if status == 401 {
            assert_message(&answer, 401, "Unauthorized");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{case}");
        }
    }
    let answer = world.send("GET", "/appointments/a/call", &[("Authorization", &bearer(&valid))], "").await;
    assert_message(&answer, 401, "Unauthorized");
    world.clock.advance(60);
    let answer = world.send("GET", "/appointments/a/call", &[("X-Firebase-Token", &valid)], "").await;
    assert_message(&answer, 401, "Unauthorized");
}

#[tokio::test]
async fn the_function_gets_payload_2_0() {
    let world = world(http_api(), function()).await;
    world.clock.advance(86_400);
    let claims = json!({"sub": "u1", "aud": "medzen", "roles": ["a", "b"], "email_verified": true});
    let token = world.token(claims, 60, Key::Good);
    let headers = [
        ("X-Firebase-Token", token.as_str()),
        ("X-Many", "1"),
        ("X-Many", "2"),
        ("Cookie", "a=1; b=2"),
        ("User-Agent", "test"),
        ("Content-Type", "application/octet-stream"),
    ];
    let path = "/appointments/a%2F1/call?x=1&x=2&y=%C3%A9+z";
    let answer = world.send("GET", path, &headers, "bytes").await;
    let mut event = answer.json()["event"].clone();

    let context = &mut event["requestContext"];
    let epoch = context["timeEpoch"].as_i64().expect("an epoch");
    assert!((0..60_000).contains(&(world.clock.now_ms() - epoch)), "the cloud's time");
    assert_eq!(context["requestId"].as_str().expect("an id"), answer.header("apigw-requestid"));
    let claims = &mut context["authorizer"]["jwt"]["claims"];
    let expires: i64 = claims["exp"].as_str().and_then(|exp| exp.parse().ok()).expect("exp as text");
    assert!(expires > epoch / 1000);
    (claims["exp"], claims["iat"]) = ("TEXT".into(), "TEXT".into());
    for name in ["timeEpoch", "time", "requestId"] {
        context[name] = "VARIES".into();
    }
    for name in ["x-firebase-token", "host", "x-amzn-trace-id"] {
        assert!(event["headers"][name].is_string(), "{name}");
        event["headers"][name] = "VARIES".into();
    }
    insta::assert_json_snapshot!("payload_2_0", event);
}

#[tokio::test]
async fn a_text_body_arrives_as_it_is() {
    let world = world(http_api(), function()).await;
    let answer = world.order(json!({"any": "thing"})).await;
    let event = &answer.json()["event"];
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{\"any\":\"thing\"}"), &json!(false)));
    assert!(event["requestContext"].get("authorizer").is_none());
    assert!(event.get("pathParameters").is_none());
}

#[tokio::test]
async fn the_functions_answer_is_passed_on() {
    let world = world(http_api(), function()).await;
    let full = json!({"statusCode": 409, "headers": {"X-Code": "C"}, "body": "{\"a\":1}"});
    let answer = world.order(json!({"do": "answer", "answer": full})).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-code")), (409, "C"));
    assert_eq!(answer.json(), json!({"a": 1}));
}

#[tokio::test]
async fn errors_of_the_function_are_hidden() {
    let world = world(http_api(), function()).await;
    for order in [
        json!({"do": "exit"}),
        json!({"do": "fail"}),
        json!({"do": "answer", "answer": {"statusCode": "none"}}),
    ] {
        assert_message(&world.order(order).await, 500, "Internal Server Error");
    }
    assert_message(&world.send("GET", "/nowhere", &[], "").await, 404, "Not Found");
    assert_message(&world.send("GET", "/open", &[], "").await, 404, "Not Found");
}

#[tokio::test]
async fn a_body_over_ten_megabytes_is_refused() {
    let world = world(http_api(), function()).await;
    let body = "x".repeat(10 * 1024 * 1024 + 1);
    assert_message(&world.send("POST", "/open", &[], &body).await, 413, "Request Too Long");
}

#[tokio::test]
async fn each_route_is_throttled_by_itself() {
    let mut slow = http_api();
    slow.routes[0].throttling = Some((0.001, 2));
    slow.routes[2].throttling = Some((0.001, 1));
    let world = world(slow, function()).await;
    for _ in 0..2 {
        assert_eq!(world.order(json!({})).await.status, 200);
    }
    assert_message(&world.order(json!({})).await, 429, "Too Many Requests");
    let other = || world.send("PUT", "/appointments/1/call", &[], "{}");
    assert_eq!(other().await.status, 200, "another route has its own limit");
    assert_message(&other().await, 429, "Too Many Requests");
}

#[tokio::test]
async fn a_function_without_a_free_environment_is_unavailable() {
    let world = world(http_api(), Function { reserved_concurrency: Some(0), ..function() }).await;
    assert_message(&world.order(json!({})).await, 503, "Service Unavailable");
}

#[tokio::test]
async fn an_integration_that_takes_too_long_is_unavailable() {
    let mut api = http_api();
    api.routes[0].timeout = Duration::from_millis(100);
    let world = world(api, function()).await;
    let meeting = Meeting::open().await;
    let answer = world.order(json!({"do": "meet", "port": meeting.port()})).await;
    assert_message(&answer, 503, "Service Unavailable");
}

#[tokio::test]
async fn a_function_that_api_gateway_may_not_invoke_is_an_error() {
    let mut function = function();
    function.permissions[0].source_arn =
        Some("arn:aws:execute-api:eu-central-1:000000000000:abc123/*/GET/*".to_owned());
    let world = world(http_api(), function).await;
    assert_message(&world.order(json!({})).await, 500, "Internal Server Error");
    let token = world.token(json!({"aud": "medzen"}), 60, Key::Good);
    let answer = world.send("GET", "/appointments/a/call", &[("X-Firebase-Token", &token)], "").await;
    assert_eq!(answer.status, 200, "GET is permitted");
}

#[tokio::test]
async fn a_preflight_needs_no_token_and_no_function() {
    let cors = Cors {
        allow_origins: vec!["https://app.example".to_owned()],
        allow_methods: vec!["GET".to_owned()],
        ..Cors::default()
    };
    let world = world(HttpApi { cors: Some(cors), ..http_api() }, function()).await;
    let headers = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")];
    let answer = world.send("OPTIONS", "/appointments/a/call", &headers, "").await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-methods")), (204, "GET"));
    let answer = world.send("GET", "/appointments/a/call", &headers[..1], "").await;
    assert_message(&answer, 401, "Unauthorized");
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
}
