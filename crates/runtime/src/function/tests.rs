//! A function's tables, with a trigger of each kind.

use std::collections::HashMap;
use std::sync::Mutex;

use domain::audit::Via;
use domain::call::Actor;
use serde_json::json;

use super::*;
use crate::json::Fields;

/// The handlers' calls.
type Log = Mutex<Vec<String>>;

const FUNCTION: Function<Log> = Function {
    routes: crate::handlers! {
        "GET /things/{thingId}" => get,
        "POST /things" => deny,
    },
    actions: crate::handlers! { "get" => get, "deny" => deny },
    action_route: Some("POST /actions"),
    on_denial: Some(|log, request, reason| {
        Box::pin(async move { log_call(log, &format!("denied {} {}", request.route.name(), reason.code)) })
    }),
    ..Function::EMPTY
};

fn log_call(log: &Log, line: &str) {
    log.lock().expect("no handler panicked").push(line.to_owned());
}

async fn get(log: &Log, request: &Request) -> Result<Answer, Error> {
    log_call(log, &format!("get by {}", request.route.name()));
    Answer::json(200, &json!({}))
}

async fn deny(_: &Log, _: &Request) -> Result<Answer, Error> {
    Err(Error::Forbidden(reason::PROVIDER_ONLY))
}

fn origin() -> Origin {
    let now = time::OffsetDateTime::UNIX_EPOCH;
    Origin { request_id: "r-1".to_owned(), via: Via::Api, ip: None, user_agent: None, now }
}

async fn ask(route: Route, body: &str) -> (Result<u16, String>, Vec<String>) {
    let log = Log::default();
    let actor = Some(Actor::Subject("uid".to_owned()));
    let request = Request::new(route, actor, HashMap::new(), Fields::parse(body.as_bytes()), origin());
    let outcome = FUNCTION.handle(&log, Trigger::Request(request)).await;
    let log = log.into_inner().expect("no handler panicked");
    (outcome.map(|answer| answer.status).map_err(|error| error.to_string()), log)
}

fn http(key: &str) -> Route {
    Route::Http(key.to_owned())
}

#[tokio::test]
async fn a_route_and_its_action_have_one_handler() {
    let (answer, log) = ask(http("GET /things/{thingId}"), "").await;
    assert_eq!((answer, log), (Ok(200), vec!["get by GET /things/{thingId}".to_owned()]));
    for (route, name) in [(http("POST /actions"), "POST /actions"), (Route::Direct, "direct")] {
        let (answer, log) = ask(route, r#"{"action":"get"}"#).await;
        assert_eq!((answer, log), (Ok(200), vec![format!("get by {name}")]));
    }
}

#[tokio::test]
async fn an_unknown_route_is_not_found_and_an_unknown_action_is_named() {
    for key in ["GET /other", "POST /things/", "post /things"] {
        assert_eq!(ask(http(key), "{}").await.0, Err("not found: ROUTE_NOT_FOUND".to_owned()), "{key}");
    }
    for (body, error) in [
        (r#"{"action":"put"}"#, "invalid action: must be one of `get`, `deny`"),
        (r#"{"action":5}"#, "invalid action: must be a string"),
        ("{}", "invalid action: is required"),
        (r#"{"action":"get","action":"get"}"#, "invalid action: is given twice"),
        ("[", "malformed body: is not JSON (line 1 column 1)"),
    ] {
        assert_eq!(ask(Route::Direct, body).await.0, Err(error.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_denial_is_recorded_and_nothing_else_is() {
    let (answer, log) = ask(http("POST /things"), "").await;
    assert_eq!(answer, Err("forbidden: PROVIDER_ONLY".to_owned()));
    assert_eq!(log, ["denied POST /things PROVIDER_ONLY"]);
    assert_eq!(ask(http("GET /other"), "").await.1, Vec::<String>::new());
}

#[tokio::test]
async fn a_request_that_bypasses_the_edge_is_denied_before_anything_is_done() {
    let log = Log::default();
    for key in ["GET /things/{thingId}", "GET /other"] {
        let request = Request::new(http(key), None, HashMap::new(), Fields::parse(b""), origin());
        let outcome = FUNCTION.handle(&log, Trigger::Request(request.bypassing_edge())).await;
        assert!(matches!(outcome, Err(Error::Forbidden(reason::EDGE_REQUIRED))), "{key}: {outcome:?}");
    }
    let log = log.into_inner().expect("no handler panicked");
    assert_eq!(log, Vec::<String>::new(), "its denial is not stored");
}

#[tokio::test]
async fn a_trigger_without_a_handler_fails() {
    let outcome = FUNCTION.handle(&Log::default(), Trigger::Schedule(origin())).await;
    assert!(matches!(outcome, Err(Error::NotFound(reason::ROUTE_NOT_FOUND))), "{outcome:?}");
}
